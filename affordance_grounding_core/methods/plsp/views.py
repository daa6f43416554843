"""Training views in which image and label stay aligned: squash, crop, mirror, mosaic.

The picture is squashed to a square, a random square is cut out of it and mirrored half the
time; the blurred label goes the same way. Half of the views become one tile of a 2 x 2 mosaic
whose other tiles show objects that afford none of the actions (WSAG-PLSP, section 3.4).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeVar

import cv2
import numpy as np
from numpy.typing import NDArray

from affordance_grounding_core.inference.preprocess import resize_image

Value = TypeVar("Value", np.uint8, np.float32)

TILES = 4
"""Of a mosaic."""


@dataclass(frozen=True)
class PlspViewConfig:
    """Random views of a training image; the defaults are the published ones.

    Attributes:
        resize: side in px of the square that an image is squashed to.
        crop: side in px of the square that is cut out of it, even; the network's input.
        flip: probability that the crop is mirrored.
        mosaic: probability that the crop becomes one tile of a mosaic.
    """

    resize: int = 256
    crop: int = 224
    flip: float = 0.5
    mosaic: float = 0.5

    def __post_init__(self) -> None:
        if not 2 <= self.crop <= self.resize or self.crop % 2:
            raise ValueError(
                f"crop must be even, for mosaics halve it, and lie in [2, resize]; got crop "
                f"{self.crop} and resize {self.resize}"
            )
        for name in ("flip", "mosaic"):
            if not 0.0 <= getattr(self, name) <= 1.0:
                raise ValueError(f"{name} must lie in [0, 1], got {getattr(self, name)}")


@dataclass(frozen=True)
class ViewPlan:
    """One view, as it was drawn.

    Attributes:
        top: first row of the crop in the squashed image.
        left: first column.
        mirrored: whether it is mirrored.
        tile: which tile of a mosaic it becomes, row by row; None for the crop alone.
        companions: for a mosaic, numbers of the images in the other tiles.
    """

    top: int
    left: int
    mirrored: bool
    tile: int | None = None
    companions: tuple[int, ...] = ()


def draw_view(config: PlspViewConfig, companions: int, random: np.random.Generator) -> ViewPlan:
    """Draw a view.

    Args:
        config: of the views.
        companions: how many images may stand beside it in a mosaic; 0 for no mosaics.
        random: decides; always asked for equally many numbers.
    """
    top, left = (int(v) for v in random.integers(config.resize - config.crop + 1, size=2))
    mirrored, mosaic = random.random(2) < (config.flip, config.mosaic)
    tile = int(random.integers(TILES))
    chosen = tuple(int(v) for v in random.integers(max(companions, 1), size=TILES - 1))
    if not mosaic or not companions:
        return ViewPlan(top, left, bool(mirrored))
    return ViewPlan(top, left, bool(mirrored), tile, chosen)


def view_image(
    plan: ViewPlan,
    config: PlspViewConfig,
    image: NDArray[np.uint8],
    companions: Sequence[NDArray[np.uint8]] = (),
) -> NDArray[np.uint8]:
    """Look at an image.

    Args:
        plan: drawn with the same config.
        config: of the views.
        image: (H, W, 3) uint8, RGB.
        companions: images for the other tiles, in the order of `plan.companions`.

    Returns:
        (crop, crop, 3) uint8, RGB.
    """
    squashed = resize_image(image, config.resize, config.resize)
    crop = _cut(plan, config, squashed)
    if plan.tile is None:
        return np.ascontiguousarray(crop)
    half = config.crop // 2
    tiles = [resize_image(np.ascontiguousarray(one), half, half) for one in (crop, *companions)]
    return _mosaic(plan.tile, tiles)


def view_label(
    plan: ViewPlan, config: PlspViewConfig, label: NDArray[np.float32]
) -> NDArray[np.float32]:
    """Look at the label of an image.

    A label of which the crop has nothing becomes even over the crop, as released.

    Args:
        plan: drawn with the same config.
        config: of the views.
        label: (H, W) float32, not negative: blurred at the image's own size.

    Returns:
        (crop, crop) float32, a distribution.
    """
    side = (config.resize, config.resize)
    squashed = cv2.resize(label, side, interpolation=cv2.INTER_LINEAR)
    crop = np.ascontiguousarray(_cut(plan, config, np.asarray(squashed, np.float32)))
    if crop.max() <= 0:
        crop = np.ones_like(crop)
    if plan.tile is not None:
        half = config.crop // 2
        small = cv2.resize(crop, (half, half), interpolation=cv2.INTER_LINEAR)
        own = np.asarray(small, np.float32)
        crop = _mosaic(plan.tile, [own, *(np.zeros_like(own) for _ in range(TILES - 1))])
    return np.asarray(crop / crop.sum(dtype=np.float64), np.float32)


def _cut(plan: ViewPlan, config: PlspViewConfig, values: NDArray[Value]) -> NDArray[Value]:
    rows = slice(plan.top, plan.top + config.crop)
    columns = slice(plan.left, plan.left + config.crop)
    crop = values[rows, columns]
    return crop[:, ::-1] if plan.mirrored else crop


def _mosaic(tile: int, tiles: Sequence[NDArray[Value]]) -> NDArray[Value]:
    """Put the first tile at its place and the others around it."""
    own, *others = tiles
    placed = [*others[:tile], own, *others[tile:]]
    upper, lower = np.hstack(placed[:2]), np.hstack(placed[2:])
    return np.vstack([upper, lower])
