"""Grasp poses of regions: a point on the surface and a frame of approach.

Convention of the pose, in the camera's optical frame (REP 103: x right, y down, z forward):

- the origin lies on the surface, under the region's heat;
- z is the approach axis: along the surface normal, into the surface, away from the camera;
- x runs along the region's long side in the surface, to the right in the image (downwards where
  the side is upright);
- y completes the right-handed frame: along the short side, the way a gripper's fingers close.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from affordance_grounding_core.inference.result import AffordanceRegion
from affordance_grounding_ros.depth.camera_model import CameraModel
from affordance_grounding_ros.depth.image import DepthImage
from affordance_grounding_ros.depth.plane_fit import (
    Plane,
    fit_plane,
    nearest_layer,
    weighted_median,
)
from affordance_grounding_ros.depth.rotations import quaternion_of

_PIXELS_OF_THE_POINT = 25
"""How many pixels under the heat decide at what depth the surface is."""

_MOST_PIXELS = 16384
"""How many pixels of a region are looked at, so that one as large as the image costs no more."""


@dataclass(frozen=True)
class GraspConfig:
    """How grasps are computed.

    Attributes:
        maximum_depth: metres; measurements beyond it do not count.
        patch_radius: metres around the grasp point whose surface gives the normal.
        least_pixels: pixels with depth that a region needs to get a pose; at least 3.
    """

    maximum_depth: float = 20.0
    patch_radius: float = 0.03
    least_pixels: int = 6

    def __post_init__(self) -> None:
        for name in ("maximum_depth", "patch_radius"):
            value = getattr(self, name)
            if not np.isfinite(value) or value <= 0.0:
                raise ValueError(f"{name} must be a finite number of metres above 0, got {value}")
        if self.least_pixels < 3:
            raise ValueError(
                f"least_pixels must be at least 3, got {self.least_pixels}: three points make a "
                "plane"
            )


@dataclass(frozen=True)
class Grasp:
    """Grasp pose of one region, in the module's convention.

    Attributes:
        position: (3,) float64, metres.
        quaternion: (4,) float64, x y z w, of length 1, w not negative.
        length: extent of the region along x, metres.
        width: width of the region along y, metres.
    """

    position: NDArray[np.float64]
    quaternion: NDArray[np.float64]
    length: float
    width: float


class NoGraspError(ValueError):
    """A region whose depth is not enough for a pose; the message says what is missing."""


def grasp_of_region(
    region: AffordanceRegion,
    heatmap: NDArray[np.float32],
    depth: DepthImage,
    camera: CameraModel,
    config: GraspConfig | None = None,
) -> Grasp:
    """Compute where and how to grasp a region.

    Args:
        region: region in pixels of the image.
        heatmap: (H, W) float32 in [0, 1].
        depth: registered to the image.
        camera: camera that took the image.
        config: the defaults where None.

    Raises:
        NoGraspError: too few pixels of the region have depth.
    """
    config = config or GraspConfig()
    rows, columns = _pixels_of(region)
    measured = depth.at(columns, rows).astype(np.float64)
    rays = camera.rays(columns, rows)
    valid = np.isfinite(measured) & np.isfinite(rays).all(axis=-1)
    _check_enough(measured, valid, config)
    valid &= measured <= config.maximum_depth
    rows, columns, measured, rays = rows[valid], columns[valid], measured[valid], rays[valid]
    # Heat may be 0 where the threshold is low; every pixel counts a little.
    heat = heatmap[rows, columns].astype(np.float64) + 1e-6
    layer = nearest_layer(measured, heat)
    rows, columns, measured = rows[layer], columns[layer], measured[layer]
    rays, heat = rays[layer], heat[layer]

    points = rays * measured[:, None]
    around = _pixels_under_the_heat(columns, rows, heat)
    seed = int(around[0])
    # One bad pixel must not decide where the surface is; its neighbours have a say.
    depth_around = weighted_median(measured[around], heat[around])
    patch = _patch_around(points, rays[seed], depth_around, config)
    plane = fit_plane(patch)
    position = plane.hit_by(rays[seed])
    # Where the surface is no plane, the ray may meet its plane far from every measurement.
    if position is None or not patch[:, 2].min() <= position[2] <= patch[:, 2].max():
        position = rays[seed] * depth_around
    along = _along_the_long_side(region, plane, camera, columns[seed], rows[seed])
    into = -plane.normal
    rotation = np.stack([along, np.cross(into, along), into], axis=1)
    length, width = _extent(points, position, rotation)
    return Grasp(position, quaternion_of(rotation), length, width)


def _pixels_of(region: AffordanceRegion) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Rows and columns of a region; of a large one evenly spread pixels stand for all."""
    rows, columns = np.nonzero(region.mask)
    if rows.size > _MOST_PIXELS:
        chosen = np.linspace(0, rows.size - 1, _MOST_PIXELS).astype(np.int64)
        rows, columns = rows[chosen], columns[chosen]
    return rows + region.box.y, columns + region.box.x


