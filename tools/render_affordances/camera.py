"""Cameras: where they stand, what they see of an object. Pure numpy."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.random import Generator
from numpy.typing import ArrayLike

from tools.render_affordances.geometry import turn_matrix
from tools.render_affordances.model import Array

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
    """

    position: Array
    rotation: Array
    focal: float

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
        return np.stack([0.5 + seen[:, 0] * scale, 0.5 - seen[:, 1] * scale], axis=1), depth

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

    Args:
        points: (N, 3) to frame.
        towards: (3,) unit vector from the points to the camera.
        focal: length in mm.
        fill: larger side of the points' bounding box in the picture, as a share of its side.
        roll: in degrees.
        shift: (2,) how far from the middle, from -1 to 1: 1 puts the box at the border.

    Returns:
        A camera in front of all the points.
    """
    middle = (points.min(axis=0) + points.max(axis=0)) / 2
    nearest = float(((points - middle) @ towards).max()) + 2 * NEAR
    low, high = nearest, nearest + 400.0 * float(np.ptp(points, axis=0).max() + 1e-3)
    for _ in range(40):
        distance = (low + high) / 2
        where, _ = look_at(middle + distance * towards, middle, focal, roll).project(points)
        if float(np.ptp(where, axis=0).max()) > fill:
            low = distance
        else:
            high = distance
    camera = look_at(middle + high * towards, middle, focal, roll)
    where, _ = camera.project(points)
    box_low, box_high = where.min(axis=0), where.max(axis=0)
    room = np.maximum(1 - (box_high - box_low), 0) / 2
    wanted = 0.5 + np.asarray(shift, dtype=np.float64) * room
    move = (wanted - (box_low + box_high) / 2) * high * SENSOR / focal
    offset = camera.rotation @ np.array([-move[0], move[1], 0.0])
    return Camera(camera.position + offset, camera.rotation, focal)


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
