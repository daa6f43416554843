"""What the backbone looks at in training: one picture, or a mosaic of four.

A mosaic (as in WSAG-PLSP, section 4.1) shows objects small and beside others, as a robot's
camera does; an action is present in it where one of its objects affords it, and absent only
if none does.
"""

from __future__ import annotations

import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from affordance_grounding_core.images import read_rgb
from affordance_grounding_core.methods.action_head.config import ViewConfig
from affordance_grounding_core.methods.action_head.samples import Sample
from affordance_grounding_core.methods.action_head.views import (
    View,
    plan_view,
    view_image,
    view_label,
)

_SMALLEST_LABEL = 1e-3  # mean over the scene; less has left the view


@dataclass(frozen=True)
class Tile:
    """One picture in a scene.

    Attributes:
        sample: the picture.
        number: of its view; 0 is the plain picture.
        seed: of its view.
        row: of the tile, counted in tiles.
        column: likewise.
    """

    sample: Sample
    number: int
    seed: tuple[int, ...]
    row: int
    column: int

    def view(self, height: int, width: int, size: int, config: ViewConfig) -> View:
        """Plan how a picture of this height and width is seen in a tile of this size."""
        return plan_view(height, width, size, self.number, config, self.seed)


@dataclass(frozen=True)
class Scene:
    """A square arrangement of tiles.

    Attributes:
        tiles: one, or four in two rows.
        size: side of the scene in px.
    """

    tiles: tuple[Tile, ...]
    size: int

    @property
    def tile_size(self) -> int:
        """Side of a tile in px."""
        return self.size if len(self.tiles) == 1 else self.size // 2

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
        side = self.tile_size
        for tile in self.tiles:
            picture = read_rgb(tile.sample.path)
            height, width = picture.shape[:2]
            seen = view_image(picture, tile.view(height, width, side, config), config)
            top, left = tile.row * side, tile.column * side
            scene[top : top + side, left : left + side] = seen
        return scene

    def labels(
        self, pictures: Mapping[Sample, SamplePicture], config: ViewConfig, cells: int
    ) -> dict[str, NDArray[np.float32]]:
        """Draw the labels of the scene, averaged over a grid of cells.

        Args:
            pictures: sizes and labels of the samples.
            config: limits of the views.
            cells: side of the square grid over the whole scene.

        Returns:
            Action to (cells, cells) float32. An action is left out if nothing of its label
            is in view, or if an object affords it whose label is not known.
        """
        side = cells if len(self.tiles) == 1 else cells // 2
        drawn: dict[str, NDArray[np.float32]] = {}
        for tile in self.tiles:
            picture = pictures[tile.sample]
            view = tile.view(picture.height, picture.width, self.tile_size, config)
            for action, label in picture.labels.items():
                grid = drawn.setdefault(action, np.zeros((cells, cells), np.float32))
                top, left = tile.row * side, tile.column * side
                grid[top : top + side, left : left + side] = view_label(label, view, side)
        return {
            action: grid
            for action, grid in drawn.items()
            if grid.mean() > _SMALLEST_LABEL and self._all_known(action, pictures)
        }

    def _all_known(self, action: str, pictures: Mapping[Sample, SamplePicture]) -> bool:
        return all(
            action in tile.sample.absent or action in pictures[tile.sample].labels
            for tile in self.tiles
        )


@dataclass(frozen=True)
class SamplePicture:
    """What labels of a sample are made of.

    Attributes:
        height: of its picture in px.
        width: likewise.
        labels: action to (height, width) float32.
    """

    height: int
    width: int
    labels: dict[str, NDArray[np.float32]]

    @classmethod
    def of(cls, sample: Sample) -> SamplePicture:
        """Read a sample's picture and labels."""
        height, width = read_rgb(sample.path).shape[:2]
        return cls(height, width, sample.labels(height, width))


def plan_scenes(samples: Sequence[Sample], size: int, config: ViewConfig, seed: int) -> list[Scene]:
    """Plan all scenes of a training set.

    Args:
        samples: all of them, also those that a run leaves out, so that the scenes of the
            others stay what they are.
        size: side of a scene in px.
        config: how many scenes, and the limits of the views.
        seed: decides everything that is random.

    Returns:
        For every sample its single views, the plain one first, then its mosaics.
    """
    scenes = []
    for sample in samples:
        identity = (seed, zlib.crc32(f"{sample.object_name}/{sample.path.stem}".encode()))
        scenes += [
            Scene((Tile(sample, number, identity, 0, 0),), size) for number in range(config.count)
        ]
        others = [other for other in samples if other.object_name != sample.object_name]
        for mosaic in range(config.mosaics if others else 0):
            random = np.random.default_rng((*identity, 1_000 + mosaic))
            chosen = [sample, *(others[i] for i in random.integers(len(others), size=3))]
            places = random.permutation(4)
            tiles = tuple(
                Tile(one, 1, (*identity, mosaic, place), int(place) // 2, int(place) % 2)
                for one, place in zip(chosen, map(int, places), strict=True)
            )
            scenes.append(Scene(tiles, size))
    return scenes
