"""How the node is: its logs, figures, watchdogs, status and diagnostics, with one tick."""

from __future__ import annotations

import traceback
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Protocol

from rclpy.node import Node

from affordance_grounding_core.inference.grounder import Grounder
from affordance_grounding_ros.common.problem_log import COMMAND_BURST, ProblemLog
from affordance_grounding_ros.health.diagnostics import DiagnosticsPublisher, engine_values
from affordance_grounding_ros.health.figures import FrameFigures
from affordance_grounding_ros.health.state import DepthStatus, GoalStatus, NodeStatus, TurnStatus
from affordance_grounding_ros.health.status import StatusPublisher
from affordance_grounding_ros.health.watchdogs import (
    CameraTopic,
    GraphWatch,
    InferenceWatch,
    joined,
)


class WatchedCamera(CameraTopic, Protocol):
    """The subscription to the camera, as far as a watchdog has to do with it."""

    @property
    def warning(self) -> str:
        """The camera's present problem; empty while nothing is."""
        ...

    def open(self) -> None:
        """Subscribe, unless that is done already."""
        ...

    def check(self, *, needed: bool, timeout: float) -> str:
        """Look whether the camera is silent; a warning when that is news, empty otherwise."""
        ...


@dataclass(frozen=True)
class Patience:
    """How long things may take.

    Attributes:
        inference: seconds at one image; 0: any time.
        images: seconds without an image; 0: any time.
    """

    inference: float
    images: float


@dataclass(frozen=True)
class Observation:
    """The node's knowledge of itself at one moment.

    Attributes:
        state: state of the lifecycle: "unconfigured", "inactive", "active" or "finalized".
        failure: why the last transition failed; empty if it did not.
        grounder: model that is loaded; None while there is none.
        goal: goal that is followed.
        requested: action of the goal of ~/ground_action; empty while there is none.
        depth: how it stands with depth.
        turn: how images are turned.
        problem: text about the last image; empty if there was none.
        busy: seconds since the image at work was begun; 0 while there is none.
        images_needed: whether anybody waits for images.
        patience: how long things may take; None while the node is not configured.
    """

    state: str = "unconfigured"
    failure: str = ""
    grounder: Grounder | None = None
    goal: GoalStatus = field(default_factory=GoalStatus)
    requested: str = ""
    depth: DepthStatus = field(default_factory=DepthStatus)
    turn: TurnStatus = field(default_factory=TurnStatus)
    problem: str = ""
    busy: float = 0.0
    images_needed: bool = False
    patience: Patience | None = None


class NodeHealth:
    """Watches the node and says how it is.

    Args:
        node: node that is looked after.
        camera: its subscription to images.
        observe: tells what the node knows about itself.

    Attributes:
        problems: logs what goes wrong, as errors, and shows the last one in the status.
        notices: logs what people want to know.
        figures: counts and times the images.
    """

    def __init__(
        self, node: Node, camera: WatchedCamera, observe: Callable[[], Observation]
    ) -> None:
        self._node = node
        self._camera = camera
        self._observe = observe
        self.problems = ProblemLog(self._log_problem)
        self.notices = ProblemLog(self._log_notice)
        self.figures = FrameFigures()
        self._goal_ended = ""
        self._inference_watch = InferenceWatch()
        self._graph_watch = GraphWatch(node, camera, self.figures.counter)
        self._status = StatusPublisher(node)
        self._diagnostics = DiagnosticsPublisher(node)

    @property
    def status(self) -> NodeStatus:
        """The node's present status."""
        seen = self._observe()
        grounder = seen.grounder
        of_images = (seen.depth.problem, seen.turn.problem) if seen.goal.text else ()
        return NodeStatus(
            state=seen.state,
            model=grounder.information.name if grounder else "",
            fingerprint=grounder.information.fingerprint if grounder else "",
            runtime=grounder.runtime if grounder else "",
            vocabulary=grounder.actions if grounder else (),
            goal=seen.goal,
            requested=seen.requested,
            counts=self.figures.counter.counts,
            depth=seen.depth,
            image_turn=seen.turn.degrees,
            problem=seen.failure or self._inference_watch.problem or seen.problem,
            warning=joined(self._graph_watch.warning, self._camera.warning, *of_images),
            last_error=self.problems.last,
        )

    def publish(self) -> None:
        """Publish the status."""
        try:
            self._status.publish(self.status, self.figures)
        except Exception:
            if self._node.context.ok():
                raise

    def tick(self) -> None:
        """Look at everything once, and publish status and diagnostics; call it every second."""
        self.guard("watchdog", self._look_after)
        self.publish()
        self.guard("diagnostics", self._diagnose)

    def guard(self, name: str, act: Callable[[], None]) -> None:
        """Do something whose failure must not end the process.

        Args:
            name: name of what is done, for the log.
            act: does it.
        """
        try:
            act()
        except Exception as error:
            if self._node.context.ok():
                self.survive(error, name)

    def survive(self, error: Exception, where: str = "a callback") -> None:
        """Report an error that nobody expected, and go on.

        Args:
            error: what was raised.
            where: what raised it.
        """
        self._node.get_logger().debug("".join(traceback.format_exception(error)))
        self.problems.report(
            f"{where} {type(error).__name__}",
            f"{where} failed with {type(error).__name__}: {error}; the node goes on. Details: log "
            "level debug",
        )

    def _look_after(self) -> None:
        self.problems.settle()
        self.notices.settle()
        if warning := self._graph_watch.check():
            self._node.get_logger().warning(warning)
        seen = self._observe()
        if seen.patience is None:
            return
        problem, note = self._inference_watch.check(seen.busy, seen.patience.inference)
        if problem:
            self.problems.report("hang", problem)
        if note:
            self.notices.report("hang", note)
        ended, self._goal_ended = self._goal_ended, seen.goal.ended
        if self._goal_ended and self._goal_ended != ended:
            self.notices.report("ended", self._goal_ended, COMMAND_BURST)
        if seen.state == "active":
            self._look_after_images(seen.images_needed, seen.patience.images)

    def _look_after_images(self, needed: bool, timeout: float) -> None:
        if needed:
            self._camera.open()  # Again, where that failed when they became needed.
        if warning := self._camera.check(needed=needed, timeout=timeout):
            self._node.get_logger().warning(warning)

    def _diagnose(self) -> None:
        engine = engine_values(self._observe().grounder)
        self._diagnostics.publish(self.status, self.figures, engine)

    def _log_problem(self, line: str) -> None:
        self._node.get_logger().error(line)
        self.publish()

    def _log_notice(self, line: str) -> None:
        self._node.get_logger().info(line)
