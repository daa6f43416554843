"""A program on the other side of the grounder's topics: it waits for the node and commands it."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar

import rclpy
from rclpy.executors import SingleThreadedExecutor
from rclpy.node import Node

from affordance_grounding_core.errors import AffordanceGroundingError
from affordance_grounding_ros.common import qos
from affordance_grounding_ros.common.compatibility import shut_down_ros
from affordance_grounding_ros.msg import ActionGoal, GrounderStatus

if TYPE_CHECKING:
    from typing_extensions import Self

_T = TypeVar("_T")


class NoAnswerError(AffordanceGroundingError, RuntimeError):
    """Something that the grounder did not do in time, or that it cannot do."""


class GrounderClient:
    """Commands the node `grounder` and listens to its status; use it in a `with` statement.

    Args:
        name: name of the client's own node.
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
        self._status: Any = None
        self._node.create_subscription(
            GrounderStatus, "grounder/status", self._on_status, qos.status()
        )

    def __enter__(self) -> Self:
        """Nothing is done; the topics are there already."""
        return self

    def __exit__(self, *raised: object) -> None:
        """Leave the topics."""
        self._executor.shutdown()
        self._node.destroy_node()
        shut_down_ros()

    def wait_until_active(self, timeout: float) -> Any:
        """Wait until the grounder has loaded its model and listens.

        Args:
            timeout: seconds to wait.

        Returns:
            Its status, a GrounderStatus.

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
        status = self.next_status(timeout)
        return {
            "received": int(status.frames_received),
            "processed": int(status.frames_processed),
            "dropped": int(status.frames_dropped),
            "idle": int(status.frames_idle),
            "refused": int(status.frames_refused),
            "failed": int(status.frames_failed),
        }

    def next_status(self, timeout: float = 30.0) -> Any:
        """Wait for the next status, a GrounderStatus.

        Args:
            timeout: seconds to wait.

        Raises:
            NoAnswerError: no status in time.
        """
        self._status = None
        return self._wait(lambda: self._status, timeout, "a status")

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
        status = self._status
        if status is None:
            return False
        if status.level == GrounderStatus.ERROR:
            raise NoAnswerError(f"{self.UNREADY}: {status.summary}")
        return bool(status.state == GrounderStatus.ACTIVE)

    @property
    def _last_words(self) -> str:
        said = self._status.summary if self._status else "none"
        return f"the grounder's last status: {said}"

    def _on_status(self, message: Any) -> None:
        self._status = message
