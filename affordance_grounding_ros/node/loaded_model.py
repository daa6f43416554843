"""A model that is loaded, and everything in the node that lives as long as it does."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack
from typing import Any

from rclpy.node import Node

from affordance_grounding_core.inference.grounder import Grounder
from affordance_grounding_ros.common.problem_log import COMMAND_BURST, ProblemLog, one_line
from affordance_grounding_ros.depth.stage import DepthStage
from affordance_grounding_ros.depth.transforms import FrameLookup, TfLookup
from affordance_grounding_ros.depth.upright import AUTO, ImageTurns
from affordance_grounding_ros.health.health import NodeHealth
from affordance_grounding_ros.node.ground_service import AroundRequests
from affordance_grounding_ros.node.pipeline import Pipeline
from affordance_grounding_ros.node.settings import GrounderSettings
from affordance_grounding_ros.node.teaching import Teaching


class LoadedModel:
    """Grounds and is taught; made at configuration, released at clean-up.

    Args:
        node: node that the model works for.
        grounder: the model; closed by `release`, and by whoever makes this where that raises.
        settings: gives the parameters of now.
        around: parts of the node; its goals get the model's vocabulary, and the goal of the
            parameter `action`.

    Attributes:
        grounder: the model.
        pipeline: grounds images.
        teaching: teaches the model.
        turns: tells how images are turned upright.

    Raises:
        ValueError: a goal, a depth or a file of taught actions that cannot be used.
        DepthError: a parameter needs TF, and TF cannot be used here.
    """

    def __init__(
        self,
        node: Node,
        grounder: Grounder,
        settings: Callable[[], GrounderSettings],
        around: AroundRequests,
    ) -> None:
        self.grounder = grounder
        goals, health, images = around.goals, around.health, around.images
        self._goals = goals
        given = settings()
        with ExitStack() as undo:
            # First, so that a parameter without TF fails the configuration, not every image.
            self._frames = frames = _listen_to_tf(node, given)
            if frames:
                undo.callback(frames.close)
            self.turns = turns = _turns(node, given, frames, health)
            self.teaching = Teaching(grounder, given.taught_file, around, turns)
            undo.callback(self.teaching.release, Pipeline.STOP_TIMEOUT)
            undo.callback(goals.use, None)
            goals.use(grounder.vocabulary, grounder.similarity)
            goals.accept(given.action)
            grounder.image_turn = turns.begins_with
            grounder.warm_up(wait=False)  # what has to be built is built beside the answers
            health.figures.restart()
            depth = DepthStage(node, settings, frames) if given.depth_enabled else None
            if depth:
                undo.callback(depth.release)
            images.use(given.image_transport, depth.input if depth else None)
            held = self.teaching.exclusive
            self.pipeline = Pipeline(
                node, grounder, goals, health, images, settings, turns, depth, held
            )
            undo.pop_all()
        self._announce(health, node.get_logger())

    def release(self) -> None:
        """Free the model and everything that works on it; waits for the image at work."""
        self._goals.use(None)
        self.teaching.release(Pipeline.STOP_TIMEOUT)
        self.pipeline.close()
        if self._frames:
            self._frames.close()

    def _announce(self, health: NodeHealth, logger: Any) -> None:
        grounder = self.grounder
        health.notices.report(
            "model",
            f"model '{grounder.information.name}' on {grounder.runtime}, actions: "
            f"{', '.join(grounder.actions)}",
            COMMAND_BURST,
        )
        report = grounder.runtime_report
        if report and report.degraded:
            logger.warning(
                one_line(
                    f"asked for runtime '{report.asked}', '{report.description}' answers: "
                    f"{'; '.join(report.rejected)}"
                )
            )


def _listen_to_tf(node: Node, given: GrounderSettings) -> TfLookup | None:
    """Listens to TF where a parameter needs it, once for all of them."""
    needs = {
        "image_turn": given.image_turn == AUTO,
        "target_frame": given.depth_enabled and bool(given.target_frame),
    }
    parameter = next((name for name, needed in needs.items() if needed), None)
    return TfLookup(node, parameter) if parameter else None


def _turns(
    node: Node, given: GrounderSettings, frames: FrameLookup | None, health: NodeHealth
) -> ImageTurns:
    warnings = ProblemLog(node.get_logger().warning)
    return ImageTurns(given.image_turn, given.upright_frame, frames, warnings, health.notices)
