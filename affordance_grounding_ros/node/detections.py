"""Regions as detections of `vision_msgs`, where that package is installed; it is not on PyPI."""

from __future__ import annotations

import importlib
from collections.abc import Sequence
from typing import Any

from rclpy.node import Node

from affordance_grounding_core.inference.result import GroundingResult
from affordance_grounding_ros.common import qos


class Detections:
    """The topics ~/detections and ~/label_info.

    Args:
        node: publisher's node.
        messages: the module vision_msgs.msg.
    """

    def __init__(self, node: Node, messages: Any) -> None:
        self._node = node
        self._messages = messages
        self._actions: tuple[str, ...] = ()
        self._detections = qos.create_publisher(
            node, messages.Detection2DArray, "~/detections", qos.output()
        )
        self._labels = qos.create_publisher(node, messages.LabelInfo, "~/label_info", qos.status())

    def publish(self, header: Any, result: GroundingResult, actions: tuple[str, ...]) -> None:
        """Publish the regions of one image while somebody subscribes; and labels that are new.

        Args:
            header: header of the image.
            result: the grounder's result.
            actions: actions of the model; their numbers are the labels'.
        """
        self.announce(actions, result.threshold)
        if self._detections.get_subscription_count() > 0:
            number = actions.index(result.action)
            self._detections.publish(
                detections_message(self._messages, header, result, str(number))
            )

    def announce(self, actions: tuple[str, ...], threshold: float) -> None:
        """Publish the labels, unless they are the last ones.

        Args:
            actions: actions of the model.
            threshold: heat from which on a place is found.
        """
        if actions == self._actions:
            return
        self._actions = actions
        message = label_info(self._messages, actions, threshold)
        message.header.stamp = self._node.get_clock().now().to_msg()
        self._labels.publish(message)

    def destroy(self) -> None:
        """Take the topics away."""
        for publisher in (self._detections, self._labels):
            self._node.destroy_publisher(publisher)


def make_detections(node: Node) -> Detections | None:
    """Make the topics; None where vision_msgs cannot be imported.

    Args:
        node: publisher's node.
    """
    try:
        messages = importlib.import_module("vision_msgs.msg")
    except Exception:  # A build against another Python raises more than ImportError.
        return None
    return Detections(node, messages)


def detections_message(messages: Any, header: Any, result: GroundingResult, label: str) -> Any:
    """Make a Detection2DArray: one detection a region, with its upright box.

    Args:
        messages: the module vision_msgs.msg.
        header: header of the image.
        result: the grounder's result.
        label: number of the action in the label info.
    """
    made = messages.Detection2DArray(header=header)
    for index, region in enumerate(result.regions):
        hypothesis = messages.ObjectHypothesisWithPose()
        hypothesis.hypothesis.class_id = label
        hypothesis.hypothesis.score = float(region.score)
        one = messages.Detection2D(header=header, id=str(index), results=[hypothesis])
        box = region.box
        # Pixels are counted from their centres; a box ends at their edges.
        one.bbox.center.position.x = box.x + (box.width - 1) / 2.0
        one.bbox.center.position.y = box.y + (box.height - 1) / 2.0
        one.bbox.size_x, one.bbox.size_y = float(box.width), float(box.height)
        made.detections.append(one)
    return made


def label_info(messages: Any, actions: Sequence[str], threshold: float) -> Any:
    """Make a LabelInfo without a stamp.

    Args:
        messages: the module vision_msgs.msg.
        actions: actions of the model, in the order of their numbers.
        threshold: heat from which on a place is found.
    """
    return messages.LabelInfo(
        class_map=[
            messages.VisionClass(class_id=number, class_name=name)
            for number, name in enumerate(actions)
        ],
        threshold=float(threshold),
    )
