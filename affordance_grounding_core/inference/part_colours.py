"""Where a part ends, told by the picture: its colours against those around it.

A part mask is drawn on the grid of the backbone's patches, coarser than the picture. The colours
that it covers more than its surroundings do belong to the part: they lower the value that the mask
needs there, and the others raise it. Histograms of both as in Boykov and Jolly (ICCV 2001), without
their cut: a threshold for every pixel is all that changes.
"""

from __future__ import annotations

from typing import Any, TypeVar, cast

import cv2
import numpy as np
from numpy.typing import NDArray

from affordance_grounding_core.images.arrays import RgbImage

_LEVELS = 16
"""Levels of each channel of CIELAB in a histogram."""
_MARGIN = 0.3
"""Surroundings on every side, as a share of the part's longer side."""
_SIDE = 128
"""Longest side of what is looked at, in px; a larger piece of the picture is reduced."""
_RARE = 1e-4
"""Share that every colour has everywhere, so that one pixel decides nothing."""


def colour_thresholds(
    image: RgbImage,
    part_mask: NDArray[np.float32],
    part: NDArray[np.bool_],
    threshold: float,
    weight: float,
) -> tuple[tuple[slice, slice], NDArray[np.float32]]:
    """Value of a part mask from which a pixel belongs to the part, around a part.

    With the log-likelihood ratio r of the pixel's colour between part and surroundings, it is the
    value whose log-odds are those of `threshold` less `weight` * r.

    Args:
        image: as the camera or a file gave it.
        part_mask: (H, W) float32 in [0, 1], how sure each pixel belongs to the part.
        part: (H, W) bool, the part so far, at least one pixel.
        threshold: value of the mask where colours say nothing, in (0, 1).
        weight: of the colours against the mask, at least 0.

    Returns:
        Rows and columns around the part, and the value for each of their pixels, float32 in
        [0, 1].
    """
    x, y, width, height = cv2.boundingRect(part.view(np.uint8))
    margin = round(_MARGIN * max(width, height)) + 1
    rows = slice(max(0, y - margin), y + height + margin)
    columns = slice(max(0, x - margin), x + width + margin)
    piece, values = image[rows, columns], part_mask[rows, columns]
    shape = piece.shape[:2]
    scale = _SIDE / max(shape)
    if scale < 1.0:
        size = (max(1, round(shape[1] * scale)), max(1, round(shape[0] * scale)))
        piece, values = _reduced(piece, size), _reduced(values, size)
    ratio = _colour_ratio(np.ascontiguousarray(piece), values, threshold)
    against = (1.0 - threshold) / threshold * np.exp(np.clip(weight * ratio, -60.0, 60.0))
    needed = np.asarray(1.0 / (1.0 + against), np.float32)
    if scale < 1.0:
        whole = cv2.resize(needed, (shape[1], shape[0]), interpolation=cv2.INTER_LINEAR)
        needed = np.asarray(whole, np.float32)
    return (rows, columns), needed


_Array = TypeVar("_Array", bound=NDArray[Any])


def _reduced(values: _Array, size: tuple[int, int]) -> _Array:
    return cast(_Array, cv2.resize(values, size, interpolation=cv2.INTER_AREA))


def _colour_ratio(
    image: RgbImage, part_mask: NDArray[np.float32], threshold: float
) -> NDArray[np.float32]:
    """Log-likelihood ratio of each pixel's colour between part and surroundings."""
    lab = cv2.cvtColor(image, cv2.COLOR_RGB2LAB).astype(np.int32) * _LEVELS // 256
    bins = (lab[..., 0] * _LEVELS + lab[..., 1]) * _LEVELS + lab[..., 2]
    # A pixel at the threshold counts half for the part and half for the surroundings.
    inside = part_mask * (1.0 - threshold)
    inside = inside / (inside + (1.0 - part_mask) * threshold)
    part, around = (_histogram(bins, weights) for weights in (inside, 1.0 - inside))
    ratio = np.log(part / around).astype(np.float32)[bins]
    return np.asarray(cv2.blur(ratio, (3, 3)))


def _histogram(bins: NDArray[np.int32], weights: NDArray[np.floating]) -> NDArray[np.float64]:
    """Share of each colour and its neighbours, (levels^3,) float64, none of them zero."""
    counts = np.asarray(np.bincount(bins.ravel(), weights.ravel(), _LEVELS**3), np.float64)
    cube = counts.reshape(_LEVELS, _LEVELS, _LEVELS)
    for _ in range(3):  # every channel once
        cube = np.moveaxis(cube, 0, -1)
        spread = np.copy(cube)
        spread[..., 1:] += 0.5 * cube[..., :-1]
        spread[..., :-1] += 0.5 * cube[..., 1:]
        cube = spread
    flat = cube.ravel()
    return np.asarray(flat / max(float(flat.sum()), 1e-9) + _RARE)
