"""What the backbone looks at in training: one picture, a mosaic of four, or one upon another.

A mosaic (as in WSAG-PLSP, section 4.1) and an inset show objects small and beside others, as a
robot's camera does; an action is present there where one of the objects affords it, and absent
only if none does.
"""

from __future__ import annotations

import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from affordance_grounding_core.data.blur import blur_kernel_size
from affordance_grounding_core.data.mosaic import TILES, tile_corner
from affordance_grounding_core.images import read_rgb
from affordance_grounding_core.methods.action_head.config import SceneCounts, ViewConfig
from affordance_grounding_core.methods.action_head.samples import Sample, SamplePicture
from affordance_grounding_core.methods.action_head.views import (
    View,
    plan_view,
    view_image,
    view_label,
)

_SMALLEST_LABEL = {False: 1e-3, True: 4e-4}
"""Mean over the scene of a soft label, and of an exact one; less has left the view."""

MASK_UNKNOWN = 255
"""In a scene's part masks: nobody says whether the cell belongs to the part."""

MASK_FULL = 254
"""In a scene's part masks: the whole cell belongs to the part."""

Point = tuple[float, float]


@dataclass(frozen=True)
class Tile:
    """One picture in a scene.

    Attributes:
        sample: the picture.
        number: of its view; 0 is the plain picture.
        seed: of its view.
        top: row of the scene at which the tile begins, in px.
        left: column likewise.
        side: of the square tile in px.
        focus: place of the picture that a crop keeps in view; None for anywhere.
    """

    sample: Sample
    number: int
    seed: tuple[int, ...]
    top: int
    left: int
    side: int
    focus: Point | None = None

    @property
    def place(self) -> tuple[slice, slice]:
        """Rows and columns of the scene that the tile covers."""
        return slice(self.top, self.top + self.side), slice(self.left, self.left + self.side)

    def view(self, height: int, width: int, config: ViewConfig) -> View:
        """Plan how a picture of this height and width is seen in the tile."""
        return plan_view(height, width, self.side, self.number, config, self.seed, self.focus)


@dataclass(frozen=True)
class Scene:
    """A square arrangement of tiles.

    Attributes:
        tiles: one; four side by side; or one upon another. Later ones cover earlier ones.
        size: side of the scene in px.
    """

    tiles: tuple[Tile, ...]
    size: int

    @property
    def plain(self) -> bool:
        """Whether it is one picture as it is."""
        return len(self.tiles) == 1 and self.tiles[0].number == 0

    def absent(self, actions: Sequence[str]) -> list[str]:
        """Name the actions that none of the objects affords."""
        return [a for a in actions if all(a in tile.sample.absent for tile in self.tiles)]

    def image(self, config: ViewConfig) -> NDArray[np.uint8]:
        """Draw the scene, (size, size, 3) uint8 RGB."""
        scene = np.zeros((self.size, self.size, 3), np.uint8)
        for tile in self.tiles:
            picture = read_rgb(tile.sample.path)
            height, width = picture.shape[:2]
            scene[tile.place] = view_image(picture, tile.view(height, width, config), config)
        return scene

    def coverage(
        self, pictures: Mapping[Sample, SamplePicture], config: ViewConfig
    ) -> dict[str, NDArray[np.float32]]:
        """Draw the labels of the scene as they are, each part's share of every pixel.

        Args:
            pictures: sizes and labels of the samples.
            config: limits of the views.

        Returns:
            Action to (size, size) float32 in [0, 1]. An action is left out if nothing of its
            label is in view, or if an object affords it whose label is not known.
        """
        drawn: dict[str, NDArray[np.float32]] = {}
        for tile in self.tiles:
            picture = pictures[tile.sample]
            view = tile.view(picture.height, picture.width, config)
            for covered in drawn.values():
                covered[tile.place] = 0.0
            for action, label in picture.labels.items():
                scene = drawn.setdefault(action, np.zeros((self.size, self.size), np.float32))
                scene[tile.place] = view_label(np.asarray(label, np.float32), view)
        exact = all(pictures[tile.sample].exact for tile in self.tiles)
        return {
            action: scene
            for action, scene in drawn.items()
            if scene.mean() > _SMALLEST_LABEL[exact] and self._all_known(action, pictures)
        }

    def labels(
        self, pictures: Mapping[Sample, SamplePicture], config: ViewConfig, cells: int
    ) -> dict[str, NDArray[np.float32]]:
        """Draw the soft labels of the scene, averaged over a grid of cells.

        Args:
            pictures: sizes and labels of the samples; exact ones are blurred here, by AGD20K's
                rule for a picture of the scene's size.
            config: limits of the views.
            cells: side of the square grid over the whole scene.

        Returns:
            Action to (cells, cells) float32; see `coverage` for those that are left out.
        """
        return soft_labels(self.coverage(pictures, config), self._exact(pictures), cells)

    def masks(
        self,
        coverage: Mapping[str, NDArray[np.float32]],
        pictures: Mapping[Sample, SamplePicture],
        cells: int,
    ) -> dict[str, NDArray[np.uint8]]:
        """Part masks of the scene on a grid.

        Args:
            coverage: as `coverage` drew it.
            pictures: sizes and labels of the samples.
            cells: side of the square grid over the whole scene.

        Returns:
            Action to (cells, cells) uint8: 0 to `MASK_FULL` for none to all of a cell, and
            `MASK_UNKNOWN` inside boxes that are wider than the part. Empty for soft labels.
        """
        if not self._exact(pictures):
            return {}
        masks = {}
        for action, drawn in coverage.items():
            share = cv2.resize(drawn, (cells, cells), interpolation=cv2.INTER_AREA)
            mask = np.rint(np.clip(share, 0, 1) * MASK_FULL).astype(np.uint8)
            if any(action in pictures[tile.sample].boxes for tile in self.tiles):
                mask[mask > 0] = MASK_UNKNOWN
            masks[action] = mask
        return masks

    def _exact(self, pictures: Mapping[Sample, SamplePicture]) -> bool:
        return all(pictures[tile.sample].exact for tile in self.tiles)

    def _all_known(self, action: str, pictures: Mapping[Sample, SamplePicture]) -> bool:
        return all(
            action in tile.sample.absent or action in pictures[tile.sample].labels
            for tile in self.tiles
        )


