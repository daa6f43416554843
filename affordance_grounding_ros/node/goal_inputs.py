"""The topics goals come by: plain text and ActionGoal, from publishers that latch and others."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from rclpy.node import Node
from rclpy.subscription import Subscription
from std_msgs.msg import String

from affordance_grounding_ros.common import qos
from affordance_grounding_ros.common.compatibility import callback_with_timestamp
from affordance_grounding_ros.msg import ActionGoal

_REMEMBERED = 64


@dataclass(frozen=True)
class GoalCommand:
    """A goal as somebody sent it, not yet checked; the fields are those of ActionGoal."""

    text: str
    object_name: str = ""
    threshold: float = 0.0
    timeout: float = 0.0


class GoalInputs:
    """Hands on every goal once, however many subscriptions it comes through.

    A latching subscription does not match publishers that keep nothing, and another one does not
    get what was sent before it was made; goals may come either way, so every topic has both.

    Args:
        node: node that subscribes.
        take: called with each goal; must not raise.
    """

    def __init__(self, node: Node, take: Callable[[GoalCommand], None]) -> None:
        self._node = node
        self._take = take
        self._subscriptions: list[Subscription[Any]] = []
        self._taken: deque[tuple[str, int]] = deque(maxlen=_REMEMBERED)

    def open(self) -> None:
        """Subscribe.

        Raises:
            ValueError: a `qos_overrides` parameter that is not acceptable.
        """
        for message_type, topic, callback in (
            (String, "~/action", self._on_action),
            (ActionGoal, "~/goal", self._on_goal),
        ):
            with_timestamp = callback_with_timestamp(callback)
            for profile, latched in ((qos.goal_live(), False), (qos.goal_latched(), True)):
                self._subscriptions.append(
                    qos.create_subscription(
                        self._node,
                        message_type,
                        topic,
                        with_timestamp,
                        profile,
                        name="latched" if latched else None,
                        report_incompatible=not latched,
                    )
                )

    def close(self) -> None:
        """Unsubscribe. Goals that were taken stay known, and do not come again when reopened."""
        subscriptions, self._subscriptions = self._subscriptions, []
        for subscription in subscriptions:
            self._node.destroy_subscription(subscription)

    def forget(self) -> None:
        """Take goals again that were taken before, as another model needs them."""
        self._taken.clear()

    def _on_action(self, message: String, sent: int) -> None:
        if not self._seen("action", sent):
            self._take(GoalCommand(message.data))

    def _on_goal(self, message: ActionGoal, sent: int) -> None:
        # Where the middleware's time is not known, the header's has to do.
        stamp = message.header.stamp
        if not self._seen("goal", sent or stamp.sec * 10**9 + stamp.nanosec):
            self._take(
                GoalCommand(message.action, message.object_name, message.threshold, message.timeout)
            )

    def _seen(self, topic: str, sent: int) -> bool:
        key = (topic, sent)
        seen = sent != 0 and key in self._taken
        if not seen:
            self._taken.append(key)
        return seen
