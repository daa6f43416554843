"""Teaching on demand: the service ~/teach, and the thread that follows its commands."""

from __future__ import annotations

import math
import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sensor_msgs.msg import CompressedImage, Image

from affordance_grounding_core.actions.vocabulary import abbreviate
from affordance_grounding_core.errors import TeachingError
from affordance_grounding_core.inference.grounder import Grounder
from affordance_grounding_core.teaching.file import default_file
from affordance_grounding_ros.common import qos
from affordance_grounding_ros.common.deferred import Deferred
from affordance_grounding_ros.common.problem_log import COMMAND_BURST, one_line
from affordance_grounding_ros.depth.upright import ImageTurns
from affordance_grounding_ros.images.conversions import image_to_array
from affordance_grounding_ros.node.ground_service import AroundRequests
from affordance_grounding_ros.node.pipeline import NOT_ACTIVE
from affordance_grounding_ros.node.worker import Worker
from affordance_grounding_ros.srv import Teach

if TYPE_CHECKING:
    from affordance_grounding_core.teaching.marks import Mark
    from affordance_grounding_core.teaching.teacher import Teacher

_NAMES = {
    Teach.Request.ADD: "teach",
    Teach.Request.REMOVE: "remove",
    Teach.Request.RENAME: "rename",
    Teach.Request.LIST: "list",
}


@dataclass(frozen=True)
class Answer:
    """Outcome of a command.

    Attributes:
        success: whether it was followed.
        message: what was done, or why it was not.
    """

    success: bool
    message: str


Done = Callable[[Answer], object]
"""Takes the answer to a command, from any thread."""


@dataclass(frozen=True)
class _Job:
    """A command that has what it needs.

    Attributes:
        command: unchecked command.
        image: the part is marked in; None where the command teaches nothing.
        done: gets the answer.
    """

    command: Any
    image: Image | CompressedImage | None
    done: Done


def check_way(command: Any) -> str:
    """Say in which of the three ways a command marks the part.

    Args:
        command: command that teaches.

    Returns:
        "box", "mask" or "click".

    Raises:
        TeachingError: in none of the ways, in several, or by numbers that are not finite.
    """
    click = (command.click_x, command.click_y, command.click_radius)
    if not all(map(math.isfinite, click)):
        raise TeachingError(f"a click must be finite, got {click}")
    given = {
        "box": command.box.width > 0 or command.box.height > 0,
        "mask": command.mask.width > 0 or command.mask.height > 0,
        "click": command.click_radius != 0.0,
    }
    ways = [name for name, used in given.items() if used]
    if len(ways) != 1:
        raise TeachingError(
            "mark the part in exactly one way: a box of a width and height above 0, a mask, or a "
            f"click of a radius above 0; got {' and '.join(ways) or 'none'}"
        )
    return ways[0]


def mark_of(command: Any, height: int, width: int) -> Mark:
    """Mark the part in an image.

    Args:
        command: command that teaches.
        height: height of the image, in px.
        width: likewise.

    Raises:
        TeachingError: the mark does not lie in the image, or has another size.
        ImageMessageError: the mask cannot be read as an image.
    """
    from affordance_grounding_core.teaching.marks import mark_box, mark_click, mark_mask

    way = check_way(command)
    if way == "box":
        box = command.box
        return mark_box(box.x_offset, box.y_offset, box.width, box.height, height, width)
    if way == "click":
        return mark_click(command.click_x, command.click_y, command.click_radius, height, width)
    if command.mask.encoding != "mono8":
        raise TeachingError(
            f"a mask must have encoding 'mono8', got {command.mask.encoding[:20]!r}; convert it"
        )
    return mark_mask(image_to_array(command.mask), height, width)


OWN_FILE = "auto"
"""Value of `taught_file` for the file that `affordance-grounding teach` writes by default."""


