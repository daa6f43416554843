"""Mosaic of four square pictures of equal size, two by two, as in WSAG-PLSP (section 4.1)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

Value = TypeVar("Value", np.uint8, np.float32)

TILES = 4
"""Number of its tiles; they are counted row by row."""


def tile_corner(place: int, side: int) -> tuple[int, int]:
    """Row and column of the mosaic at which a tile begins, in px.

    Args:
        place: number of the tile.
        side: side of a tile in px.
    """
    return place // 2 * side, place % 2 * side


def draw_mosaic(tiles: Sequence[NDArray[Value]]) -> NDArray[Value]:
    """Draw a mosaic.

    Args:
        tiles: four of (side, side) or (side, side, channels), in order.

    Returns:
        (2 * side, 2 * side) or (2 * side, 2 * side, channels).
    """
    side = len(tiles[0])
    mosaic = np.empty((2 * side, 2 * side, *tiles[0].shape[2:]), tiles[0].dtype)
    for place, tile in enumerate(tiles):
        top, left = tile_corner(place, side)
        mosaic[top : top + side, left : left + side] = tile
    return mosaic