def soft_labels(
    coverage: Mapping[str, NDArray[np.float32]], exact: bool, cells: int
) -> dict[str, NDArray[np.float32]]:
    """Average labels over a grid of cells, exact ones blurred by AGD20K's rule first."""
    labels = {}
    for action, scene in coverage.items():
        label: NDArray[Any] = scene
        if exact:  # at half the size, where the blur is as wide and a quarter of the work
            half = (scene.shape[1] // 2, scene.shape[0] // 2)
            label = cv2.resize(scene, half, interpolation=cv2.INTER_AREA)
            kernel = blur_kernel_size(*label.shape)
            label = cv2.GaussianBlur(label, (kernel, kernel), 0)
        size = (cells, cells)
        labels[action] = np.asarray(
            cv2.resize(label, size, interpolation=cv2.INTER_AREA), np.float32
        )
    return labels


def plan_scenes(
    samples: Sequence[Sample],
    size: int,
    config: ViewConfig,
    seed: int,
    pictures: Mapping[Sample, SamplePicture] | None = None,
    counts: Mapping[Sample, SceneCounts] | None = None,
) -> list[Scene]:
    """Plan all scenes of a training set.

    Args:
        samples: all of them, also those that a run leaves out, so that the scenes of the
            others stay what they are.
        size: side of a scene in px.
        config: how many scenes, and the limits of the views.
        seed: decides everything that is random.
        pictures: where the parts are, for `config.follow_parts`.
        counts: how many scenes of samples for which it is not what `config` says.

    Returns:
        For every sample its single views, the plain one first, then its mosaics and insets.
    """
    scenes = []
    companions = _companions(samples)
    for sample in samples:
        identity = (seed, zlib.crc32(f"{sample.object_name}/{sample.path.stem}".encode()))
        parts = pictures[sample].centres() if pictures and config.follow_parts else ()
        focuses = [*parts, *parts, None] if parts else [None]
        planned = counts.get(sample) if counts else None
        planned = planned or SceneCounts(config.count, config.mosaics, config.insets)
        scenes += [
            Scene((Tile(sample, n, identity, 0, 0, size, focuses[n % len(focuses)]),), size)
            for n in range(planned.views)
        ]
        others = companions[sample]
        for number in range(planned.mosaics if others else 0):
            random = np.random.default_rng((*identity, 1_000 + number))
            scenes.append(_mosaic(sample, others, size, (*identity, number), random))
        for number in range(planned.insets if others else 0):
            random = np.random.default_rng((*identity, 2_000 + number))
            focus = focuses[number % len(focuses)]
            options = (size, config.inset_scale, (*identity, 100 + number), focus)
            scenes.append(_inset(sample, others, *options, random))
    return scenes


def _companions(samples: Sequence[Sample]) -> dict[Sample, list[Sample]]:
    """Samples of other classes that leave the labels of a sample known."""
    known = [(other, {*other.absent, *other.masks}) for other in samples]
    return {
        sample: [
            other
            for other, says in known
            if other.object_name != sample.object_name and says.issuperset(sample.masks)
        ]
        for sample in samples
    }


def _mosaic(
    sample: Sample,
    others: Sequence[Sample],
    size: int,
    identity: tuple[int, ...],
    random: np.random.Generator,
) -> Scene:
    side = size // 2
    chosen = [sample, *(others[i] for i in random.integers(len(others), size=TILES - 1))]
    places = random.permutation(TILES)
    tiles = tuple(
        Tile(one, 1, (*identity, place), *tile_corner(place, side), side)
        for one, place in zip(chosen, map(int, places), strict=True)
    )
    return Scene(tiles, size)


def _inset(
    sample: Sample,
    others: Sequence[Sample],
    size: int,
    scales: tuple[float, float],
    identity: tuple[int, ...],
    focus: Point | None,
    random: np.random.Generator,
) -> Scene:
    other = others[int(random.integers(len(others)))]
    side = int(size * random.uniform(*scales))
    top, left = (int(value) for value in random.integers(0, size - side + 1, 2))
    behind = Tile(other, 1, (*identity, 0), 0, 0, size)
    return Scene((behind, Tile(sample, 1, (*identity, 1), top, left, side, focus)), size)
