"""State of the node, as one message on `~/status`."""

from __future__ import annotations

from dataclasses import asdict

from rclpy.node import Node

from affordance_grounding_ros.common import qos
from affordance_grounding_ros.health.figures import FrameFigures, Window
from affordance_grounding_ros.health.state import NodeStatus, UnderstoodGoalAction
from affordance_grounding_ros.msg import DurationFigures, GrounderStatus, UnderstoodAction

STATES = {
    "unconfigured": GrounderStatus.UNCONFIGURED,
    "inactive": GrounderStatus.INACTIVE,
    "active": GrounderStatus.ACTIVE,
    "finalized": GrounderStatus.FINALIZED,
}
"""Numbers of the lifecycle's states, by name."""


class StatusPublisher:
    """Publishes the status; whoever subscribes gets the last one at once.

    Args:
        node: publisher's node, whose clock stamps the messages.
    """

    def __init__(self, node: Node) -> None:
        self._node = node
        self._publisher = qos.create_publisher(node, GrounderStatus, "~/status", qos.status())

    def publish(self, status: NodeStatus, figures: FrameFigures) -> None:
        """Publish a status.

        Args:
            status: what the node is doing now.
            figures: figures of the images.
        """
        message = status_message(status, figures)
        message.header.stamp = self._node.get_clock().now().to_msg()
        self._publisher.publish(message)


def status_message(status: NodeStatus, figures: FrameFigures | None = None) -> GrounderStatus:
    """Make the message of a status, without a stamp.

    Args:
        status: what the node is doing now.
        figures: figures of the images; all durations are NaN where None.
    """
    goal, depth, times = status.goal, status.depth, figures or FrameFigures()
    return GrounderStatus(
        state=STATES[status.state],
        level=status.level,
        summary=status.summary,
        problem=status.problem,
        warning=status.warning,
        last_error=status.last_error,
        model=status.model,
        fingerprint=status.fingerprint,
        runtime=status.runtime,
        vocabulary=list(status.vocabulary),
        goal=goal.text,
        actions=[understood_action(one) for one in goal.actions],
        object_name=goal.object_name,
        goal_timeout=float(goal.timeout),
        goal_ended=goal.ended,
        **{f"frames_{name}": count for name, count in asdict(status.counts).items()},
        inference=_durations(times.inference),
        overhead=_durations(times.overhead),
        overhead_cpu=_durations(times.overhead_cpu),
        latency=_durations(times.latency),
        depth_enabled=depth.enabled,
        depth_problem=depth.problem,
        **{f"depth_{name}": count for name, count in asdict(depth.counts).items()},
    )


def understood_action(one: UnderstoodGoalAction) -> UnderstoodAction:
    """Make the message of one action of a goal.

    Args:
        one: action as it was understood.
    """
    return UnderstoodAction(
        action=one.action,
        understood=one.understood,
        candidates=[name for name, _ in one.candidates],
        confidences=[confidence for _, confidence in one.candidates],
    )


def _durations(window: Window) -> DurationFigures:
    found = window.percentiles
    return DurationFigures(median=found.p50, percentile_95=found.p95, maximum=found.maximum)
