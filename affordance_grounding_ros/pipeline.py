"""From an image message to published results, beside the executor."""

from __future__ import annotations

import threading
import traceback
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from rclpy.node import Node
from sensor_msgs.msg import Image

from affordance_grounding_core.inference.grounder import Grounder
from affordance_grounding_core.inference.overlay import draw_overlay
from affordance_grounding_core.inference.result import GroundingResult
from affordance_grounding_ros.conversions import image_to_rgb
from affordance_grounding_ros.goals import GoalKeeper
from affordance_grounding_ros.grounder_parameters import GrounderSettings
from affordance_grounding_ros.image_layout import ImageMessageError
from affordance_grounding_ros.outputs import Outputs
from affordance_grounding_ros.problem_log import ProblemLog
from affordance_grounding_ros.status import FrameCounter
from affordance_grounding_ros.worker import Worker


class Pipeline:
    """Grounds the newest image for the active goal, in a thread of its own.

    Args:
        node: that publishes.
        grounder: the model; closed with the pipeline.
        goals: holds the active goal.
        counter: counts what becomes of the images.
        problems: logs what goes wrong.
        settings: gives the parameters of now.
    """

    def __init__(
        self,
        node: Node,
        grounder: Grounder,
        goals: GoalKeeper,
        counter: FrameCounter,
        problems: ProblemLog,
        settings: Callable[[], GrounderSettings],
    ) -> None:
        self.grounder = grounder
        self._node = node
        self._goals = goals
        self._counter = counter
        self._problems = problems
        self._settings = settings
        self._problem = ""
        self._publishing = threading.Lock()
        self._active = False
        self._outputs = Outputs(node)
        self._worker: Worker[Image] = Worker(self._ground, self._report)
        self._worker.start()

    @property
    def problem(self) -> str:
        """What went wrong with the last image; empty if it was grounded."""
        return self._problem

    def offer(self, message: Image) -> None:
        """Hand over an image without waiting; it replaces one that has not been begun.

        Args:
            message: the newest image.
        """
        if self._goals.active is None:
            self._counter.add(received=1, idle=1)
            return
        self._counter.add(received=1, dropped=int(self._worker.mailbox.put(message)))

    def resume(self) -> None:
        """Let results out."""
        with self._publishing:
            self._active = True

    def pause(self) -> None:
        """Let no more results out, from this moment on, and forget the waiting image."""
        self._worker.mailbox.clear()
        with self._publishing:
            self._active = False

    def close(self) -> None:
        """Wait for the image at work, end the thread, free the model and the topics."""
        self.pause()
        self._worker.stop()
        self.grounder.close()
        self._outputs.destroy()

    def _ground(self, message: Image) -> None:
        goal, settings = self._goals.active, self._settings()
        if goal is None:
            self._counter.add(idle=1)
            return
        image = image_to_rgb(message)
        result = self.grounder.ground(
            image,
            goal.action,
            threshold=goal.threshold,
            regions=settings.regions(self.grounder.regions),
        )
        with self._publishing:
            # Deactivated, or told to stop, while the model was busy: say nothing more.
            if not self._active or self._goals.active is None:
                self._counter.add(idle=1)
                return
            self._outputs.publish(
                message.header,
                image,
                goal,
                result,
                model=self.grounder.information.name,
                runtime=self.grounder.runtime,
                draw_overlay=self._draw_overlay,
            )
        self._counter.add(processed=1)
        self._problem = ""

    def _draw_overlay(self, image: NDArray[np.uint8], result: GroundingResult) -> NDArray[np.uint8]:
        return draw_overlay(image, result, self._settings().overlay)

    def _report(self, error: Exception) -> None:
        if not self._node.context.ok():
            return  # The process is ending: publishing has become impossible.
        if isinstance(error, ImageMessageError):
            self._counter.add(refused=1)
            self._problem = f"image refused: {error}"
            self._problems.report(f"image {error.kind}", self._problem)
            return
        self._counter.add(failed=1)
        self._problem = (
            f"grounding failed with {type(error).__name__}: {error}; nothing is published for this "
            "image, the next one is tried. Details: log level debug"
        )
        self._node.get_logger().debug("".join(traceback.format_exception(error)))
        self._problems.report(type(error).__name__, self._problem)
