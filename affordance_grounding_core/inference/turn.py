"""Pictures of turned cameras, upright for the network; its answers, back in their own pixels."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any, Literal, TypeAlias, TypeVar, cast, get_args

import cv2
import numpy as np
from numpy.typing import NDArray

from affordance_grounding_core.inference.result import AffordanceRegion, Box

ImageTurn: TypeAlias = Literal[0, 90, 180, 270]
"""Degrees counterclockwise by which a picture is turned so that up is at its top."""

_Array = TypeVar("_Array", bound=NDArray[Any])

_QUARTERS = {
    1: cv2.ROTATE_90_COUNTERCLOCKWISE,
    2: cv2.ROTATE_180,
    3: cv2.ROTATE_90_CLOCKWISE,
}
"""Quarter turns counterclockwise, in the words of OpenCV, whose copy of a colour image takes a
fiftieth of the time of NumPy's."""


def parse_image_turn(turn: int | str) -> ImageTurn:
    """Check a turn.

    Args:
        turn: degrees counterclockwise: 0, 90, 180 or 270.

    Raises:
        ValueError: another value.
    """
    for known in get_args(ImageTurn):
        if str(turn) == str(known):
            return cast(ImageTurn, known)
    raise ValueError(
        f"image_turn must be one of {list(get_args(ImageTurn))}, the degrees counterclockwise that "
        f"bring a picture upright, got {turn!r}"
    )


def upright(picture: _Array, turn: int) -> _Array:
    """Turn a picture so that up is at its top.

    Args:
        picture: (H, W) or (H, W, 3), as the camera gave it.
        turn: see `ImageTurn`.

    Returns:
        The picture itself where nothing is turned, otherwise a contiguous copy.

    Raises:
        ValueError: another turn.
    """
    return _turned(picture, parse_image_turn(turn) // 90)


def maps_as_taken(maps: _Array, turn: int) -> _Array:
    """Turn maps of an upright picture back, pixel for pixel.

    Args:
        maps: (H, W) or (K, H, W) over the upright picture.
        turn: as given to `upright`.

    Returns:
        The maps themselves where nothing is turned, otherwise a contiguous copy.
    """
    back = -(parse_image_turn(turn) // 90)
    if maps.ndim == 2 or not back:
        return _turned(maps, back)
    return cast(_Array, np.stack([_turned(one, back) for one in maps]))


def regions_as_taken(
    regions: list[AffordanceRegion], turn: int, height: int, width: int
) -> list[AffordanceRegion]:
    """Turn regions of an upright picture back.

    Args:
        regions: regions of the upright picture.
        turn: as given to `upright`.
        height: height of the upright picture, in px.
        width: width of the upright picture, in px.
    """
    for _ in range(parse_image_turn(turn) // 90):
        regions = [_clockwise(region, height) for region in regions]
        height, width = width, height
    return regions


def _clockwise(region: AffordanceRegion, height: int) -> AffordanceRegion:
    """A region after a quarter turn clockwise of its picture, which was `height` px high."""
    box, oriented = region.box, region.oriented_box
    quarter = math.pi / 2
    return replace(
        region,
        box=Box(height - box.y - box.height, box.x, box.height, box.width),
        oriented_box=replace(
            oriented,
            center_x=height - 1 - oriented.center_y,
            center_y=oriented.center_x,
            angle=oriented.angle + (quarter if oriented.angle <= 0.0 else -quarter),
        ),
        centroid=(height - 1 - region.centroid[1], region.centroid[0]),
        mask=_turned(region.mask, -1),
    )


def _turned(picture: _Array, quarters: int) -> _Array:
    """A contiguous copy after quarter turns counterclockwise; the picture itself after none."""
    if not quarters % 4:
        return picture
    plain = np.ascontiguousarray(picture)
    values = plain.view(np.uint8) if plain.dtype == np.bool_ else plain
    turned = np.asarray(cv2.rotate(values, _QUARTERS[quarters % 4]))
    return cast(_Array, turned.view(plain.dtype))
