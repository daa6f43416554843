"""State of the node, as plain values and as texts for monitors."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field

from affordance_grounding_ros.health.figures import DepthCounts, FrameCounts


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
        text: words of the command; empty while there is no goal.
        actions: actions that the goal means, in the order of turns.
        object_name: name of the object that the command named.
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
class TurnStatus:
    """How images are turned before the network sees them.

    Attributes:
        degrees: degrees counterclockwise, as text; empty where no model is loaded.
        problem: why TF does not tell; empty if it does, or is not asked.
    """

    degrees: str = ""
    problem: str = ""


@dataclass(frozen=True)
class NodeStatus:
    """Everything the status message says, but for durations.

    Attributes:
        state: state of the lifecycle: "unconfigured", "inactive", "active" or "finalized".
        model: name of the model; empty where none is loaded.
        fingerprint: sha256 of its weights; empty where none is loaded.
        runtime: what runs it; empty where none is loaded.
        vocabulary: actions of the model.
        goal: goal that is followed.
        requested: action of the goal of ~/ground_action; empty while there is none.
        counts: numbers of images.
        depth: how it stands with depth.
        image_turn: degrees by which images are turned, as text; empty where no model is loaded.
        problem: text about what keeps the node from working now; empty while there is none.
        warning: text about something that a person should look at; empty while there is nothing.
        last_error: last problem there was; it may be over.
    """

    state: str = "unconfigured"
    model: str = ""
    fingerprint: str = ""
    runtime: str = ""
    vocabulary: tuple[str, ...] = ()
    goal: GoalStatus = field(default_factory=GoalStatus)
    requested: str = ""
    counts: FrameCounts = field(default_factory=FrameCounts)
    depth: DepthStatus = field(default_factory=DepthStatus)
    image_turn: str = ""
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
        followed = [one for one in (self.goal.summary, self.requested) if one]
        if followed:
            return f"grounding '{'; '.join(followed)}'"
        return f"waiting for a goal; {self.goal.ended}" if self.goal.ended else "waiting for a goal"

    @property
    def level(self) -> int:
        """Level in the numbers of GrounderStatus and DiagnosticStatus: 0 OK, 1 WARN, 2 ERROR."""
        if self.problem:
            return 2
        return 1 if self.warning else 0

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
            "image_turn": self.image_turn,
            "last_error": self.last_error,
        }
