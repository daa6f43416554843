"""Training samples of WSAG-PLSP: an image with a part label, and people using such objects."""

from __future__ import annotations

import logging
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import cv2
import numpy as np
from numpy.typing import NDArray

from affordance_grounding_core.data.agd20k import TrainingImage, TrainingSet
from affordance_grounding_core.data.blur import blur_mask
from affordance_grounding_core.data.mosaic import TILES, draw_mosaic
from affordance_grounding_core.data.part_masks import find_part_mask, read_part_mask
from affordance_grounding_core.errors import DatasetError
from affordance_grounding_core.images.arrays import RgbImage
from affordance_grounding_core.inference.preprocess import resize_image

Value = TypeVar("Value", np.uint8, np.float32)


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
        companions: numbers of the images in the other tiles of a mosaic.
    """

    top: int
    left: int
    mirrored: bool
    tile: int | None = None
    companions: tuple[int, ...] = ()


def draw_view(config: PlspViewConfig, companions: int, random: np.random.Generator) -> ViewPlan:
    """Draw a view.

    Args:
        config: options of the views.
        companions: number of images that may stand beside it in a mosaic; 0 for no mosaics.
        random: source of random numbers; equally many are always drawn.
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
    image: RgbImage,
    companions: Sequence[NDArray[np.uint8]] = (),
) -> NDArray[np.uint8]:
    """Look at an image.

    Args:
        plan: drawn with the same config.
        config: options of the views.
        image: image of any size.
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
        config: options of the views.
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
    return draw_mosaic([*others[:tile], own, *others[tile:]])


logger = logging.getLogger(__name__)

ClassName = tuple[str, str]
"""Action and object."""
Box = tuple[float, float, float, float]
"""Left, top, right and bottom as shares of the image's width and height, in [0, 1]."""

WHOLE_IMAGE: Box = (0.0, 0.0, 1.0, 1.0)


@dataclass(frozen=True)
class PartSample:
    """One image and the label of its part.

    Attributes:
        image: its file.
        action: action that the part affords.
        object_name: class of the object.
        mask: picture of the part, of the image's own size.
    """

    image: Path
    action: str
    object_name: str
    mask: Path

    def label(self) -> NDArray[np.float32]:
        """Read the part mask, blurred by AGD20K's rule at its own size.

        Returns:
            (H, W) float32 in [0, 1].

        Raises:
            InvalidImageError: the mask cannot be read, or is empty or of 0 and 1.
        """
        return blur_mask(read_part_mask(self.mask))


@dataclass(frozen=True)
class Person:
    """An image of somebody using an object.

    Attributes:
        image: its file.
        box: place of the object.
    """

    image: Path
    box: Box = WHOLE_IMAGE

    def patches(self, rows: int, columns: int) -> NDArray[np.float32]:
        """Mark the patches that the box touches, (rows * columns) of 0 and 1, at least one 1."""
        left, top, right, bottom = self.box
        mask = np.zeros((rows, columns), np.float32)
        first_row, first_column = (
            min(int(np.floor(edge * cells)), cells - 1)
            for edge, cells in ((top, rows), (left, columns))
        )
        mask[
            first_row : max(int(np.ceil(bottom * rows)), first_row + 1),
            first_column : max(int(np.ceil(right * columns)), first_column + 1),
        ] = 1.0
        return mask.reshape(-1)


def read_part_samples(
    training: TrainingSet, actions: Sequence[str], labels: Path | None, excluded: Collection[Path]
) -> list[PartSample]:
    """List the egocentric images that have a part mask.

    Args:
        training: listing of the training set.
        actions: vocabulary; images of other actions are left out.
        labels: folder with `PL/ACTION/OBJECT/NAME_pl.png` and, where refined, the same below
            `PL_refined`, which counts first; the training set's own folder where None.
        excluded: files that are not to be used.

    Raises:
        DatasetError: an action without a single part mask.
    """
    folder = labels or training.folder
    samples = []
    for item in training.egocentric:
        if item.action not in actions or item.image in excluded:
            continue
        mask = find_part_mask(folder, item.action, item.object_name, item.image, excluded)
        if mask is not None:
            samples.append(PartSample(item.image, item.action, item.object_name, mask))
    trained = {sample.action for sample in samples}
    if untrained := [action for action in actions if action not in trained]:
        raise DatasetError(
            f"no part mask for the actions {untrained} under {str(folder / 'PL')!r}; expected "
            "PL/ACTION/OBJECT/NAME_pl.png for images of trainset/egocentric. Make them with "
            "`affordance-grounding label`, or train with model.actions that have some"
        )
    return samples


