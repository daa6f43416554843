"""A camera that waits for the answer to one image before it sends the next."""

from __future__ import annotations

import time
from collections.abc import Callable
from types import TracebackType
from typing import Any

import numpy as np
import rclpy
from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus
from rclpy.executors import SingleThreadedExecutor
from rclpy.node import Node
from rclpy.serialization import deserialize_message
from sensor_msgs.msg import Image
from std_msgs.msg import Header

from affordance_grounding_core.errors import AffordanceGroundingError
from affordance_grounding_ros import qos
from affordance_grounding_ros.compatibility import shut_down_ros
from affordance_grounding_ros.conversions import array_to_image
from affordance_grounding_ros.msg import ActionGoal, AffordanceResult

ANSWER_TIMEOUT = 20.0
"""Seconds after which an image or its answer counts as lost."""


class PingError(AffordanceGroundingError, RuntimeError):
    """A node that did not answer."""


class PingClient:
    """Asks the node `grounder`, one image at a time; use it in a `with` statement.

    Results are taken as the bytes that arrived: what it takes to turn them into a message is
    the listener's business and not the node's.

    Args:
        check: called while waiting; raises where waiting has become pointless.
    """

    def __init__(self, check: Callable[[], None]) -> None:
        rclpy.init(args=[])
        self._check = check
        self._node = Node("ping")
        self._executor = SingleThreadedExecutor()
        self._executor.add_node(self._node)
        self._images = qos.create_publisher(self._node, Image, "image", qos.camera_output())
        self._goals = qos.create_publisher(
            self._node, ActionGoal, "grounder/goal", qos.goal_latched()
        )
        subscribe = self._node.create_subscription
        subscribe(AffordanceResult, "grounder/result", self._on_result, qos.output(), raw=True)
        subscribe(DiagnosticStatus, "grounder/status", self._on_status, qos.status())
        subscribe(DiagnosticArray, "/diagnostics", self._on_diagnostics, qos.diagnostics())
        self._arrived: list[tuple[float, bytes]] = []
        self._status: dict[str, str] = {}
        self.diagnostics: dict[str, str] = {}
        self.lost = 0

    def __enter__(self) -> PingClient:
        """Nothing is done; the topics are there already."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Leave the topics."""
        self._executor.shutdown()
        self._node.destroy_node()
        shut_down_ros()

    def start(self, timeout: float) -> None:
        """Wait until the grounder has loaded its model, and command its first action.

        Args:
            timeout: seconds to wait.

        Raises:
            PingError: it is not active in time, or says that it cannot be.
        """
        self._wait(self._is_active, timeout, "the model to be loaded")
        action = self._status["vocabulary"].split(", ")[0]
        self._goals.publish(ActionGoal(action=action))
        self._wait(
            lambda: self._images.get_subscription_count() > 0, 60.0, "the grounder to subscribe"
        )
        self._spin(1.0)  # both sides have to hear of each other

    def ask(self, picture: Image) -> tuple[float, float]:
        """Send an image and wait for its result.

        Args:
            picture: gets a stamp.

        Returns:
            Seconds from before publishing until the result's bytes were here, by the clock; and
            seconds of inference that the result tells of.

        Raises:
            PingError: no answer, twice in a row.
        """
        for _ in range(2):
            picture.header.stamp = self._node.get_clock().now().to_msg()
            self._arrived.clear()
            sent = time.perf_counter()
            self._images.publish(picture)
            while time.perf_counter() - sent < ANSWER_TIMEOUT:
                self._executor.spin_once(timeout_sec=0.5)
                self._check()
                for arrived, data in self._arrived:
                    result = deserialize_message(data, AffordanceResult)
                    if result.header.stamp == picture.header.stamp:
                        return arrived - sent, float(result.inference_seconds)
                self._arrived.clear()
            self.lost += 1
        raise PingError(
            f"no result for two images within {ANSWER_TIMEOUT:g} s each; last status: "
            f"{self._status.get('message', 'none')}"
        )

    def wait_for_diagnostics(self) -> dict[str, str]:
        """Wait for the node's next figures.

        Raises:
            PingError: none in time.
        """
        self.diagnostics = {}
        self._wait(lambda: bool(self.diagnostics), 30.0, "diagnostics")
        return self.diagnostics

    def _is_active(self) -> bool:
        if self._status.get("problem"):
            raise PingError(f"the grounder cannot start: {self._status['problem']}")
        return self._status.get("state") == "active"

    def _wait(self, ready: Callable[[], bool], timeout: float, what: str) -> None:
        deadline = time.monotonic() + timeout
        while not ready():
            if time.monotonic() > deadline:
                said = self._status.get("message", "nothing")
                raise PingError(f"waited {timeout:g} s for {what}; last status: {said}")
            self._spin(0.1)

    def _spin(self, seconds: float) -> None:
        end = time.monotonic() + seconds
        while (now := time.monotonic()) < end:
            self._check()
            self._executor.spin_once(timeout_sec=end - now)

    def _on_result(self, data: bytes) -> None:
        self._arrived.append((time.perf_counter(), data))

    def _on_status(self, message: DiagnosticStatus) -> None:
        self._status = {pair.key: pair.value for pair in message.values}
        self._status["message"] = message.message
        failed = message.level == DiagnosticStatus.ERROR
        self._status["problem"] = message.message if failed else ""

    def _on_diagnostics(self, message: DiagnosticArray) -> None:
        self.diagnostics = {pair.key: pair.value for pair in message.status[0].values}


def picture(height: int, width: int) -> Any:
    """A picture with smooth shapes; how large it is matters here, not what is in it.

    Args:
        height: in px.
        width: in px.
    """
    rows, columns = np.mgrid[:height, :width]
    waves = [np.sin(rows / 97 + k) * np.cos(columns / (31 + 7 * k)) for k in range(3)]
    values = (127.5 + 127.5 * np.stack(waves, axis=-1)).astype(np.uint8)
    return array_to_image(values, "rgb8", Header(frame_id="camera_optical_frame"))
