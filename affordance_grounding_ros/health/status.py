"""What the node is doing, on `~/status`, for people, launch files and monitors."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field

from diagnostic_msgs.msg import DiagnosticStatus, KeyValue
from rclpy.node import Node

from affordance_grounding_ros.common import qos
from affordance_grounding_ros.health.figures import FrameCounts
from affordance_grounding_ros.node.goals import ActiveGoal


@dataclass(frozen=True)
class NodeStatus:
    """Everything the status message says.

    Attributes:
        state: of the lifecycle: "unconfigured", "inactive", "active" or "finalized".
        model: name of the model; empty where none is loaded.
        fingerprint: sha256 of its weights; empty where none is loaded.
        runtime: what runs it; empty where none is loaded.
        vocabulary: actions of the model.
        goal: active goal; None while there is none.
        ended: why the last goal ended by itself; empty if it did not.
        counts: of images.
        depth: how it stands with depth, by name; see `depth_stage.depth_figures`.
        problem: that keeps the node from working now; empty while there is none.
        warning: of something that a person should look at; empty while there is nothing.
        last_error: last problem there was; it may be over.
    """

    state: str = "unconfigured"
    model: str = ""
    fingerprint: str = ""
    runtime: str = ""
    vocabulary: tuple[str, ...] = ()
    goal: ActiveGoal | None = None
    ended: str = ""
    counts: FrameCounts = field(default_factory=FrameCounts)
    depth: dict[str, str] = field(default_factory=dict)
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
        if self.goal:
            return f"grounding '{self.goal.summary}'"
        return f"waiting for a goal; {self.ended}" if self.ended else "waiting for a goal"

    @property
    def level(self) -> bytes:
        """Level of a DiagnosticStatus: OK, WARN or ERROR."""
        level: bytes = DiagnosticStatus.OK
        if self.problem:
            level = DiagnosticStatus.ERROR
        elif self.warning:
            level = DiagnosticStatus.WARN
        return level

    @property
    def values(self) -> dict[str, str]:
        """Everything by name, as text."""
        return {
            "state": self.state,
            "model": self.model,
            "fingerprint": self.fingerprint,
            "runtime": self.runtime,
            "vocabulary": ", ".join(self.vocabulary),
            "goal": self.goal.text if self.goal else "",
            "action": self.goal.summary if self.goal else "",
            "understood": self.goal.understood if self.goal else "",
            "candidates": self.goal.candidates if self.goal else "",
            "object_name": self.goal.object_name if self.goal else "",
            "goal_timeout": f"{self.goal.timeout:g}" if self.goal else "",
            "goal_ended": self.ended,
            **{f"frames_{field}": str(count) for field, count in asdict(self.counts).items()},
            **self.depth,
            "last_error": self.last_error,
        }


class StatusPublisher:
    """Publishes the status; whoever subscribes gets the last one at once.

    Args:
        node: that publishes.
    """

    def __init__(self, node: Node) -> None:
        self._name = component_name(node)
        self._publisher = qos.create_publisher(node, DiagnosticStatus, "~/status", qos.status())

    def publish(self, status: NodeStatus) -> None:
        """Publish a status.

        Args:
            status: of now.
        """
        self._publisher.publish(status_message(self._name, status))


def component_name(node: Node) -> str:
    """What a node is called in diagnostics."""
    return f"{node.get_fully_qualified_name().lstrip('/')}: affordance grounding"


def status_message(name: str, status: NodeStatus) -> DiagnosticStatus:
    """Make the message of a status.

    Args:
        name: of the component.
        status: of now.
    """
    return DiagnosticStatus(
        level=status.level,
        name=name,
        message=status.summary,
        hardware_id=status.runtime,
        values=key_values(status.values),
    )


def key_values(values: dict[str, str]) -> list[KeyValue]:
    """Make the pairs of a DiagnosticStatus."""
    return [KeyValue(key=key, value=value) for key, value in values.items()]


def status_values(message: DiagnosticStatus) -> dict[str, str]:
    """Read a status as those who listen need it.

    Args:
        message: of `status_message`.

    Returns:
        Its values by key; "message", the line for people; and "level", see `status_level`.
    """
    values = {pair.key: pair.value for pair in message.values}
    return {**values, "message": message.message, "level": status_level(message.level)}


def status_level(level: bytes) -> str:
    """A level of DiagnosticStatus as text: "0" for OK, "1" for WARN, "2" for ERROR."""
    return str(ord(level))