class Teaching:
    """Follows commands one at a time, in a thread of its own, beside the inference.

    Args:
        grounder: the model.
        file: taught actions are kept in; `OWN_FILE`: the one of the command line; empty: in
            memory.
        around: parts of the node.
        turns: tells how images are turned upright.

    Attributes:
        exclusive: lock to be held while the grounder is used.
        file: path of the file, empty for none.

    Raises:
        TeachingError: a file that was named and cannot be read, or used with this model.
    """

    def __init__(
        self, grounder: Grounder, file: str, around: AroundRequests, turns: ImageTurns
    ) -> None:
        self._grounder = grounder
        self._around = around
        self._turns = turns
        self.exclusive = threading.Lock()
        self._lock = threading.Lock()
        self._at_work: Done | None = None
        self.file, self._teacher = self._opened(file)
        self._worker: Worker[_Job] = Worker(self._follow, self._fail, name="teaching")
        self._worker.start()

    @property
    def examples(self) -> dict[str, int]:
        """How many examples each taught action has, by name."""
        actions = self._teacher.taught.actions if self._teacher else {}
        return {name: len(action.exemplars) for name, action in actions.items()}

    def release(self, timeout: float) -> None:
        """Wait for the command at work and end the thread.

        Args:
            timeout: seconds to wait; the thread then ends by itself.
        """
        self._worker.stop(timeout)
        self._answer(Answer(False, NOT_ACTIVE))  # To one that waited for the thread.

    def begin(self, command: Any, done: Done) -> None:
        """Follow a command without waiting.

        Args:
            command: request of ~/teach.
            done: gets the answer, once.

        Raises:
            TeachingError: the command cannot be followed, or not now.
        """
        if command.operation not in _NAMES:
            raise TeachingError(
                f"operation must be one of {sorted(_NAMES)} (ADD, REMOVE, RENAME, LIST), got "
                f"{command.operation}"
            )
        if command.operation == Teach.Request.LIST:
            done(Answer(True, f"{len(self.examples)} taught action(s)"))
            return
        teaches = command.operation == Teach.Request.ADD
        if teaches:
            check_way(command)
        with self._lock:
            if self._at_work is not None:
                raise TeachingError(
                    "another command is still at work; send it again when that is answered"
                )
            self._at_work = done
        try:
            self._start(command, done, needs_image=teaches)
        except TeachingError:
            with self._lock:
                self._at_work = None
            raise

    def _start(self, command: Any, done: Done, *, needs_image: bool) -> None:
        def follow(image: Image | CompressedImage | None) -> None:
            self._worker.mailbox.put(_Job(command, image, done))

        if not needs_image:
            follow(None)
            return
        self._around.newest.ask(
            follow,
            lambda reason: self._answer(Answer(False, reason)),
            command.stamp.sec,
            command.stamp.nanosec,
        )

    def _follow(self, job: _Job) -> None:
        try:
            said = self._do(job)
        except (TeachingError, ValueError) as error:
            self._answer(Answer(False, str(error)))
            return
        self._around.goals.change(self._grounder.vocabulary)
        self._answer(Answer(True, said))

    def _do(self, job: _Job) -> str:
        command = job.command
        image = None if job.image is None else self._around.images.reader.read(job.image)
        mark = None if image is None else mark_of(command, image.shape[0], image.shape[1])
        image_turn = None if job.image is None else self._turns.of(job.image.header)
        with self.exclusive:
            if image_turn is not None:
                self._grounder.image_turn = image_turn
            if self._teacher is None:
                self._teacher = self._make_teacher(self.file)
            teacher = self._teacher
            if job.image is not None and image is not None and mark is not None:
                stamp = job.image.header.stamp
                source = f"camera {stamp.sec}.{stamp.nanosec:09d}"
                count = teacher.teach(
                    command.name, image, mark, source=source, override=command.override
                )
                return f"{count} example(s), the last by {mark.description}"
            if command.operation == Teach.Request.REMOVE:
                teacher.remove(command.name, command.example or None)
                return f"forgot example {command.example}" if command.example else "forgotten"
            teacher.rename(command.name, command.new_name, override=command.override)
            return f"is now called {teacher.taught.find(command.new_name)}"

    def _opened(self, file: str) -> tuple[str, Teacher | None]:
        """Path of the file, empty for none, and what was taught before.

        The teacher is not made before it is needed: most robots are never taught, and PyTorch
        takes seconds. The user's own file may belong to another model: nobody asked for it here,
        so that it is left alone and named.
        """
        if file != OWN_FILE:
            return file, self._make_teacher(file) if file else None
        own = default_file()
        if not own.is_file():
            return str(own), None
        try:
            return str(own), self._make_teacher(str(own))
        except TeachingError as error:
            self._around.health.problems.report_command(
                f"without taught actions, which are kept in memory only: {error}"
            )
            return "", None

    def _make_teacher(self, file: str) -> Teacher:
        from affordance_grounding_core.teaching.teacher import Teacher

        return Teacher(self._grounder, file or None)

    def _fail(self, error: Exception) -> None:
        self._answer(Answer(False, f"{type(error).__name__}: {error}; nothing was changed"))

    def _answer(self, answer: Answer) -> None:
        with self._lock:
            done, self._at_work = self._at_work, None
        if done is not None:
            done(answer)


class TeachService:
    """The service ~/teach: whoever asks waits until the command is followed, and nobody else does.

    Args:
        around: parts of the node.
        teaching: gives what follows commands; None while the node is not active.
    """

    def __init__(self, around: AroundRequests, teaching: Callable[[], Teaching | None]) -> None:
        self._around = around
        self._teaching = teaching
        self._service = qos.create_service(around.node, Teach, "~/teach", self._on_request)

    async def _on_request(self, request: Any, response: Any) -> Any:
        deferred: Deferred[Answer] = Deferred(self._around.node)
        teaching = self._teaching()
        if teaching is None:
            deferred.give(Answer(False, NOT_ACTIVE))
        else:
            try:
                teaching.begin(request, deferred.give)
            except (TeachingError, ValueError) as error:
                deferred.give(Answer(False, str(error)))
        answer = await deferred.wait()
        response.success, response.message = answer.success, one_line(answer.message)
        if teaching is not None:
            examples = teaching.examples
            response.names, response.examples = list(examples), list(examples.values())
            response.file = teaching.file
        self._report(request, answer)
        return response

    def _report(self, request: Any, answer: Answer) -> None:
        health = self._around.health
        name = _NAMES.get(request.operation, f"operation {request.operation}")
        said = f"{name} {abbreviate(request.name)}"
        if not answer.success:
            health.problems.report_command(f"{said} refused: {answer.message}")
        elif request.operation != Teach.Request.LIST:
            health.notices.report("teaching", f"{said}: {answer.message}", COMMAND_BURST)
            health.publish()
