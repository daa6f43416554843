"""The topics that say where regions lie in space."""

from __future__ import annotations

from dataclasses import dataclass, field

from geometry_msgs.msg import PoseArray, PoseStamped
from rclpy.node import Node
from sensor_msgs.msg import PointCloud2
from std_msgs.msg import Header
from visualization_msgs.msg import MarkerArray

from affordance_grounding_core.images import RgbImage
from affordance_grounding_core.inference.result import GroundingResult
from affordance_grounding_ros.common import qos
from affordance_grounding_ros.depth.grasp_pose import Grasp
from affordance_grounding_ros.depth.messages import (
    cloud_message,
    markers,
    no_markers,
    pose_array,
    scored_grasps,
)
from affordance_grounding_ros.depth.view import DepthView, empty_cloud
from affordance_grounding_ros.msg import ScoredGrasps


@dataclass(frozen=True)
class RegionPoses:
    """Poses of an image's regions.

    Attributes:
        frame_id: frame of the poses.
        grasps: one for each region; None where there is none.
        problem: why a region has none; empty if all have one.
        view: what they were computed from; None where depth is missing or does not fit.
    """

    frame_id: str
    grasps: list[Grasp | None] = field(default_factory=list)
    problem: str = ""
    view: DepthView | None = None


class DepthOutputs:
    """Publishes poses, points and markers of regions.

    Args:
        node: node that publishes.
    """

    def __init__(self, node: Node) -> None:
        self._node = node
        self._grasps = qos.create_publisher(node, PoseArray, "~/grasps", qos.output())
        self._scored = qos.create_publisher(node, ScoredGrasps, "~/scored_grasps", qos.output())
        self._best = qos.create_publisher(node, PoseStamped, "~/best_grasp", qos.output())
        self._cloud = qos.create_publisher(node, PointCloud2, "~/region_cloud", qos.output())
        self._markers = qos.create_publisher(node, MarkerArray, "~/markers", qos.output())
        self._last: Header | None = None

    def publish(
        self, header: Header, image: RgbImage, result: GroundingResult, poses: RegionPoses
    ) -> None:
        """Publish where the regions of one image lie; also where none does, by empty messages.

        Of the best grasp there is a message only where there is one.

        Cloud and markers are made only while somebody subscribes.

        Args:
            header: header of the image.
            image: message of a camera or a file, unchanged.
            result: the grounder's result.
            poses: poses of the regions.
        """
        placed = Header(stamp=header.stamp, frame_id=poses.frame_id)
        self._last = placed
        scored = scored_grasps(placed, result, poses.grasps)
        self._grasps.publish(pose_array(placed, poses.grasps))
        self._scored.publish(scored)
        if scored.poses:
            self._best.publish(PoseStamped(header=placed, pose=scored.poses[0]))
        if self._markers.get_subscription_count() > 0:
            self._markers.publish(markers(placed, result, poses.grasps))
        if self._cloud.get_subscription_count() > 0:
            view = poses.view
            cloud = view.cloud(image, result) if view else empty_cloud(result.mask.shape)
            self._cloud.publish(cloud_message(placed, cloud))

    def clear(self) -> None:
        """Take away the markers that are shown, if there is still somebody to tell."""
        last, self._last = self._last, None
        if last is None:
            return
        try:
            self._markers.publish(no_markers(last))
        except Exception:  # A signal may end the context at any moment.
            if self._node.context.ok():
                raise

    def destroy(self) -> None:
        """Take the topics away."""
        for publisher in (self._grasps, self._scored, self._best, self._cloud, self._markers):
            self._node.destroy_publisher(publisher)
