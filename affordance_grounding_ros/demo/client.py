"""The other side of the topics: commands actions and collects what the grounder answers."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from geometry_msgs.msg import PoseArray
from rclpy.node import Node
from sensor_msgs.msg import CameraInfo, Image, PointCloud2
from std_msgs.msg import Header
from visualization_msgs.msg import MarkerArray

from affordance_grounding_core.images import RgbImage
from affordance_grounding_ros.client.grounder_client import GrounderClient, NoAnswerError
from affordance_grounding_ros.common import qos
from affordance_grounding_ros.images.conversions import image_to_rgb
from affordance_grounding_ros.msg import ActionGoal, AffordanceResult


class StampedTopics:
    """Keeps the messages of topics by their stamps, the last ones only.

    Args:
        node: node that subscribes.
        topics: message classes by topic.
        capacity: stamps that are kept.
    """

    def __init__(self, node: Node, topics: Mapping[str, Any], capacity: int = 40) -> None:
        self._capacity = capacity
        self._messages: OrderedDict[int, dict[str, Any]] = OrderedDict()
        for topic, kind in topics.items():
            node.create_subscription(kind, topic, self._keeper(topic), qos.output())

    def at(self, stamp: Any) -> dict[str, Any]:
        """Messages that have arrived about an image.

        Args:
            stamp: stamp of the image, a builtin_interfaces/Time.

        Returns:
            Messages by topic.
        """
        return dict(self._messages.get(nanoseconds(stamp), {}))

    def clear(self) -> None:
        """Forget all messages."""
        self._messages.clear()

    def _keeper(self, topic: str) -> Callable[[Any], None]:
        def keep(message: Any) -> None:
            stamp = nanoseconds(stamp_of(message))
            self._messages.setdefault(stamp, {})[topic] = message
            while len(self._messages) > self._capacity:
                self._messages.popitem(last=False)

        return keep


def stamp_of(message: Any) -> Any:
    """Stamp of a message, or of its first marker.

    Args:
        message: message with a header, or a MarkerArray that is not empty.
    """
    return (message.header if hasattr(message, "header") else message.markers[0].header).stamp


def nanoseconds(stamp: Any) -> int:
    """A stamp as one number."""
    return int(stamp.sec) * 10**9 + int(stamp.nanosec)


@dataclass(frozen=True)
class Answer:
    """Answers to one goal.

    Attributes:
        result: AffordanceResult message.
        overlay: the picture from the overlay topic, for the same image.
        commanded: time the goal was published, in seconds.
        received: time the result came in, in seconds.
        messages: everything that was said about that image, by topic.
    """

    result: Any
    overlay: RgbImage
    commanded: float
    received: float
    messages: dict[str, Any]


TOPICS = {
    "image": Image,
    "camera_info": CameraInfo,
    "grounder/result": AffordanceResult,
    "grounder/overlay": Image,
    "grounder/mask": Image,
    "grounder/heatmap": Image,
}
"""Messages that are collected about every image."""

DEPTH_TOPICS = {
    "depth": Image,
    "grounder/grasps": PoseArray,
    "grounder/region_cloud": PointCloud2,
    "grounder/markers": MarkerArray,
}
"""Messages that are collected where there is depth."""


class DemoClient(GrounderClient):
    """Asks the node `grounder`; use it in a `with` statement.

    Args:
        check: called while waiting; raises where waiting has become pointless.
    """

    UNREADY = "the grounder is not ready"

    def __init__(self, check: Callable[[], None]) -> None:
        super().__init__("demo", check)
        self._results: list[tuple[float, Any]] = []
        self._depth_used_before: int | None = None
        self._topics = StampedTopics(self._node, TOPICS | DEPTH_TOPICS)
        self._node.create_subscription(
            AffordanceResult, "grounder/result", self._on_result, qos.output()
        )

    def expect_depth(self, expected: bool) -> None:
        """Say whether the images that follow have depth.

        Args:
            expected: answers then count only with everything that depth brings.
        """
        self._depth_used_before = self._depth_used if expected else None

    def ask(self, action: str, timeout: float) -> Answer:
        """Command an action and wait for the answer to an image taken after the command.

        Args:
            action: words of the command.
            timeout: seconds to wait.

        Raises:
            NoAnswerError: no answer in time, or the grounder does not know the action.
        """
        now = self._node.get_clock().now()
        self._results.clear()
        self._topics.clear()
        self._goals.publish(ActionGoal(header=Header(stamp=now.to_msg()), action=action))

        def complete() -> tuple[float, Any] | None:
            refusal = self._status.last_error if self._status else ""
            if refusal.startswith("goal refused"):
                raise NoAnswerError(refusal)
            for received, result in self._results:
                taken = nanoseconds(result.header.stamp)
                said = self._topics.at(result.header.stamp)
                if result.goal == action and taken >= now.nanoseconds and self._is_all(said):
                    return received, result
            return None

        received, result = self._wait(complete, timeout, f"result and overlay of '{action}'")
        said = self._topics.at(result.header.stamp)
        overlay = image_to_rgb(said["grounder/overlay"])
        return Answer(result, overlay, now.nanoseconds * 1e-9, received, said)

    def _on_result(self, message: Any) -> None:
        self._results.append((self._node.get_clock().now().nanoseconds * 1e-9, message))

    @property
    def _depth_used(self) -> int:
        return int(self._status.depth_used) if self._status else 0

    def _is_all(self, said: dict[str, Any]) -> bool:
        if self._depth_used_before is None:
            return said.keys() >= TOPICS.keys()
        # The grounder's first images may be there before it has found the depth.
        found = self._depth_used > self._depth_used_before
        return found and said.keys() >= (TOPICS | DEPTH_TOPICS).keys()
