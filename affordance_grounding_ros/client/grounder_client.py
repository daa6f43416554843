"""A program on the other side of the grounder's topics: it waits for the node and commands it."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TYPE_CHECKING, TypeVar

import rclpy
from diagnostic_msgs.msg import DiagnosticStatus
from rclpy.executors import SingleThreadedExecutor
from rclpy.node import Node

from affordance_grounding_core.errors import AffordanceGroundingError
from affordance_grounding_ros.common import qos
from affordance_grounding_ros.common.compatibility import shut_down_ros
from affordance_grounding_ros.health.status import status_level, status_values
from affordance_grounding_ros.msg import ActionGoal

if TYPE_CHECKING:
    from typing_extensions import Self

_T = TypeVar("_T")


class NoAnswerError(AffordanceGroundingError, RuntimeError):
    """Something that the grounder did not do in time, or that it cannot do."""


class GrounderClient:
    """Commands the node `grounder` and listens to its status; use it in a `with` statement.

    Args:
        name: of the client's own node.
        check: called while waiting; raises where waiting has become pointless.
    """

    UNREADY = "the grounder cannot start"
    """What is said before the status's own problem when that keeps the grounder from starting."""

    def __init__(self, name: str, check: Callable[[], None]) -> None:
        rclpy.init(args=[])
        self._check = check
        # Services that nobody calls would only make every waiting longer.
        self._node = Node(name, start_parameter_services=False)
        self._executor = SingleThreadedExecutor()
        self._executor.add_node(self._node)
        self._goals = qos.create_publisher(
            self._node, ActionGoal, "grounder/goal", qos.goal_latched()
        )
        self._status: dict[str, str] = {}
        self._node.create_subscription(
            DiagnosticStatus, "grounder/status", self._on_status, qos.status()
        )

    def __enter__(self) -> Self:
        """Nothing is done; the topics are there already."""
        return self

    def __exit__(self, *raised: object) -> None:
        """Leave the topics."""
        self._executor.shutdown()
        self._node.destroy_node()
        shut_down_ros()

    def wait_until_active(self, timeout: float) -> dict[str, str]:
        """Wait until the grounder has loaded its model and listens.

        Args:
            timeout: seconds to wait.

        Returns:
            Its status, by name.

        Raises:
            NoAnswerError: it is not active in time, or says that it cannot be.
        """
        self._wait(self._is_active, timeout, "the grounder to be active")
        return self._status

    def frame_counts(self, timeout: float = 30.0) -> dict[str, int]:
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

    def spin(self, seconds: float) -> None:
        """Listen for some time.

        Args:
            seconds: how long.
        """
        end = time.monotonic() + seconds
        while (now := time.monotonic()) < end:
            self._check()
            self._executor.spin_once(timeout_sec=min(0.1, end - now))

    def _wait(self, ready: Callable[[], _T | None], timeout: float, what: str) -> _T:
        """Listens until there is an answer; gives it."""
        deadline = time.monotonic() + timeout
        while not (answer := ready()):
            self._check()
            if time.monotonic() > deadline:
                raise NoAnswerError(f"waited {timeout:g} s for {what}; {self._last_words}")
            self._executor.spin_once(timeout_sec=0.1)
        return answer

    def _is_active(self) -> bool:
        if self._status.get("level") == status_level(DiagnosticStatus.ERROR):
            raise NoAnswerError(f"{self.UNREADY}: {self._status['message']}")
        return self._status.get("state") == "active"

    @property
    def _last_words(self) -> str:
        return f"the grounder's last status: {self._status.get('message', 'none')}"

    def _on_status(self, message: DiagnosticStatus) -> None:
        self._status = status_values(message)
