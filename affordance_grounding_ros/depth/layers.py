"""Which of the surfaces behind a region's pixels is the one to grasp."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

_RELATIVE_GAP = 0.015
"""A step in depth of this share of the distance can part two surfaces."""

_LEAST_GAP = 0.01
"""Metres; below it, steps are noise or the object's own shape."""

_EMPTY = 0.03
"""A depth between two surfaces is empty if it holds less than this share of the fullest one's
heat; a few flying pixels at the edge of an object do not fill it."""

_PIXELS_PER_BIN = 8
"""Fewer, and chance leaves bins empty on one steep surface."""


def nearest_layer(
    depth: NDArray[np.float64], heat: NDArray[np.float64], *, least_share: float = 0.25
) -> NDArray[np.bool_]:
    """Choose the nearest surface that a region can mean.

    A heatmap's region spills over the edge of a thin object onto what is behind it. A median
    over both lies on either by chance; a mean lies in the air between them. Depths are
    therefore parted where no heat is, and the nearest part that holds a fair share of the heat
    is taken: what is in front is what a hand meets first.

    Args:
        depth: (N,) metres, finite, above 0.
        heat: (N,) above 0.
        least_share: of the region's heat that the surface must hold; where none does, the one
            that holds most is taken.

    Returns:
        (N,) whether a pixel belongs to it; at least one does.
    """
    near, far = float(depth.min()), float(depth.max())
    width = max(_LEAST_GAP, _RELATIVE_GAP * float(np.median(depth)))
    count = int(min((far - near) / width, depth.size / _PIXELS_PER_BIN))
    if count < 3:
        return np.ones(depth.shape, np.bool_)
    bins = np.minimum(((depth - near) / (far - near) * count).astype(np.int64), count - 1)
    filled = np.bincount(bins, heat, count)
    full = filled >= _EMPTY * filled.max()
    # A layer is a run of full bins; where one begins, its number goes up.
    begins = full & ~np.concatenate([[False], full[:-1]])
    layer_of_bin = np.where(full, np.cumsum(begins) - 1, -1)
    shares = np.bincount(layer_of_bin[full], filled[full]) / heat.sum()
    fair = np.flatnonzero(shares >= least_share)
    chosen = int(fair[0]) if fair.size else int(shares.argmax())
    return np.asarray(layer_of_bin[bins] == chosen, np.bool_)


def weighted_median(values: NDArray[np.float64], weights: NDArray[np.float64]) -> float:
    """Value that halves the weight.

    Args:
        values: (N,), N at least 1.
        weights: (N,), at least 0, not all 0.
    """
    order = np.argsort(values, kind="stable")
    passed = np.cumsum(weights[order])
    return float(values[order][np.searchsorted(passed, 0.5 * passed[-1])])
