"""From an image message to published results, beside the executor."""

from __future__ import annotations

import threading
import time
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from rclpy.node import Node
from sensor_msgs.msg import CompressedImage, Image
from std_msgs.msg import Header

from affordance_grounding_core.actions.vocabulary import abbreviate
from affordance_grounding_core.errors import UnknownActionError
from affordance_grounding_core.inference.grounder import Grounder
from affordance_grounding_core.inference.overlay import draw_overlay
from affordance_grounding_core.inference.result import GroundingResult
from affordance_grounding_core.inference.turn import ImageTurn
from affordance_grounding_ros.common.problem_log import one_line
from affordance_grounding_ros.depth.input import DepthClaim
from affordance_grounding_ros.depth.outputs import RegionPoses
from affordance_grounding_ros.depth.stage import DepthStage
from affordance_grounding_ros.depth.upright import ImageTurns
from affordance_grounding_ros.health.health import NodeHealth
from affordance_grounding_ros.health.state import DepthStatus
from affordance_grounding_ros.images.compressed import encoding_of
from affordance_grounding_ros.images.layouts import ImageMessageError
from affordance_grounding_ros.images.reader import ImageReader
from affordance_grounding_ros.node.goals import ActiveGoal, GoalError, GoalKeeper, Turn
from affordance_grounding_ros.node.image_input import ImageInput
from affordance_grounding_ros.node.outputs import Outputs
from affordance_grounding_ros.node.settings import GrounderSettings
from affordance_grounding_ros.node.worker import Worker

NOT_ACTIVE = (
    "the node is not active: ~/status says what it is doing; activate it (`ros2 lifecycle set NODE "
    "activate`) and ask again"
)
"""Why nothing is answered while the node is paused."""


@dataclass(frozen=True)
class Frame:
    """An image on its way.

    Attributes:
        message: unchecked message.
        claim: on its depth; None while depth is off.
    """

    message: Image | CompressedImage
    claim: DepthClaim | None


@dataclass(frozen=True)
class GroundRequest:
    """One image to be grounded for somebody who waits for the answer.

    Attributes:
        goal: goal of one action.
        image: gives the image, when it is its turn.
        from_camera: whether the image is the camera's, so that its depth may be known.
        images: whether the answer holds heatmap and mask of the whole image.
        answer: called with the AffordanceResult, by the inference thread.
        refuse: called with the reason where there is none, by any thread.
    """

    goal: ActiveGoal
    image: Callable[[], Image | CompressedImage]
    from_camera: bool
    images: bool
    answer: Callable[[Any], None]
    refuse: Callable[[str], None]


