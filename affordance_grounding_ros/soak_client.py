"""Camera, commander and listener of a soak."""

from __future__ import annotations

import itertools
import threading
import time
from array import array
from collections.abc import Callable
from types import TracebackType
from typing import Any

import numpy as np
import rclpy
from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus
from rclpy.executors import SingleThreadedExecutor
from rclpy.node import Node
from sensor_msgs.msg import Image
from std_msgs.msg import Header

from affordance_grounding_core.errors import AffordanceGroundingError
from affordance_grounding_ros import qos
from affordance_grounding_ros.compatibility import shut_down_ros
from affordance_grounding_ros.conversions import array_to_image
from affordance_grounding_ros.msg import ActionGoal, AffordanceResult

_PICTURES = 16


class SoakError(AffordanceGroundingError, RuntimeError):
    """A node that did not do in time what it was told."""


class SoakClient:
    """Talks to the node `grounder`; use it in a `with` statement.

    Args:
        rate: images per second.
        width: of the images, in px.
        height: of the images, in px.
        check: called while waiting; raises where waiting has become pointless.
    """

    def __init__(self, rate: float, width: int, height: int, check: Callable[[], None]) -> None:
        rclpy.init(args=[])
        self._check = check
        self._rate = rate
        self._node = Node("soak")
        self._executor = SingleThreadedExecutor()
        self._executor.add_node(self._node)
        self._images = qos.create_publisher(self._node, Image, "image", qos.camera_output())
        self._goals = qos.create_publisher(
            self._node, ActionGoal, "grounder/goal", qos.goal_latched()
        )
        subscribe = self._node.create_subscription
        subscribe(DiagnosticStatus, "grounder/status", self._on_status, qos.status())
        subscribe(AffordanceResult, "grounder/result", self._on_result, qos.output())
        subscribe(DiagnosticArray, "/diagnostics", self._on_diagnostics, qos.diagnostics())
        self._pictures = [_picture(seed, height, width) for seed in range(_PICTURES)]
        self._status: dict[str, str] = {}
        self._diagnostics: dict[str, str] = {}
        self._plan: itertools.cycle[str] = itertools.cycle([""])
        self._ending = threading.Event()
        self._camera = threading.Thread(target=self._film, name="camera")
        self.forget()

    def __enter__(self) -> SoakClient:
        """Start the camera."""
        self._camera.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Stop the camera and leave the topics."""
        self._ending.set()
        self._camera.join()
        self._executor.shutdown()
        self._node.destroy_node()
        shut_down_ros()

    def forget(self) -> None:
        """Start the figures over."""
        self._sent = self._answered = self._commanded = 0
        self._latencies = array("d")
        self._inferences = array("d")

    def wait_until_active(self, timeout: float) -> None:
        """Wait until the grounder has loaded its model, and plan goals of its vocabulary.

        Args:
            timeout: seconds to wait.

        Raises:
            SoakError: it is not active in time, or says that it cannot be.
        """

        def active() -> bool:
            if self._status.get("problem"):
                raise SoakError(f"the grounder cannot start: {self._status['problem']}")
            return self._status.get("state") == "active"

        self._wait(active, timeout, "the model to be loaded")
        actions = self._status["vocabulary"].split(", ")
        # Every action, then two in turn, then a pause.
        self._plan = itertools.cycle([*actions, "; ".join(actions[:2]), ""])

    def wait_until_unsubscribed(self, timeout: float) -> None:
        """Wait until the grounder has given up the images.

        Args:
            timeout: seconds to wait.

        Raises:
            SoakError: it has not done so in time.
        """
        self._wait(
            lambda: self._images.get_subscription_count() == 0,
            timeout,
            "the grounder to give up the images it does not need",
        )

    def next_goal(self) -> None:
        """Command the next goal of the plan."""
        self._command(next(self._plan))

    def stop_goal(self) -> None:
        """Command to stop."""
        self._command("")

    def spin(self, seconds: float) -> None:
        """Listen for some time.

        Args:
            seconds: how long.
        """
        end = time.monotonic() + seconds
        while (now := time.monotonic()) < end:
            self._check()
            self._executor.spin_once(timeout_sec=min(0.1, end - now))

    def frame_counts(self) -> dict[str, int]:
        """What became of the images, by the next status.

        Raises:
            SoakError: no status in time.
        """
        self._status = {}
        self._wait(lambda: bool(self._status), 30.0, "a status")
        prefix = "frames_"
        counts = {key: value for key, value in self._status.items() if key.startswith(prefix)}
        return {key.removeprefix(prefix): int(value) for key, value in counts.items()}

    def figures(self) -> dict[str, Any]:
        """What was seen from outside since `forget`."""
        return {
            "images_sent": self._sent,
            "results": self._answered,
            "goals": self._commanded,
            "latency_ms": _distribution(self._latencies),
            "inference_ms": _distribution(self._inferences),
            "overhead_ms": self._diagnosed("overhead"),
            "overhead_cpu_ms": self._diagnosed("overhead_cpu"),
            "runtime": self._diagnostics.get("runtime", ""),
            "model": self._diagnostics.get("model", ""),
        }

    def _diagnosed(self, quantity: str) -> dict[str, float | None]:
        """What the node says of its last frames."""
        texts = {
            name: self._diagnostics.get(f"{quantity}_{name}_ms", "")
            for name in ("p50", "p95", "max")
        }
        return {name: float(text) if text else None for name, text in texts.items()}

    def _command(self, action: str) -> None:
        self._commanded += 1
        self._goals.publish(ActionGoal(action=action))

    def _film(self) -> None:
        due = time.monotonic()
        for picture in itertools.cycle(self._pictures):
            due += 1.0 / self._rate
            if self._ending.wait(max(0.0, due - time.monotonic())):
                return
            picture.header.stamp = self._node.get_clock().now().to_msg()
            self._images.publish(picture)
            self._sent += 1

    def _wait(self, ready: Callable[[], bool], timeout: float, what: str) -> None:
        deadline = time.monotonic() + timeout
        while not ready():
            if time.monotonic() > deadline:
                said = self._status.get("message", "nothing")
                raise SoakError(f"waited {timeout:g} s for {what}; last status: {said}")
            self.spin(0.1)

    def _on_status(self, message: DiagnosticStatus) -> None:
        self._status = {pair.key: pair.value for pair in message.values}
        self._status["message"] = message.message
        failed = message.level == DiagnosticStatus.ERROR
        self._status["problem"] = message.message if failed else ""

    def _on_diagnostics(self, message: DiagnosticArray) -> None:
        self._diagnostics = {pair.key: pair.value for pair in message.status[0].values}

    def _on_result(self, message: AffordanceResult) -> None:
        self._answered += 1
        self._latencies.append(message.latency_seconds)
        self._inferences.append(message.inference_seconds)


def _picture(seed: int, height: int, width: int) -> Image:
    """A picture with smooth shapes; what is in it does not matter here, how large it is does."""
    rows, columns = np.mgrid[:height, :width]
    waves = [np.sin((seed + 1) * rows / 97 + k) * np.cos(columns / (31 + 7 * k)) for k in range(3)]
    values = (127.5 + 127.5 * np.stack(waves, axis=-1)).astype(np.uint8)
    return array_to_image(values, "rgb8", Header(frame_id="camera_optical_frame"))


def _distribution(seconds: array[float]) -> dict[str, float | None]:
    if not seconds:
        return {"p50": None, "p95": None, "max": None}
    p50, p95, most = np.percentile(np.asarray(seconds), (50, 95, 100))
    return {
        name: round(float(v) * 1e3, 2) for name, v in (("p50", p50), ("p95", p95), ("max", most))
    }
