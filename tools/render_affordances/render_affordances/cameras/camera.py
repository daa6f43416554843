"""Cameras: where they stand, what they see of an object. Pure numpy."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.random import Generator
from numpy.typing import ArrayLike

from render_affordances.meshes.geometry import turn_matrix
from render_affordances.meshes.model import Array

SENSOR = 36.0
"""Side of the square sensor in mm; focal lengths are those of a camera for 35 mm film."""

NEAR = 0.004
"""Nothing nearer than this (in metres) is drawn."""


@dataclass(frozen=True)
class Camera:
    """A pinhole camera with a square picture.

    Attributes:
        position: (3,) of the pinhole, in metres.
        rotation: (3, 3) whose columns are the camera's right, up and backward directions.
        focal: length in mm on a sensor of `SENSOR` mm.
        principal_point: where in the picture the camera looks straight ahead, x to the right
            and y downwards; off the middle, the picture is one cut out of a larger picture.
    """

    position: Array
    rotation: Array
    focal: float
    principal_point: tuple[float, float] = (0.5, 0.5)

    def project(self, points: ArrayLike) -> tuple[Array, Array]:
        """Find where points appear.

        Args:
            points: (N, 3) in metres.

        Returns:
            (N, 2) x to the right and y downwards, where 0 to 1 is the picture; and (N,) depths
            in metres, not positive behind the camera (whose x and y mean nothing).
        """
        seen = (np.asarray(points, dtype=np.float64) - self.position) @ self.rotation
        depth = -seen[:, 2]
        scale = self.focal / SENSOR / np.maximum(depth, 1e-9)
        x, y = self.principal_point
        return np.stack([x + seen[:, 0] * scale, y - seen[:, 1] * scale], axis=1), depth

    def share_in_frame(self, points: ArrayLike, margin: float = 0.0) -> float:
        """Share of points inside the picture, at least `margin` (0 to .5) from its border."""
        where, depth = self.project(points)
        inside = (where >= margin) & (where <= 1 - margin)
        return float(np.mean(inside.all(axis=1) & (depth > NEAR)))


def look_at(position: ArrayLike, target: ArrayLike, focal: float, roll: float = 0.0) -> Camera:
    """Point a camera at something.

    Args:
        position: (3,) of the camera.
        target: (3,) that appears in the middle; not the position itself.
        focal: length in mm.
        roll: rotation about the line of sight, in degrees.
    """
    place, aim = np.asarray(position, dtype=np.float64), np.asarray(target, dtype=np.float64)
    back = (place - aim) / np.linalg.norm(place - aim)
    above = np.array([0.0, 0.0, 1.0]) if abs(back[2]) < 0.999 else np.array([0.0, 1.0, 0.0])
    right = np.cross(above, back)
    right /= np.linalg.norm(right)
    rotation = np.stack([right, np.cross(back, right), back], axis=1)
    return Camera(place, rotation @ turn_matrix("z", roll), focal)


def direction(azimuth: float, elevation: float) -> Array:
    """Unit vector at an azimuth (0 is +x, 90 is +y) and an elevation, both in degrees."""
    a, e = np.deg2rad(azimuth), np.deg2rad(elevation)
    return np.array([np.cos(a) * np.cos(e), np.sin(a) * np.cos(e), np.sin(e)])


def framed(
    points: Array, towards: Array, focal: float, fill: float, roll: float, shift: ArrayLike
) -> Camera:
    """Stand as far off as makes points fill a share of the picture.

    The camera looks straight at the points; where they appear is a matter of which part of its
    picture is cut out, so that neither what is seen of them nor their size depends on it.

    Args:
        points: (N, 3) to frame.
        towards: (3,) unit vector from the points to the camera.
        focal: length in mm.
        fill: larger side of the points' bounding box in the picture, as a share of its side;
            above 0.
        roll: in degrees.
        shift: (2,) how far from the middle, from -1 to 1: 1 puts the box at the border.

    Returns:
        A camera at least 2 `NEAR` before all the points. They fill less than `fill` only where
        that would take it nearer, as with a needle seen from its point.
    """
    rotation = look_at(towards, np.zeros(3), focal, roll).rotation
    seen = points @ rotation
    low, high = seen.min(axis=0), seen.max(axis=0)
    middle = (low + high) / 2
    distance = _filling_distance(seen - [middle[0], middle[1], high[2]], focal, fill)
    position = rotation @ [middle[0], middle[1], high[2] + distance]
    where, _ = Camera(position, rotation, focal).project(points)
    box_low, box_high = where.min(axis=0), where.max(axis=0)
    room = np.maximum(1 - (box_high - box_low), 0) / 2
    x, y = 0.5 + np.asarray(shift) * room + 0.5 - (box_low + box_high) / 2
    return Camera(position, rotation, focal, (float(x), float(y)))


def _filling_distance(seen: Array, focal: float, fill: float) -> float:
    """Distance from the nearest point at which the larger side of the points is as asked.

    Args:
        seen: (N, 3) to the camera's right, up and backward; the line of sight is in the middle
            of the first two, the nearest point at 0. With points on both sides of the line of
            sight, either side of them gets smaller with the distance.
        focal: length in mm.
        fill: larger side, as a share of the picture's side.
    """
    across, depth = seen[:, :2] * focal / SENSOR, -seen[:, 2:]
    near = 2 * NEAR
    # As far off as would do if all points were as near as the nearest.
    far = max(float(np.ptp(across, axis=0).max()) / fill, near)
    for _ in range(60):
        distance = (near + far) / 2
        if float(np.ptp(across / (depth + distance), axis=0).max()) > fill:
            near = distance
        else:
            far = distance
    return far


def blur_limit(camera: Camera, points: Array, sharpness: float) -> float:
    """Smallest f-number that keeps an object sharp enough.

    Args:
        camera: as it stands.
        points: (N, 3) of the object; the focus is on the middle of their depths.
        sharpness: largest circle of confusion as a share of the picture's side.
    """
    _, depth = camera.project(points)
    focus = max(float(np.median(depth)), 2 * NEAR)
    spread = float(np.abs(depth - focus).max())
    focal = camera.focal / 1000
    farthest = max(focus - spread, NEAR)
    circle = focal**2 * spread / (farthest * max(focus - focal, focal))
    return max(circle / (sharpness * SENSOR / 1000), 0.8)


def random_focal(random: Generator) -> float:
    """A focal length between 24 and 85 mm, evenly spread over its logarithm."""
    return float(np.exp(random.uniform(np.log(24.0), np.log(85.0))))