def _check_enough(
    measured: NDArray[np.float64], valid: NDArray[np.bool_], config: GraspConfig
) -> None:
    near_enough = valid & (np.where(valid, measured, np.inf) <= config.maximum_depth)
    count = int(near_enough.sum())
    if count >= config.least_pixels:
        return
    hint = "the surface gives no depth: too close, too far, dark, shiny or transparent"
    if valid.any() and not count:
        hint = (
            f"the nearest is at {float(measured[valid].min()):g} m, beyond "
            f"{config.maximum_depth:g} m: 32FC1 is metres and 16UC1 millimetres (REP 118), or "
            "raise 'depth_maximum'"
        )
    raise NoGraspError(
        f"{count} of the region's {measured.size} pixels have usable depth; expected at least "
        f"{config.least_pixels}: {hint}"
    )


def _pixels_under_the_heat(
    columns: NDArray[np.int64], rows: NDArray[np.int64], heat: NDArray[np.float64]
) -> NDArray[np.int64]:
    """The pixels nearest to the middle of the heat, which itself may lie beside a curved handle."""
    total = heat.sum()
    middle = float(columns @ heat) / total, float(rows @ heat) / total
    distances = (columns - middle[0]) ** 2 + (rows - middle[1]) ** 2
    count = min(_PIXELS_OF_THE_POINT, distances.size)
    nearest = np.argpartition(distances, count - 1)[:count]
    return nearest[np.argsort(distances[nearest], kind="stable")]


def _patch_around(
    points: NDArray[np.float64],
    ray: NDArray[np.float64],
    depth_around: float,
    config: GraspConfig,
) -> NDArray[np.float64]:
    """Points of the surface around the grasp point; more of them where they are few."""
    distances = np.linalg.norm(points - ray * depth_around, axis=-1)
    close = distances <= config.patch_radius
    wanted = min(len(points), 4 * config.least_pixels)
    if close.sum() < wanted:
        close = distances <= np.partition(distances, wanted - 1)[wanted - 1]
    return np.asarray(points[close], np.float64)


def _along_the_long_side(
    region: AffordanceRegion, plane: Plane, camera: CameraModel, column: float, row: float
) -> NDArray[np.float64]:
    """The direction in the plane that the camera sees along the region's long side."""
    angle = region.oriented_box.angle
    ends = camera.rays(
        np.array([column - np.cos(angle), column + np.cos(angle)]),
        np.array([row - np.sin(angle), row + np.sin(angle)]),
    )
    if not np.isfinite(ends).all():
        ends = np.array([[0.0, 0.0, 1.0], [np.cos(angle), np.sin(angle), 1.0]])
    # Camera and long side span a plane; it cuts the surface along the direction sought.
    along = np.cross(plane.normal, np.cross(ends[0], ends[1]))
    if float(along @ (ends[1] - ends[0])) < 0.0:
        along = -along
    # Edge-on, the cut may vanish; the nearest direction in the surface serves as well.
    if np.linalg.norm(along) < 1e-9:
        along = (ends[1] - ends[0]) - plane.normal * float(plane.normal @ (ends[1] - ends[0]))
    if np.linalg.norm(along) < 1e-12:
        along = np.linalg.svd(plane.normal[None])[2][1]
    unit: NDArray[np.float64] = along / np.linalg.norm(along)
    return unit


def _extent(
    points: NDArray[np.float64], position: NDArray[np.float64], rotation: NDArray[np.float64]
) -> tuple[float, float]:
    """Size of the surface along x and y of the grasp, without its outermost pixels."""
    local = (points - position) @ rotation[:, :2]
    low, high = np.percentile(local, [2.0, 98.0], axis=0)
    return float(high[0] - low[0]), float(high[1] - low[1])
