"""What the node is doing, as one message on `~/status` and as texts for monitors."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field

from rclpy.node import Node

from affordance_grounding_ros.common import qos
from affordance_grounding_ros.health.figures import DepthCounts, FrameCounts, FrameFigures, Window
from affordance_grounding_ros.msg import DurationFigures, GrounderStatus, UnderstoodAction

STATES = {
    "unconfigured": GrounderStatus.UNCONFIGURED,
    "inactive": GrounderStatus.INACTIVE,
    "active": GrounderStatus.ACTIVE,
    "finalized": GrounderStatus.FINALIZED,
}
"""Numbers of the lifecycle's states, by name."""


@dataclass(frozen=True)
class UnderstoodGoalAction:
    """One action of a goal.

    Attributes:
        action: entry of the vocabulary.
        understood: how it was found, for people.
        candidates: what the text may mean and how sure each is, the likeliest first.
    """

    action: str
    understood: str = ""
    candidates: tuple[tuple[str, float], ...] = ()


@dataclass(frozen=True)
class GoalStatus:
    """The goal that is followed.

    Attributes:
        text: as it was given; empty while there is no goal.
        actions: that it means, in the order of turns.
        object_name: that it named.
        timeout: seconds without renewal after which it stops; 0: never.
        ended: why the last goal ended by itself; empty if it did not.
    """

    text: str = ""
    actions: tuple[UnderstoodGoalAction, ...] = ()
    object_name: str = ""
    timeout: float = 0.0
    ended: str = ""

    @property
    def summary(self) -> str:
        """The actions in one line."""
        return "; ".join(one.action for one in self.actions)

    @property
    def values(self) -> dict[str, str]:
        """Everything by name, as text."""
        return {
            "goal": self.text,
            "action": self.summary,
            "understood": "; ".join(one.understood for one in self.actions if one.understood),
            "candidates": "; ".join(
                ", ".join(f"{name} {confidence:.2f}" for name, confidence in one.candidates)
                for one in self.actions
                if one.candidates
            ),
            "object_name": self.object_name,
            "goal_timeout": f"{self.timeout:g}" if self.text else "",
            "goal_ended": self.ended,
        }


@dataclass(frozen=True)
class DepthStatus:
    """How it stands with the places of regions in space.

    Attributes:
        enabled: whether regions get poses.
        problem: why those of the last image have none; empty if they have.
        counts: what became of the depth of the images.
    """

    enabled: bool = False
    problem: str = ""
    counts: DepthCounts = field(default_factory=DepthCounts)

    @property
    def values(self) -> dict[str, str]:
        """Everything by name, as text; the counts are empty while depth is off."""
        state = (self.problem or "on") if self.enabled else "off"
        counts = {
            f"depth_{name}": str(count) if self.enabled else ""
            for name, count in asdict(self.counts).items()
        }
        return {"depth": state, **counts}


@dataclass(frozen=True)
class NodeStatus:
    """Everything the status message says, but for durations.

    Attributes:
        state: of the lifecycle: "unconfigured", "inactive", "active" or "finalized".
        model: name of the model; empty where none is loaded.
        fingerprint: sha256 of its weights; empty where none is loaded.
        runtime: what runs it; empty where none is loaded.
        vocabulary: actions of the model.
        goal: that is followed.
        counts: of images.
        depth: how it stands with depth.
        problem: that keeps the node from working now; empty while there is none.
        warning: of something that a person should look at; empty while there is nothing.
        last_error: last problem there was; it may be over.
    """

    state: str = "unconfigured"
    model: str = ""
    fingerprint: str = ""
    runtime: str = ""
    vocabulary: tuple[str, ...] = ()
    goal: GoalStatus = field(default_factory=GoalStatus)
    counts: FrameCounts = field(default_factory=FrameCounts)
    depth: DepthStatus = field(default_factory=DepthStatus)
    problem: str = ""
    warning: str = ""
    last_error: str = ""

    @property
    def summary(self) -> str:
        """One line for people."""
        if self.problem or self.warning:
            return self.problem or self.warning
        if self.state != "active":
            return self.state
        if self.goal.text:
            return f"grounding '{self.goal.summary}'"
        return f"waiting for a goal; {self.goal.ended}" if self.goal.ended else "waiting for a goal"

    @property
    def level(self) -> int:
        """Level of the message: `GrounderStatus.OK`, `WARN` or `ERROR`."""
        if self.problem:
            return int(GrounderStatus.ERROR)
        return int(GrounderStatus.WARN if self.warning else GrounderStatus.OK)

    @property
    def values(self) -> dict[str, str]:
        """Everything by name, as text."""
        return {
            "state": self.state,
            "model": self.model,
            "fingerprint": self.fingerprint,
            "runtime": self.runtime,
            "vocabulary": ", ".join(self.vocabulary),
            **self.goal.values,
            **{f"frames_{name}": str(count) for name, count in asdict(self.counts).items()},
            **self.depth.values,
            "last_error": self.last_error,
        }


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
            status: of now.
            figures: of the images.
        """
        message = status_message(status, figures)
        message.header.stamp = self._node.get_clock().now().to_msg()
        self._publisher.publish(message)


def status_message(status: NodeStatus, figures: FrameFigures | None = None) -> GrounderStatus:
    """Make the message of a status, without a stamp.

    Args:
        status: of now.
        figures: of the images; all durations are NaN where None.
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
        actions=[_understood_action(one) for one in goal.actions],
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


def _understood_action(one: UnderstoodGoalAction) -> UnderstoodAction:
    return UnderstoodAction(
        action=one.action,
        understood=one.understood,
        candidates=[name for name, _ in one.candidates],
        confidences=[confidence for _, confidence in one.candidates],
    )


def _durations(window: Window) -> DurationFigures:
    found = window.percentiles
    return DurationFigures(median=found.p50, percentile_95=found.p95, maximum=found.maximum)
