"""The other side of the topics: commands actions and collects what the grounder answers."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from types import TracebackType
from typing import Any

import numpy as np
import rclpy
from diagnostic_msgs.msg import DiagnosticStatus
from geometry_msgs.msg import PoseArray
from numpy.typing import NDArray
from rclpy.node import Node
from sensor_msgs.msg import CameraInfo, Image, PointCloud2
from std_msgs.msg import Header
from visualization_msgs.msg import MarkerArray

from affordance_grounding_core.errors import AffordanceGroundingError
from affordance_grounding_ros import qos
from affordance_grounding_ros.compatibility import shut_down_ros
from affordance_grounding_ros.conversions import image_to_rgb
from affordance_grounding_ros.msg import ActionGoal, AffordanceResult
from affordance_grounding_ros.stamped_topics import StampedTopics, nanoseconds


class NoAnswerError(AffordanceGroundingError, RuntimeError):
    """An answer of the grounder that did not come, or that it cannot give."""


@dataclass(frozen=True)
class Answer:
    """What came back for one goal.

    Attributes:
        result: AffordanceResult message.
        overlay: (H, W, 3) uint8, RGB, from the overlay topic, for the same image.
        commanded: time the goal was published, in seconds.
        received: time the result came in, in seconds.
        messages: everything that was said about that image, by topic.
    """

    result: Any
    overlay: NDArray[np.uint8]
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
"""What is collected about every image."""

DEPTH_TOPICS = {
    "depth": Image,
    "grounder/grasps": PoseArray,
    "grounder/region_cloud": PointCloud2,
    "grounder/markers": MarkerArray,
}
"""What is collected where there is depth."""


class DemoClient:
    """Talks to the node `grounder`; use it in a `with` statement.

    Args:
        check: called while waiting; raises where waiting has become pointless.
    """

    def __init__(self, check: Callable[[], None]) -> None:
        rclpy.init(args=[])
        self._check = check
        self._node = Node("demo")
        self._goals = qos.create_publisher(
            self._node, ActionGoal, "grounder/goal", qos.goal_latched()
        )
        self._status: dict[str, str] = {}
        self._results: list[tuple[float, Any]] = []
        self._depth_used_before: int | None = None
        self._topics = StampedTopics(self._node, TOPICS | DEPTH_TOPICS)
        subscribe = self._node.create_subscription
        subscribe(DiagnosticStatus, "grounder/status", self._on_status, qos.status())
        subscribe(AffordanceResult, "grounder/result", self._on_result, qos.output())

    def __enter__(self) -> DemoClient:
        """Nothing is done; the client listens already."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Leave the topics."""
        self._node.destroy_node()
        shut_down_ros()

    def wait_until_active(self, timeout: float) -> dict[str, str]:
        """Wait until the grounder has loaded its model and listens.

        Args:
            timeout: seconds to wait.

        Returns:
            Its status.

        Raises:
            NoAnswerError: it is not active in time, or says that it cannot be.
        """

        def active() -> bool:
            if self._status.get("problem"):
                raise NoAnswerError(f"the grounder is not ready: {self._status['problem']}")
            return self._status.get("state") == "active"

        self._wait(active, timeout, "the grounder to be active")
        return self._status

    def expect_depth(self, expected: bool) -> None:
        """Say whether the images that follow have depth.

        Args:
            expected: answers then count only with everything that depth brings.
        """
        self._depth_used_before = self._depth_used if expected else None

    def ask(self, action: str, timeout: float) -> Answer:
        """Command an action and wait for the answer to an image taken after the command.

        Args:
            action: in the words of the command.
            timeout: seconds to wait.

        Raises:
            NoAnswerError: no answer in time, or the grounder does not know the action.
        """
        now = self._node.get_clock().now()
        self._results.clear()
        self._topics.clear()
        self._goals.publish(ActionGoal(header=Header(stamp=now.to_msg()), action=action))

        def complete() -> tuple[float, Any] | None:
            refusal = self._status.get("last_error", "")
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

    def frame_counts(self, timeout: float) -> dict[str, int]:
        """Ask what became of the images, by the next status.

        Args:
            timeout: seconds to wait.

        Returns:
            "received", "processed", "dropped" and the rest of the counts.

        Raises:
            NoAnswerError: no status in time.
        """
        self._status = {}
        self._wait(lambda: bool(self._status), timeout, "a status")
        prefix = "frames_"
        counts = {key: value for key, value in self._status.items() if key.startswith(prefix)}
        return {key.removeprefix(prefix): int(value) for key, value in counts.items()}

    def _wait(self, ready: Callable[[], Any], timeout: float, what: str) -> Any:
        deadline = time.monotonic() + timeout
        while not (answer := ready()):
            self._check()
            if time.monotonic() > deadline:
                said = self._status.get("message", "nothing")
                raise NoAnswerError(
                    f"waited {timeout:g} s for {what}; the grounder's last status: {said}"
                )
            rclpy.spin_once(self._node, timeout_sec=0.1)
        return answer

    def _on_status(self, message: DiagnosticStatus) -> None:
        self._status = {pair.key: pair.value for pair in message.values}
        self._status["message"] = message.message
        failed = message.level == DiagnosticStatus.ERROR
        self._status["problem"] = message.message if failed else ""

    def _on_result(self, message: Any) -> None:
        self._results.append((self._node.get_clock().now().nanoseconds * 1e-9, message))

    @property
    def _depth_used(self) -> int:
        return int(self._status.get("depth_used") or 0)

    def _is_all(self, said: dict[str, Any]) -> bool:
        if self._depth_used_before is None:
            return said.keys() >= TOPICS.keys()
        # The grounder's first images may be there before it has found the depth.
        found = self._depth_used > self._depth_used_before
        return found and said.keys() >= (TOPICS | DEPTH_TOPICS).keys()
