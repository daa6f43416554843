"""Camera, commander and listener of a soak."""

from __future__ import annotations

import itertools
import threading
import time
from array import array
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from diagnostic_msgs.msg import DiagnosticArray

from affordance_grounding_ros.common import qos
from affordance_grounding_ros.measure.ping_client import (
    MeasuringClient,
    distribution_ms,
    picture,
    told_ms,
)
from affordance_grounding_ros.msg import ActionGoal, AffordanceResult

if TYPE_CHECKING:
    from typing_extensions import Self

_PICTURES = 16


class SoakClient(MeasuringClient):
    """Films for the node `grounder` and commands it; use it in a `with` statement.

    Args:
        rate: images per second.
        width: width of the images, in px.
        height: height of the images, in px.
        check: called while waiting; raises where waiting has become pointless.

    Attributes:
        building: what the grounder says of the engine that it builds; empty while it builds none.
    """

    def __init__(self, rate: float, width: int, height: int, check: Callable[[], None]) -> None:
        super().__init__("soak", check)
        self._rate = rate
        self._node.create_subscription(
            AffordanceResult, "grounder/result", self._on_result, qos.output()
        )
        self.building = ""
        self._node.create_subscription(DiagnosticArray, "/diagnostics", self._on_diagnostics, 10)
        self._pictures = [picture(height, width, seed) for seed in range(_PICTURES)]
        self._plan: itertools.cycle[str] = itertools.cycle([""])
        self._ending = threading.Event()
        self._camera = threading.Thread(target=self._film, name="camera")
        self.forget()

    def __enter__(self) -> Self:
        """Start the camera."""
        self._camera.start()
        return self

    def __exit__(self, *raised: object) -> None:
        """Stop the camera and leave the topics."""
        self._ending.set()
        self._camera.join()
        super().__exit__(*raised)

    def forget(self) -> None:
        """Start the figures over."""
        self._sent = self._answered = self._commanded = 0
        self._latencies = array("d")
        self._inferences = array("d")

    def plan_goals(self, actions: Sequence[str]) -> None:
        """Plan goals: every action, then two in turn, then a pause, and over again.

        Args:
            actions: actions of the grounder's vocabulary.
        """
        self._plan = itertools.cycle([*actions, "; ".join(actions[:2]), ""])

    def wait_until_unsubscribed(self, timeout: float) -> None:
        """Wait until the grounder has given up the images.

        Args:
            timeout: seconds to wait.

        Raises:
            NoAnswerError: it has not done so in time.
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

    def figures(self) -> dict[str, Any]:
        """What was seen from outside since `forget`, and what the grounder says itself."""
        status = self.next_status()
        return {
            "images_sent": self._sent,
            "results": self._answered,
            "goals": self._commanded,
            "latency_ms": distribution_ms(self._latencies, 2),
            "inference_ms": distribution_ms(self._inferences, 2),
            "overhead_ms": told_ms(status.overhead),
            "overhead_cpu_ms": told_ms(status.overhead_cpu),
            "runtime": status.runtime,
            "model": status.model,
        }

    def _command(self, action: str) -> None:
        self._commanded += 1
        self._goals.publish(ActionGoal(action=action))

    def _film(self) -> None:
        due = time.monotonic()
        for image in itertools.cycle(self._pictures):
            due += 1.0 / self._rate
            if self._ending.wait(max(0.0, due - time.monotonic())):
                return
            image.header.stamp = self._node.get_clock().now().to_msg()
            self._images.publish(image)
            self._sent += 1

    def _on_diagnostics(self, message: DiagnosticArray) -> None:
        for status in message.status:
            for entry in status.values:
                if entry.key == "runtime_building":
                    self.building = entry.value

    def _on_result(self, message: AffordanceResult) -> None:
        self._answered += 1
        self._latencies.append(message.latency_seconds)
        self._inferences.append(message.inference_seconds)
