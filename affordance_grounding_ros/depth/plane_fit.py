"""The plane that fits a patch of points best, without the points that do not belong to it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

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
        """Where a viewing ray meets the plane.

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
