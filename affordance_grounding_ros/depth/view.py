"""One image in three dimensions: its regions' grasps and their points."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from affordance_grounding_core.images import RgbImage
from affordance_grounding_core.inference.result import GroundingResult
from affordance_grounding_ros.depth.camera_model import CameraModel
from affordance_grounding_ros.depth.grasp_pose import (
    Grasp,
    GraspConfig,
    NoGraspError,
    grasp_of_region,
)
from affordance_grounding_ros.depth.image import DepthImage
from affordance_grounding_ros.depth.transforms import RigidTransform

POINT_FIELDS = ("x", "y", "z", "rgb", "heat")
"""Fields of a point of a cloud, 4 bytes each; `rgb` is 0x00RRGGBB, as RViz and PCL read it."""


@dataclass(frozen=True)
class DepthView:
    """An image in three dimensions: depth, points and calibration.

    Attributes:
        depth: registered to the image.
        camera: camera that took the image.
        frame_id: frame of the results.
        transform: pose of the camera in that frame; None if it is the camera's own.
        config: how grasps are computed.
    """

    depth: DepthImage
    camera: CameraModel
    frame_id: str
    transform: RigidTransform | None = None
    config: GraspConfig = field(default_factory=GraspConfig)

    def grasps(self, result: GroundingResult) -> tuple[list[Grasp | None], str]:
        """Compute where and how to grasp each region.

        Args:
            result: the grounder's result for the image.

        Returns:
            One for each region, None where its depth is not enough; and why the first of those
            has none, empty if all have one.
        """
        grasps: list[Grasp | None] = []
        problem = ""
        for region in result.regions:
            try:
                grasp = grasp_of_region(
                    region, result.heatmap, self.depth, self.camera, self.config
                )
            except NoGraspError as error:
                grasps.append(None)
                problem = problem or f"region {len(grasps)} of {len(result.regions)}: {error}"
                continue
            grasps.append(self.transform.grasp(grasp) if self.transform else grasp)
        return grasps, problem

    def cloud(self, image: RgbImage, result: GroundingResult) -> NDArray[np.float32]:
        """Compute the points of the regions.

        Args:
            image: message of a camera or a file, unchanged.
            result: the grounder's result for the image.

        Returns:
            (H, W, 5) float32, the `POINT_FIELDS` organised as the image; x, y and z are metres
            in `frame_id`, NaN outside the regions and where there is no depth; of `rgb` the bits
            count.
        """
        cloud = empty_cloud(result.mask.shape)
        rows, columns = np.nonzero(result.mask)
        depth = self.depth.at(columns, rows).astype(np.float64)
        depth[depth > self.config.maximum_depth] = np.nan
        points = self.camera.rays(columns, rows) * depth[:, None]
        if self.transform:
            points = self.transform.points(points)
        red, green, blue = image[rows, columns].astype(np.uint32).T
        cloud[rows, columns, :3] = points
        cloud.view(np.uint32)[rows, columns, 3] = red << 16 | green << 8 | blue
        cloud[rows, columns, 4] = result.heatmap[rows, columns]
        return cloud


def empty_cloud(shape: tuple[int, ...]) -> NDArray[np.float32]:
    """Make a cloud without points.

    Args:
        shape: (H, W) of the image.

    Returns:
        As `DepthView.cloud`.
    """
    cloud = np.zeros((*shape, len(POINT_FIELDS)), np.float32)
    cloud[..., :3] = np.nan
    return cloud