def irrelevant_images(
    images: Sequence[TrainingImage | PartSample],
) -> dict[str, tuple[Path, ...]]:
    """Find for every object class the images whose objects share no action with it.

    Args:
        images: images of the whole training set, with and without part masks.

    Returns:
        Object class to images; where every class shares an action, those of other
        classes, and none where there is a single class.
    """
    afforded: dict[str, set[str]] = {}
    for item in images:
        afforded.setdefault(item.object_name, set()).add(item.action)
    found = {}
    for name, actions in afforded.items():
        unrelated = {other for other, theirs in afforded.items() if not theirs & actions}
        chosen = unrelated or set(afforded) - {name}
        found[name] = tuple(item.image for item in images if item.object_name in chosen)
    return found


class People:
    """Who may stand beside a sample.

    Args:
        training: listing of the training set.
        ranked: (action, object, file name of the egocentric image) to the people whose objects
            look most like its own; others are drawn from the whole class.
        excluded: files that are not to be used.
    """

    def __init__(
        self,
        training: TrainingSet,
        ranked: Mapping[tuple[str, str, str], Sequence[Person]],
        excluded: Collection[Path],
    ) -> None:
        self._ranked = {
            key: kept
            for key, people in ranked.items()
            if (kept := tuple(p for p in people if p.image not in excluded))
        }
        self._all: dict[ClassName, list[Person]] = {}
        for item in training.exocentric:
            if item.image not in excluded:
                self._all.setdefault((item.action, item.object_name), []).append(Person(item.image))

    def beside(self, sample: PartSample) -> Sequence[Person]:
        """Return those among whom one is drawn; none if there is nobody."""
        key = sample.action, sample.object_name, sample.image.name
        return self._ranked.get(key) or self._all.get(key[:2]) or ()

    def files(self) -> list[Path]:
        """All images that may be drawn, sorted."""
        people = [p for group in (*self._ranked.values(), *self._all.values()) for p in group]
        return sorted({person.image for person in people})


def ranked_people(
    labels: Path | None, training: TrainingSet
) -> dict[tuple[str, str, str], list[Person]]:
    """Read whose objects look alike from the manifest of a label folder.

    Args:
        labels: folder that `affordance-grounding label` wrote, or None.
        training: listing of the training set.

    Returns:
        For (action, object, file name), people with the box of their object; nothing without
        a manifest, which is said once.

    Raises:
        DatasetError: a manifest that is damaged.
    """
    from affordance_grounding_core.labelling.manifest import (
        MANIFEST_FILE,
        read_manifest,
    )

    folder = labels or training.folder
    if not (folder / MANIFEST_FILE).is_file():
        logger.warning(
            "No %s in %s: exocentric images are drawn evenly from their class, and their objects "
            "are taken to fill them. `affordance-grounding label` writes one",
            MANIFEST_FILE,
            folder,
        )
        return {}
    manifest = read_manifest(folder)
    places = {(p.action, p.object_name, p.image.name): p.image for p in training.exocentric}
    ranked: dict[tuple[str, str, str], list[Person]] = {}
    for item in manifest.partner_lists:
        people = ranked.setdefault((item.action, item.object_name, item.image), [])
        for partner in item.partners:
            record = manifest.record("exocentric", item.action, item.object_name, partner.image)
            file = places.get((item.action, item.object_name, partner.image))
            if record is None or record.whole is None or file is None:
                continue
            left, top, right, bottom = record.whole.boxes[partner.box]
            width, height = record.width, record.height
            box = (left / width, top / height, right / width, bottom / height)
            people.append(Person(file, _inside(box)))
    return ranked


def _inside(box: Box) -> Box:
    left, top, right, bottom = (min(max(edge, 0.0), 1.0) for edge in box)
    return left, top, right, bottom