class Pipeline:
    """Grounds the newest image for the active goal, and requests, in a thread of its own.

    Args:
        node: node that publishes.
        grounder: the model; closed with the pipeline, by its thread.
        goals: holds the active goal.
        health: counts and times the images, and logs what goes wrong.
        images: input whose reader makes colours of images, and whose clocks tell how old they are.
        settings: gives the parameters of now.
        turns: tells how images are turned upright.
        depth: gives regions their poses, and is released with the pipeline; None while it is off.
        exclusive: held while the grounder is used; None where nobody else uses it.
    """

    STOP_TIMEOUT = 10.0
    """Seconds that closing waits for the image at work."""

    def __init__(
        self,
        node: Node,
        grounder: Grounder,
        goals: GoalKeeper,
        health: NodeHealth,
        images: ImageInput,
        settings: Callable[[], GrounderSettings],
        turns: ImageTurns,
        depth: DepthStage | None = None,
        exclusive: threading.Lock | None = None,
    ) -> None:
        self.grounder = grounder
        self._node = node
        self._goals = goals
        self._figures = health.figures
        self._count = health.figures.counter.add
        self._problems = health.problems
        self._settings = settings
        self._turns = turns
        self._depth = depth
        self._exclusive = exclusive or threading.Lock()
        self._problem = ""
        self._model_cpu = 0.0
        self._publishing = threading.Lock()
        self._active = False
        self._reader = images.reader
        self._outputs = Outputs(node, images.clocks.latency)
        self._worker: Worker[Frame | GroundRequest] = Worker(
            self._work, self._report, grounder.close
        )
        if self._outputs.detections:
            threshold = settings().regions(grounder.regions).threshold
            self._outputs.detections.announce(grounder.actions, threshold)
        self._worker.start()

    @property
    def problem(self) -> str:
        """The last image's problem; empty if it was grounded, or none is wanted."""
        return self._problem if self._goals.active else ""

    @property
    def depth_status(self) -> DepthStatus:
        """How it stands with the places of regions in space."""
        if self._depth is None:
            return DepthStatus()
        return DepthStatus(True, self._depth.problem, self._depth.counts)

    @property
    def busy(self) -> float:
        """Seconds since the image at work was begun; 0 while there is none."""
        return self._worker.busy

    def offer(self, message: Image | CompressedImage) -> None:
        """Hand over an image without waiting; it replaces one that has not been begun.

        Args:
            message: the newest image.
        """
        if self._goals.active is None:
            self._count(received=1, idle=1)
            return
        claim = self._claim(message)
        self._count(received=1, dropped=int(self._worker.mailbox.put(Frame(message, claim))))
        time.sleep(0)  # The thread of the model goes on at once, not when this one next waits.

    def request(self, request: GroundRequest) -> None:
        """Hand over a request without waiting; it is answered or refused.

        Args:
            request: request of somebody who waits.
        """
        if not self._active:
            request.refuse(NOT_ACTIVE)
        elif not self._worker.mailbox.ask(request):
            most = self._worker.mailbox.MOST_REQUESTS
            request.refuse(f"{most} requests wait already; ask again when they are answered")

    def resume(self) -> None:
        """Let results out.

        Raises:
            ValueError: a `qos_overrides` parameter that is not acceptable.
        """
        with self._publishing:
            if self._depth:
                self._depth.resume()
            self._active = True

    def pause(self) -> None:
        """Let no more results out, from this moment on; forget the image and refuse what waits."""
        with self._publishing:
            if self._active and self._depth:
                self._depth.pause()
            self._active = False
        for one in self._worker.mailbox.clear():
            if isinstance(one, GroundRequest):
                one.refuse(NOT_ACTIVE)

    def close(self) -> None:
        """Wait for the image at work, end the thread, free the model and the topics."""
        self.pause()
        if not self._worker.stop(self.STOP_TIMEOUT):
            self._problems.report(
                "stop",
                f"the model did not finish its image within {self.STOP_TIMEOUT:g} s and is freed "
                "when it does; until then its memory is in use: start the node again if it hangs",
            )
        self._outputs.destroy()
        if self._depth:
            self._depth.release()

    def _work(self, work: Frame | GroundRequest) -> None:
        if isinstance(work, GroundRequest):
            self._serve(work)
        else:
            self._follow(work)

    def _serve(self, request: GroundRequest) -> None:
        try:
            message = request.image()
            reader = self._reader if request.from_camera else ImageReader()
            image = reader.read(message)
            turn = self._turns.of(message.header, from_camera=request.from_camera)
            result = self._infer(image, request.goal.actions[0], request.goal, turn)
            claim = self._claim(message) if request.from_camera else None
            answer = self._outputs.message(
                message.header,
                request.goal,
                result,
                model=self.grounder.information.name,
                runtime=self.grounder.runtime,
                poses=self._locate(Frame(message, claim), result),
                images=request.images,
            )
        except (ImageMessageError, UnknownActionError, GoalError) as error:
            request.refuse(str(error))
            return
        except Exception as error:
            request.refuse(f"grounding failed with {type(error).__name__}: {error}")
            raise
        with self._publishing:
            active = self._active
        if active:
            request.answer(answer)
        else:
            request.refuse(NOT_ACTIVE)

    def _claim(self, message: Image | CompressedImage) -> DepthClaim | None:
        return self._depth.input.claim(message.header) if self._depth else None

    def _infer(
        self, image: NDArray[np.uint8], action: str, goal: ActiveGoal, image_turn: ImageTurn
    ) -> GroundingResult:
        regions = self._settings().regions(self.grounder.regions)
        with self._exclusive:
            self.grounder.image_turn = image_turn
            return self.grounder.ground(image, action, threshold=goal.threshold, regions=regions)

    def _follow(self, frame: Frame) -> None:
        begun, begun_cpu = time.perf_counter(), time.thread_time()
        self._model_cpu = 0.0
        try:
            result = self._ground(frame)
        except ImageMessageError as error:
            self._refuse(frame.message, error)
            return
        if result is None:
            self._count(idle=1)
            return
        self._count(processed=1)
        self._problem = ""
        self._figures.inference.add(result.seconds)
        self._figures.overhead.add(time.perf_counter() - begun - result.seconds)
        self._figures.overhead_cpu.add(time.thread_time() - begun_cpu - self._model_cpu)

    def _ground(self, frame: Frame) -> GroundingResult | None:
        """Grounds and publishes, unless nobody wants it any more."""
        turn = self._goals.turn()
        if turn is None:
            return None
        image = self._reader.read(frame.message)
        image_turn = self._turns.of(frame.message.header)
        before = time.thread_time()
        result = self._infer(image, turn.action, turn.goal, image_turn)
        self._model_cpu = time.thread_time() - before
        poses = self._locate(frame, result)
        with self._publishing:
            # Deactivated, or told to stop, while the model was busy: say nothing more.
            if not self._active or self._goals.active is None:
                return None
            self._publish(frame.message.header, image, turn, result, poses)
        return result

    def _locate(self, frame: Frame, result: GroundingResult) -> RegionPoses | None:
        if self._depth is None or frame.claim is None:
            return None
        return self._depth.locate(frame.claim, frame.message.header, result)

    def _publish(
        self,
        header: Header,
        image: NDArray[np.uint8],
        turn: Turn,
        result: GroundingResult,
        poses: RegionPoses | None,
    ) -> None:
        latency = self._outputs.publish(
            header,
            image,
            turn.goal,
            result,
            model=self.grounder.information.name,
            runtime=self.grounder.runtime,
            draw_overlay=self._draw_overlay,
            poses=poses,
            images=self._settings().result_images,
        )
        if self._outputs.detections:
            self._outputs.detections.publish(header, result, self.grounder.actions)
        if self._depth and poses:
            self._depth.publish(header, image, result, poses)
        self._figures.latency.add(latency)

    def _draw_overlay(self, image: NDArray[np.uint8], result: GroundingResult) -> NDArray[np.uint8]:
        return draw_overlay(image, result, self._settings().overlay)

    def _refuse(self, message: Image | CompressedImage, error: ImageMessageError) -> None:
        self._count(refused=1)
        self._problem = f"image refused: {error}"
        # Another encoding is news, also shortly after the last one that was refused.
        self._problems.report(
            f"image {error.kind} {abbreviate(encoding_of(message))}", self._problem
        )

    def _report(self, error: Exception) -> None:
        if not self._node.context.ok():
            return  # The process is ending: publishing has become impossible.
        self._count(failed=1)
        self._problem = one_line(
            f"grounding failed with {type(error).__name__}: {error}; nothing "
            "is published for this image, the next one is tried. Details: log level debug"
        )
        self._node.get_logger().debug("".join(traceback.format_exception(error)))
        self._problems.report(f"{type(error).__name__} {str(error)[:60]}", self._problem)
