"""The plane that fits a patch of points best, without the points that do not belong to it."""

from __future__ import annotations

from dataclasses import dataclass

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
        least_share: share of the region's heat that the surface must hold; where none does, the one
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


_ROUNDS = 4
_REJECTED_DEVIATIONS = 2.5
_LEAST_TOLERANCE = 0.001
"""Metres; depth cameras are hardly better, and exact planes need a tolerance too."""

_LEAST_ASPECT = 0.02
"""Breadth of a patch by its length, below which the patch is a line and has no normal."""

_STEEPEST = 0.17
"""Cosine between normal and view (80 degrees), below which the fit has followed noise in depth:
a real surface seen that edge-on hardly has pixels."""


@dataclass(frozen=True)
class Plane:
    """A plane in the camera's optical frame.

    Attributes:
        point: (3,) float64, metres; the middle of the points it was fitted to.
        normal: (3,) float64, of length 1, towards the camera.
        deviation: root mean square distance of the points it was fitted to, metres.
    """

    point: NDArray[np.float64]
    normal: NDArray[np.float64]
    deviation: float

    def hit_by(self, ray: NDArray[np.float64]) -> NDArray[np.float64] | None:
        """Intersect a viewing ray with the plane.

        Args:
            ray: (3,), from the camera.

        Returns:
            (3,) metres; None where the ray runs along the plane or away from it.
        """
        towards = float(self.normal @ ray)
        if towards > -1e-3 * float(np.linalg.norm(ray)):
            return None
        distance = float(self.normal @ self.point) / towards
        return ray * distance if distance > 0.0 else None


def fit_plane(points: NDArray[np.float64]) -> Plane:
    """Fit a plane by least squares of the distances, rejecting outliers in a few rounds.

    Where the points lie on a line, as on a wire one pixel wide, every plane through it fits;
    the one that faces the camera is taken. So it is where the fit stands edge-on.

    Args:
        points: (N, 3) metres, finite, N at least 3.
    """
    kept = points
    middle, normal = _least_squares(kept)
    for _ in range(_ROUNDS):
        distances = np.abs((points - middle) @ normal)
        spread = 1.4826 * float(np.median(np.abs((kept - middle) @ normal)))
        inside = distances <= max(_LEAST_TOLERANCE, _REJECTED_DEVIATIONS * spread)
        if inside.sum() < 3 or inside.sum() == len(kept):
            break
        kept = points[inside]
        middle, normal = _least_squares(kept)
    deviation = float(np.sqrt(np.mean(((kept - middle) @ normal) ** 2)))
    return Plane(middle, normal, deviation)


def _least_squares(points: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    middle = points.mean(axis=0)
    # The 3 x 3 scatter is as exact as needed here, and quick for any number of points.
    offsets = points - middle
    sizes, axes = np.linalg.eigh(offsets.T @ offsets)
    view = middle / np.linalg.norm(middle)
    normal = axes[:, 0]
    is_line = sizes[1] <= _LEAST_ASPECT**2 * sizes[2]
    if is_line or abs(float(normal @ view)) < _STEEPEST:
        along = axes[:, 2]
        normal = view - along * float(view @ along)
        length = float(np.linalg.norm(normal))
        normal = normal / length if length > 1e-6 else view
    return middle, -normal if float(normal @ view) > 0.0 else normal
