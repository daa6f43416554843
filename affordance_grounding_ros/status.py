"""What the node is doing, on `~/status`, for people, launch files and monitors."""

from __future__ import annotations

import threading
from dataclasses import asdict, dataclass, replace

from diagnostic_msgs.msg import DiagnosticStatus, KeyValue
from rclpy.node import Node

from affordance_grounding_ros import qos
from affordance_grounding_ros.goals import ActiveGoal


@dataclass(frozen=True)
class FrameCounts:
    """What became of the images since the node was activated for the first time.

    Attributes:
        received: images that arrived.
        processed: images that were grounded and published.
        dropped: images replaced by a newer one while the model was busy.
        idle: images that arrived while there was no goal.
        refused: images that could not be read.
        failed: images for which the model raised.
    """

    received: int = 0
    processed: int = 0
    dropped: int = 0
    idle: int = 0
    refused: int = 0
    failed: int = 0


class FrameCounter:
    """Counts images from the executor and from the inference thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._counts = FrameCounts()

    @property
    def counts(self) -> FrameCounts:
        """The numbers so far, consistent among each other."""
        with self._lock:
            return self._counts

    def add(self, **names: int) -> None:
        """Add to counts.

        Args:
            names: fields of `FrameCounts` and what is added to each.
        """
        with self._lock:
            now = asdict(self._counts)
            self._counts = replace(
                self._counts, **{name: now[name] + count for name, count in names.items()}
            )


@dataclass(frozen=True)
class NodeStatus:
    """Everything the status message says.

    Attributes:
        state: of the lifecycle: "unconfigured", "inactive", "active" or "finalized".
        model: name of the model; empty where none is loaded.
        runtime: what runs it; empty where none is loaded.
        vocabulary: actions of the model.
        goal: active goal; None while there is none.
        counts: of images.
        problem: that keeps the node from working now; empty while there is none.
        warning: of something that a person should look at; empty while there is nothing.
        last_error: last problem there was; it may be over.
    """

    state: str = "unconfigured"
    model: str = ""
    runtime: str = ""
    vocabulary: tuple[str, ...] = ()
    goal: ActiveGoal | None = None
    counts: FrameCounts = FrameCounts()
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
        return f"grounding '{self.goal.action}'" if self.goal else "waiting for a goal"


class StatusPublisher:
    """Publishes the status; whoever subscribes gets the last one at once.

    Args:
        node: that publishes.
    """

    def __init__(self, node: Node) -> None:
        self._name = f"{node.get_fully_qualified_name().lstrip('/')}: affordance grounding"
        self._publisher = qos.create_publisher(node, DiagnosticStatus, "~/status", qos.status())

    def publish(self, status: NodeStatus) -> None:
        """Publish a status.

        Args:
            status: of now.
        """
        self._publisher.publish(status_message(self._name, status))


def status_message(name: str, status: NodeStatus) -> DiagnosticStatus:
    """Make the message of a status.

    Args:
        name: of the component.
        status: of now.
    """
    level = DiagnosticStatus.OK
    if status.problem:
        level = DiagnosticStatus.ERROR
    elif status.warning:
        level = DiagnosticStatus.WARN
    values = {
        "state": status.state,
        "model": status.model,
        "runtime": status.runtime,
        "vocabulary": ", ".join(status.vocabulary),
        "goal": status.goal.text if status.goal else "",
        "action": status.goal.action if status.goal else "",
        "object_name": status.goal.object_name if status.goal else "",
        **{f"frames_{field}": str(count) for field, count in asdict(status.counts).items()},
        "last_error": status.last_error,
    }
    return DiagnosticStatus(
        level=level,
        name=name,
        message=status.summary,
        hardware_id="",
        values=[KeyValue(key=key, value=value) for key, value in values.items()],
    )
