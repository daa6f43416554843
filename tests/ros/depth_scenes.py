"""Surfaces seen by an ideal depth camera, for the tests of depth."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from affordance_grounding_core.inference.regions import RegionConfig, extract_regions
from affordance_grounding_core.inference.result import AffordanceRegion
from affordance_grounding_ros.depth.camera_model import CameraModel

CAMERA = CameraModel(160, 120, 140.0, 140.0, 79.5, 59.5)


def pixel_rays(camera: CameraModel = CAMERA) -> NDArray[np.float64]:
    """(H, W, 3) viewing rays of all pixels, z = 1."""
    rows, columns = np.indices((camera.height, camera.width))
    return camera.rays(columns, rows)


def plane_depth(
    point: NDArray[np.float64], normal: NDArray[np.float64], camera: CameraModel = CAMERA
) -> NDArray[np.float32]:
    """(H, W) depth of a plane; NaN where it is not seen."""
    with np.errstate(divide="ignore", invalid="ignore"):
        depth = float(normal @ point) / (pixel_rays(camera) @ normal)
    return np.where(depth > 0.0, depth, np.nan).astype(np.float32)


def cylinder_depth(
    point: NDArray[np.float64],
    axis: NDArray[np.float64],
    radius: float,
    camera: CameraModel = CAMERA,
) -> NDArray[np.float32]:
    """(H, W) depth of an endless cylinder; NaN beside it."""
    rays = pixel_rays(camera)
    # |(s * ray - point) without its part along the axis| = radius, solved for s.
    across_rays = rays - (rays @ axis)[..., None] * axis
    across_point = point - float(point @ axis) * axis
    a = (across_rays**2).sum(-1)
    b = across_rays @ across_point
    c = float(across_point @ across_point) - radius**2
    with np.errstate(invalid="ignore"):
        return ((b - np.sqrt(b**2 - a * c)) / a).astype(np.float32)


@dataclass(frozen=True)
class Patch:
    """A region of an image and the heat on it.

    Attributes:
        region: the only one of the heatmap.
        heatmap: (H, W) float32.
    """

    region: AffordanceRegion
    heatmap: NDArray[np.float32]


def patch(mask: NDArray[np.bool_], heat: float = 0.9) -> Patch:
    """A patch of even heat; the largest piece of a mask, as thin ellipses have loose tips."""
    heatmap = (mask * heat).astype(np.float32)
    config = RegionConfig(threshold=0.5, minimum_area=0.0, maximum_regions=1)
    (region,), kept = extract_regions(heatmap, config)
    return Patch(region, heatmap * kept)


def ellipse(
    column: float, row: float, length: float, width: float, angle: float = 0.0
) -> NDArray[np.bool_]:
    """(H, W) mask of an ellipse, its half axes in px, its long one at `angle`."""
    rows, columns = np.indices((CAMERA.height, CAMERA.width))
    along = (columns - column) * np.cos(angle) + (rows - row) * np.sin(angle)
    across = -(columns - column) * np.sin(angle) + (rows - row) * np.cos(angle)
    inside: NDArray[np.bool_] = (along / length) ** 2 + (across / width) ** 2 <= 1.0
    return inside
