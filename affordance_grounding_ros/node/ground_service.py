"""The service ~/ground: one image, one action, one answer, beside the stream of results."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from rclpy.node import Node
from sensor_msgs.msg import CompressedImage, Image

from affordance_grounding_core.actions.vocabulary import abbreviate
from affordance_grounding_ros.common import qos
from affordance_grounding_ros.common.deferred import Deferred
from affordance_grounding_ros.common.problem_log import one_line
from affordance_grounding_ros.health.health import NodeHealth
from affordance_grounding_ros.node.goals import ActiveGoal, GoalError, GoalKeeper
from affordance_grounding_ros.node.image_input import ImageInput
from affordance_grounding_ros.node.newest_image import NewestImage
from affordance_grounding_ros.node.pipeline import NOT_ACTIVE, GroundRequest, Pipeline
from affordance_grounding_ros.srv import GroundImage


@dataclass(frozen=True)
class AroundRequests:
    """The parts of the node that answering requests has to do with.

    Attributes:
        node: server's node.
        health: logs what is refused.
        goals: understand actions.
        images: subscription to the camera.
        newest: gives images of the camera.
        pipeline: gives what grounds them; None while the node is not active.
    """

    node: Node
    health: NodeHealth
    goals: GoalKeeper
    images: ImageInput
    newest: NewestImage
    pipeline: Callable[[], Pipeline | None]


@dataclass(frozen=True)
class _Answer:
    result: Any = None
    reason: str = ""


class GroundService:
    """Answers requests for one image; whoever asks waits, and nobody else does.

    Args:
        around: parts of the node.
    """

    MOST_WAITING = 8
    """Requests that wait for an image or for the model at most."""

    def __init__(self, around: AroundRequests) -> None:
        self._around = around
        self._waiting = 0
        self._service = qos.create_service(around.node, GroundImage, "~/ground", self._on_request)

    async def _on_request(self, request: Any, response: Any) -> Any:
        try:
            deferred = self._begin(request)
        except GoalError as error:
            response.closest_names = list(error.closest)
            return self._refused(request, response, str(error))
        self._waiting += 1
        try:
            answer = await deferred.wait()
        finally:
            self._waiting -= 1
        if answer.reason:
            return self._refused(request, response, answer.reason)
        response.success, response.result = True, answer.result
        return response

    def _begin(self, request: Any) -> Deferred[_Answer]:
        pipeline = self._around.pipeline()
        if pipeline is None:
            raise GoalError(NOT_ACTIVE)
        if self._waiting >= self.MOST_WAITING:
            raise GoalError(
                f"{self.MOST_WAITING} requests wait already; ask again when they are answered"
            )
        goal = self._around.goals.resolve_one(
            request.action, request.object_name, request.threshold
        )
        deferred: Deferred[_Answer] = Deferred(self._around.node)

        def submit(image: Image | CompressedImage, *, from_camera: bool) -> None:
            pipeline.request(_request(goal, image, from_camera, request.result_images, deferred))

        given = request.image
        if given.height or given.width or len(given.data):
            submit(given, from_camera=False)
        else:
            self._around.newest.ask(
                lambda image: submit(image, from_camera=True),
                lambda reason: _refuse(deferred, reason),
            )
        return deferred

    def _refused(self, request: Any, response: Any, reason: str) -> Any:
        response.success, response.message = False, one_line(reason)
        self._around.health.problems.report_command(
            f"~/ground refused {abbreviate(request.action)}: {reason}"
        )
        return response


def _request(
    goal: ActiveGoal,
    image: Image | CompressedImage,
    from_camera: bool,
    images: bool,
    deferred: Deferred[_Answer],
) -> GroundRequest:
    return GroundRequest(
        goal=goal,
        image=lambda: image,
        from_camera=from_camera,
        images=images,
        answer=lambda result: _answer(deferred, result),
        refuse=lambda reason: _refuse(deferred, reason),
    )


def _answer(deferred: Deferred[_Answer], result: Any) -> None:
    deferred.give(_Answer(result))


def _refuse(deferred: Deferred[_Answer], reason: str) -> None:
    deferred.give(_Answer(reason=reason))
