"""Runs the long transitions of a lifecycle node beside its executor, which goes on answering."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable
from typing import Any

from lifecycle_msgs.msg import Transition
from lifecycle_msgs.srv import ChangeState
from rclpy.callback_groups import ReentrantCallbackGroup
from rclpy.lifecycle import LifecycleNode
from rclpy.task import Future

from affordance_grounding_ros.common.process import ABANDONED

_LONG_IDS = (Transition.TRANSITION_CONFIGURE, Transition.TRANSITION_CLEANUP)
_LONG_LABELS = ("configure", "cleanup")

Act = Callable[[], Any]
Done = Callable[[Any], None]


class BackgroundTransitions:
    """Loads and frees the model in a thread of its own, for the services and for the node itself.

    Loading takes up to a minute. Whoever asks for the state, the parameters or anything else is
    answered meanwhile; a second transition is refused, because the node is between two states.

    Args:
        node: node whose services are taken over. Its executor ends what is begun here.
    """

    GRACE = 2.0
    """Seconds that the end of the process waits for a transition at work."""

    def __init__(self, node: LifecycleNode) -> None:
        self._ended: deque[tuple[Done, Any]] = deque()
        self._thread: threading.Thread | None = None
        self._closed = False
        self._guard = node.create_guard_condition(self._finish)
        # Its own group: while one of its callbacks waits, no other of a group is run.
        group = ReentrantCallbackGroup()
        for service in node.services:
            if service.srv_type.__module__.startswith("lifecycle_msgs."):
                service.callback_group = group
                group.add_entity(service)
                if service.srv_type is ChangeState:
                    self._change_state = service.callback
                    service.callback = self._on_change_state

    @property
    def busy(self) -> bool:
        """Whether a transition is at work."""
        return self._thread is not None and self._thread.is_alive()

    def run(self, act: Act, done: Done) -> None:
        """Do something beside the executor.

        Args:
            act: done in the thread; must not raise.
            done: called by the executor with what `act` returned.
        """

        def work() -> None:
            try:
                outcome = act()
                self._ended.append((done, outcome))
                self._guard.trigger()
            except Exception:
                if not self._closed:  # The node was destroyed before this could finish.
                    raise

        # A daemon: nobody can tell a library that compiles a network to stop.
        self._thread = threading.Thread(target=work, name=f"{ABANDONED} the model", daemon=True)
        self._thread.start()

    def close(self) -> bool:
        """Wait for the transition at work, but not for long.

        Returns:
            Whether there is none any more.
        """
        self._closed = True
        if self._thread is not None:
            self._thread.join(self.GRACE)
        return not self.busy

    def _finish(self) -> None:
        while self._ended:
            done, outcome = self._ended.popleft()
            done(outcome)

    async def _on_change_state(self, request: Any, response: Any) -> Any:
        asked = request.transition
        long = asked.label in _LONG_LABELS if asked.label else asked.id in _LONG_IDS
        if self.busy or not long:
            # While a transition is at work, rclpy refuses every other one at once.
            return self._change_state(request, response)
        answer: Future[Any] = Future()
        self.run(lambda: self._change_state(request, response), answer.set_result)
        return await answer
