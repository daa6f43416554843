"""A model that is loaded, and everything in the node that lives as long as it does."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from rclpy.node import Node

from affordance_grounding_core.inference.grounder import Grounder
from affordance_grounding_ros.common.problem_log import COMMAND_BURST, one_line
from affordance_grounding_ros.depth.stage import DepthStage
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

    Raises:
        ValueError: a goal, a depth or a file of taught actions that cannot be used.
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
        self.teaching = Teaching(grounder, given.taught_file, around)
        depth: DepthStage | None = None
        try:
            goals.use(grounder.vocabulary, grounder.similarity)
            goals.accept(given.action)
            grounder.warm_up(wait=False)  # what has to be built is built beside the answers
            health.figures.restart()
            depth = DepthStage(node, settings) if given.depth_enabled else None
            images.use(given.image_transport, depth.input if depth else None)
            held = self.teaching.exclusive
            self.pipeline = Pipeline(node, grounder, goals, health, images, settings, depth, held)
        except Exception:
            if depth:
                depth.release()
            goals.use(None)
            self.teaching.release(Pipeline.STOP_TIMEOUT)
            raise
        self._announce(health, node.get_logger())

    def release(self) -> None:
        """Free the model and everything that works on it; waits for the image at work."""
        self._goals.use(None)
        self.teaching.release(Pipeline.STOP_TIMEOUT)
        self.pipeline.close()

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
