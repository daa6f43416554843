"""From a grounding result to the messages of the node, all with the image's stamp and frame."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from geometry_msgs.msg import Pose
from numpy.typing import NDArray
from rclpy.node import Node
from rclpy.publisher import Publisher
from sensor_msgs.msg import Image, RegionOfInterest
from std_msgs.msg import Header

from affordance_grounding_core.images import RgbImage
from affordance_grounding_core.inference.result import AffordanceRegion, GroundingResult
from affordance_grounding_ros import msg as messages
from affordance_grounding_ros.common import qos
from affordance_grounding_ros.depth.grasp_pose import Grasp
from affordance_grounding_ros.depth.messages import pose_message
from affordance_grounding_ros.depth.outputs import RegionPoses
from affordance_grounding_ros.images.conversions import array_to_image
from affordance_grounding_ros.node.detections import make_detections
from affordance_grounding_ros.node.goals import ActiveGoal

Overlay = Callable[[NDArray[np.uint8], GroundingResult], NDArray[np.uint8]]


class Outputs:
    """The topics a result goes to.

    Args:
        node: node that publishes.
        latency: tells how old an image of a stamp is now, in seconds; NaN where clocks cannot tell.

    Attributes:
        detections: the same regions for consumers of vision_msgs; None where that is not
            installed.
    """

    def __init__(self, node: Node, latency: Callable[[Any], float]) -> None:
        self._node = node
        self._latency = latency
        self._result = qos.create_publisher(
            node, messages.AffordanceResult, "~/result", qos.output()
        )
        self._heatmap = qos.create_publisher(node, Image, "~/heatmap", qos.output())
        self._mask = qos.create_publisher(node, Image, "~/mask", qos.output())
        self._overlay = qos.create_publisher(node, Image, "~/overlay", qos.output())
        self.detections = make_detections(node)

    def publish(
        self,
        header: Header,
        image: RgbImage,
        goal: ActiveGoal,
        result: GroundingResult,
        *,
        model: str,
        runtime: str,
        draw_overlay: Overlay,
        poses: RegionPoses | None = None,
        images: bool = False,
    ) -> float:
        """Publish what was found in one image.

        Args:
            header: header of the image.
            image: message of a camera or a file, unchanged.
            goal: goal that the result answers.
            result: the grounder's result for this image and goal.
            model: name of the model.
            runtime: what ran it.
            draw_overlay: draws the result over the image; called only while the overlay has
                a subscriber, because drawing costs time.
            poses: poses of the regions; None while depth is off.
            images: whether the result holds heatmap and mask of the whole image.

        Returns:
            Seconds from the image's stamp to the result's leaving, by the node's clock; NaN if
            the image carries no stamp, or one that does not fit this clock.
        """
        message = self.message(header, goal, result, model=model, runtime=runtime, poses=poses)
        heatmap = self._picture(self._heatmap, heatmap_message, header, result, images)
        mask = self._picture(self._mask, mask_message, header, result, images)
        if images:
            message.heatmap, message.mask = heatmap, mask
        self._result.publish(message)
        if self._overlay.get_subscription_count() > 0:
            drawn = draw_overlay(image, result)
            self._overlay.publish(array_to_image(drawn, "rgb8", header))
        return float(message.latency_seconds)

    def message(
        self,
        header: Header,
        goal: ActiveGoal,
        result: GroundingResult,
        *,
        model: str,
        runtime: str,
        poses: RegionPoses | None = None,
        images: bool = False,
    ) -> Any:
        """Make the AffordanceResult of one image, with its latency until now.

        Args:
            header: header of the image.
            goal: goal that the result answers.
            result: the grounder's result for this image and goal.
            model: name of the model.
            runtime: what ran it.
            poses: poses of the regions; None while depth is off.
            images: whether it holds heatmap and mask of the whole image.
        """
        message = result_message(header, goal, result, model=model, runtime=runtime, poses=poses)
        if images:
            message.heatmap = heatmap_message(header, result)
            message.mask = mask_message(header, result)
        message.latency_seconds = self._latency(header.stamp)
        return message

    def _picture(
        self,
        publisher: Publisher[Image],
        make: Callable[[Header, GroundingResult], Image],
        header: Header,
        result: GroundingResult,
        needed: bool,
    ) -> Image | None:
        """Publishes a picture where somebody subscribes; gives it if needed."""
        heard = publisher.get_subscription_count() > 0
        if not heard and not needed:
            return None
        picture = make(header, result)
        if heard:
            publisher.publish(picture)
        return picture

    def destroy(self) -> None:
        """Take the topics away."""
        for publisher in (self._result, self._heatmap, self._mask, self._overlay):
            self._node.destroy_publisher(publisher)
        if self.detections:
            self.detections.destroy()


def result_message(
    header: Header,
    goal: ActiveGoal,
    result: GroundingResult,
    *,
    model: str,
    runtime: str,
    poses: RegionPoses | None = None,
) -> Any:
    """Make an AffordanceResult.

    Args:
        header: header of the image.
        goal: goal that the result answers.
        result: the grounder's result.
        model: name of the model.
        runtime: what ran it.
        poses: poses of the regions; None while depth is off.

    Returns:
        The message, without images and its latency left NaN.
    """
    grasps = poses.grasps if poses else [None] * len(result.regions)
    return messages.AffordanceResult(
        header=header,
        goal=goal.text,
        object_name=goal.object_name,
        action=result.action,
        score=float(result.score),
        threshold=float(result.threshold),
        found=result.found,
        image_height=result.heatmap.shape[0],
        image_width=result.heatmap.shape[1],
        regions=[
            region_message(header, region, grasp)
            for region, grasp in zip(result.regions, grasps, strict=True)
        ],
        pose_frame_id=poses.frame_id if poses else "",
        pose_problem=poses.problem if poses else "",
        model=model,
        runtime=runtime,
        inference_seconds=float(result.seconds),
        latency_seconds=float("nan"),
    )


def heatmap_message(header: Header, result: GroundingResult) -> Image:
    """Make the image of the heat, 32FC1.

    Args:
        header: header of the image.
        result: the grounder's result.
    """
    return array_to_image(result.heatmap, "32FC1", header)


def mask_message(header: Header, result: GroundingResult) -> Image:
    """Make the image of the union of the regions, mono8.

    Args:
        header: header of the image.
        result: the grounder's result.
    """
    return _mono8(header, result.mask)


def _mono8(header: Header, mask: NDArray[np.bool_]) -> Image:
    return array_to_image(mask.view(np.uint8) * np.uint8(255), "mono8", header)


def region_message(header: Header, region: AffordanceRegion, grasp: Grasp | None = None) -> Any:
    """Make an AffordanceRegion.

    Args:
        header: header of the image.
        region: region in pixels of the image.
        grasp: its place in space; None where it is not known.
    """
    box, oriented_box = region.box, region.oriented_box
    return messages.AffordanceRegion(
        box=RegionOfInterest(x_offset=box.x, y_offset=box.y, width=box.width, height=box.height),
        mask=_mono8(header, region.mask),
        oriented_box_center_x=float(oriented_box.center_x),
        oriented_box_center_y=float(oriented_box.center_y),
        oriented_box_length=float(oriented_box.length),
        oriented_box_width=float(oriented_box.width),
        oriented_box_angle=float(oriented_box.angle),
        centroid_x=float(region.centroid[0]),
        centroid_y=float(region.centroid[1]),
        area=int(region.area),
        score=float(region.score),
        has_pose=grasp is not None,
        pose=pose_message(grasp) if grasp else Pose(),
    )
