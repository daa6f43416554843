"""Marks of a user in a picture: turns a mask, a box or a click into the part's pixels."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from affordance_grounding_core.errors import TeachingError

CLICK_RADIUS = 0.04
"""Radius of a click where none is given, as a share of the picture's longer side."""


@dataclass(frozen=True)
class Mark:
    """The marked part of a picture.

    Attributes:
        mask: (H, W) bool, the pixels of the part; at least one.
        description: how it was marked, for lists: "box 10 20 30 40".
    """

    mask: NDArray[np.bool_]
    description: str


def mark_mask(mask: NDArray[np.uint8] | NDArray[np.bool_], height: int, width: int) -> Mark:
    """Mark the part by a picture of it.

    Args:
        mask: (H, W) uint8 where values of 128 and above belong to the part, or bool.
        height: height of the picture that is marked, in px.
        width: width of the picture that is marked, in px.

    Raises:
        TeachingError: a mask of another size or type, or one without the part or all part.
    """
    if mask.ndim != 2 or mask.dtype not in (np.bool_, np.uint8):
        raise TeachingError(
            f"a mask must have shape (H, W) and type bool or uint8, got shape {mask.shape} and "
            f"type {mask.dtype}; save it as a grey picture"
        )
    if mask.shape != (height, width):
        raise TeachingError(
            f"the mask is {mask.shape[1]} x {mask.shape[0]} px, the picture {width} x {height} "
            "px; they must have the same size: mark the picture itself, not a scaled copy"
        )
    chosen = mask if mask.dtype == np.bool_ else mask >= 128
    if not chosen.any():
        raise TeachingError(
            "the mask is empty: no pixel is 128 or above; paint the part white on black"
        )
    return Mark(chosen.astype(np.bool_), f"mask of {int(chosen.sum())} px")


def mark_box(x: int, y: int, box_width: int, box_height: int, height: int, width: int) -> Mark:
    """Mark the part by a box.

    Args:
        x: leftmost column of the box, from 0.
        y: topmost row.
        box_width: width of the box in px, at least 1.
        box_height: height of the box in px, at least 1.
        height: height of the picture that is marked, in px.
        width: width of the picture that is marked, in px.

    Raises:
        TeachingError: a box without pixels, or not wholly inside the picture.
    """
    if box_width < 1 or box_height < 1:
        raise TeachingError(
            f"a box needs a width and a height of at least 1 px, got {box_width} x {box_height}; "
            "give X Y WIDTH HEIGHT"
        )
    if x < 0 or y < 0 or x + box_width > width or y + box_height > height:
        raise TeachingError(
            f"box {x} {y} {box_width} {box_height} (X Y WIDTH HEIGHT) is not inside the picture "
            f"of {width} x {height} px; it must end by column {width} and row {height}"
        )
    mask = np.zeros((height, width), np.bool_)
    mask[y : y + box_height, x : x + box_width] = True
    return Mark(mask, f"box {x} {y} {box_width} {box_height}")


def mark_click(x: float, y: float, radius: float | None, height: int, width: int) -> Mark:
    """Mark the part by a point and a radius around it.

    Args:
        x: column, px; the centre of the top-left pixel is 0.
        y: row, px.
        radius: px; `CLICK_RADIUS` of the longer side where None. What of the disc lies outside
            the picture is left out.
        height: height of the picture that is marked, in px.
        width: width of the picture that is marked, in px.

    Raises:
        TeachingError: a point outside the picture, or a radius that is not above 0 and finite.
    """
    if not (-0.5 <= x < width - 0.5 and -0.5 <= y < height - 0.5):
        raise TeachingError(
            f"click {x:g} {y:g} (X Y) is not inside the picture of {width} x {height} px; X must "
            f"lie in [0, {width - 1}] and Y in [0, {height - 1}]"
        )
    used = CLICK_RADIUS * max(height, width) if radius is None else radius
    if not 0.0 < used <= 2.0 * (height + width):
        raise TeachingError(
            f"the radius of a click must be a number of px above 0 and at most "
            f"{2 * (height + width)}, got {used:g}"
        )
    rows, columns = np.ogrid[:height, :width]
    mask = (columns - x) ** 2 + (rows - y) ** 2 <= used**2
    mask[min(height - 1, round(y)), min(width - 1, round(x))] = True
    return Mark(np.asarray(mask, np.bool_), f"click {x:g} {y:g} radius {used:g}")


def patch_coverage(
    mask: NDArray[np.bool_], window: tuple[int, int, int, int], rows: int, columns: int, patch: int
) -> NDArray[np.float32]:
    """Share of every patch of the network input that a mask covers.

    Args:
        mask: (H, W) bool over the picture.
        window: top, left, height and width of the picture in the network input, in px.
        rows: number of rows of patches.
        columns: number of columns of patches.
        patch: side of a patch in px.

    Returns:
        (rows, columns) float32 in [0, 1]; padding around the picture is covered by nothing.
    """
    top, left, height, width = window
    shrinks = height <= mask.shape[0] and width <= mask.shape[1]
    method = cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR
    resized = cv2.resize(mask.astype(np.float32), (width, height), interpolation=method)
    canvas = np.zeros((rows * patch, columns * patch), np.float32)
    canvas[top : top + height, left : left + width] = resized
    blocks = canvas.reshape(rows, patch, columns, patch)
    return np.asarray(np.clip(blocks.mean(axis=(1, 3)), 0.0, 1.0), np.float32)
