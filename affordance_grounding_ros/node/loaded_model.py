"""A model that is loaded, and everything in the node that lives as long as it does."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from rclpy.node import Node
from sensor_msgs.msg import CompressedImage, Image

from affordance_grounding_core.inference.grounder import Grounder
from affordance_grounding_ros.common.problem_log import COMMAND_BURST, one_line
from affordance_grounding_ros.depth.stage import DepthStage
from affordance_grounding_ros.health.health import NodeHealth
from affordance_grounding_ros.node.goals import GoalKeeper
from affordance_grounding_ros.node.image_input import ImageInput
from affordance_grounding_ros.node.pipeline import Pipeline
from affordance_grounding_ros.node.settings import GrounderSettings
from affordance_grounding_ros.node.teaching import AroundTeaching, Teaching


class LoadedModel:
    """Grounds and is taught; made at configuration, released at clean-up.

    Args:
        node: that it works for.
        grounder: the model; closed by `release`, and by whoever makes this where that raises.
        settings: gives the parameters of now.
        goals: get the model's vocabulary, and the goal of the parameter `action`.
        images: subscription to the camera.
        health: logs, counts and times.

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
        goals: GoalKeeper,
        images: ImageInput,
        health: NodeHealth,
    ) -> None:
        self.grounder = grounder
        self._goals = goals
        given = settings()
        around = AroundTeaching(images, goals, health)
        self.teaching = Teaching(node, grounder, given.taught_file, around)
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

    def open(self) -> None:
        """Let results out and listen to commands.

        Raises:
            ValueError: a `qos_overrides` parameter that is not acceptable.
        """
        self.pipeline.resume()
        self.teaching.open()

    def close(self) -> None:
        """Let nothing more out, and listen to nothing."""
        self.pipeline.pause()
        self.teaching.close()

    def release(self) -> None:
        """Free the model and everything that works on it; waits for the image at work."""
        self._goals.use(None)
        self.teaching.release(Pipeline.STOP_TIMEOUT)
        self.pipeline.close()

    def offer(self, message: Image | CompressedImage) -> None:
        """Hand over an image without waiting.

        Args:
            message: the newest image.
        """
        self.teaching.offer(message)
        self.pipeline.offer(message)

    def check(self) -> None:
        """End what has waited too long for an image; call it every second."""
        self.teaching.check()

    @property
    def needs_images(self) -> bool:
        """Whether anybody waits for images."""
        return self.teaching.waits or self._goals.active is not None

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
