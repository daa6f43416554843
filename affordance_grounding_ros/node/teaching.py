"""Teaching over topics: commands on ~/teach, the taught actions and the answer on ~/taught."""

from __future__ import annotations

import math
import threading
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from rclpy.node import Node
from rclpy.subscription import Subscription
from sensor_msgs.msg import CompressedImage, Image

from affordance_grounding_core.actions.vocabulary import abbreviate
from affordance_grounding_core.errors import TeachingError
from affordance_grounding_core.inference.grounder import Grounder
from affordance_grounding_core.teaching.file import default_file
from affordance_grounding_ros.common import qos
from affordance_grounding_ros.common.problem_log import COMMAND_BURST, one_line
from affordance_grounding_ros.health.health import NodeHealth
from affordance_grounding_ros.images.conversions import image_to_array
from affordance_grounding_ros.msg import TaughtActions, TeachAction
from affordance_grounding_ros.node.goals import GoalKeeper
from affordance_grounding_ros.node.image_input import ImageInput, RecentImages
from affordance_grounding_ros.node.worker import Worker

if TYPE_CHECKING:
    from affordance_grounding_core.teaching.marks import Mark
    from affordance_grounding_core.teaching.teacher import Teacher


def check_way(command: TeachAction) -> str:
    """Say in which of the three ways a command marks the part.

    Args:
        command: that teaches.

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


def mark_of(command: TeachAction, height: int, width: int) -> Mark:
    """Mark the part in an image.

    Args:
        command: that teaches.
        height: of the image, in px.
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
"""As `taught_file`: the file that `affordance-grounding teach` writes where none is named."""

_NAMES = {TeachAction.ADD: "teach", TeachAction.REMOVE: "remove", TeachAction.RENAME: "rename"}


@dataclass(frozen=True)
class AroundTeaching:
    """The parts of the node that teaching has to do with.

    Attributes:
        images: opened for a command that waits for one.
        goals: get the new vocabulary.
        health: logs what was followed and what was refused.
    """

    images: ImageInput
    goals: GoalKeeper
    health: NodeHealth


@dataclass(frozen=True)
class _Job:
    """A command that has what it needs.

    Attributes:
        command: as it came.
        image: the part is marked in; None where the command teaches nothing.
    """

    command: TeachAction
    image: Image | CompressedImage | None


class Teaching:
    """Follows commands one at a time, in a thread of its own, beside the inference.

    Args:
        node: that subscribes and publishes.
        grounder: the model.
        file: taught actions are kept in; `OWN_FILE`: the one of the command line; empty: in
            memory.
        around: parts of the node.

    Attributes:
        exclusive: to be held while the grounder is used.

    Raises:
        TeachingError: a file that was named and cannot be read, or used with this model.
    """

    IMAGE_TIMEOUT = 5.0
    """Seconds a command waits for an image."""

    def __init__(
        self,
        node: Node,
        grounder: Grounder,
        file: str,
        around: AroundTeaching,
    ) -> None:
        self._node = node
        self._grounder = grounder
        self._around = around
        self.exclusive = threading.Lock()
        self._recent = RecentImages()
        self._lock = threading.Lock()
        self._waiting: tuple[TeachAction, float] | None = None
        self._busy = False
        self._last = ("", False, "")
        self._file, self._teacher = self._opened(file)
        self._subscription: Subscription[Any] | None = None
        self._publisher = qos.create_publisher(node, TaughtActions, "~/taught", qos.status())
        self._worker: Worker[_Job] = Worker(self._follow, self._fail, name="teaching")
        self._worker.start()
        self._publish()

    def open(self) -> None:
        """Subscribe to commands.

        Raises:
            ValueError: a `qos_overrides` parameter that is not acceptable.
        """
        self._subscription = qos.create_subscription(
            self._node, TeachAction, "~/teach", self._on_command, qos.command()
        )

    def close(self) -> None:
        """Unsubscribe and forget the images; a command that waits is refused."""
        subscription, self._subscription = self._subscription, None
        if subscription is not None:
            self._node.destroy_subscription(subscription)
        self._expire(0.0, "the node was deactivated")
        self._recent.clear()

    def release(self, timeout: float) -> None:
        """Wait for the command at work and end the thread.

        Args:
            timeout: seconds to wait; the thread then ends by itself.
        """
        self.close()
        self._worker.stop(timeout)
        self._node.destroy_publisher(self._publisher)

    def offer(self, message: Image | CompressedImage) -> None:
        """Take note of an image; begin the command that waits for one.

        Args:
            message: the newest image.
        """
        self._recent.add(message)
        with self._lock:
            waiting, self._waiting = self._waiting, None
        if waiting is not None:
            self._worker.mailbox.put(_Job(waiting[0], message))

    def check(self) -> None:
        """Refuse the command that has waited too long for an image; call it often."""
        self._expire(
            self.IMAGE_TIMEOUT,
            f"no image has come within {self.IMAGE_TIMEOUT:g} s; check the camera and the topic "
            "'image', and send it again",
        )

    @property
    def waits(self) -> bool:
        """Whether a command waits for the next image."""
        with self._lock:
            return self._waiting is not None

    def _on_command(self, command: TeachAction) -> None:
        with self._lock:
            busy, self._busy = self._busy, True
        if busy:
            # The answer of the one at work is still to come, and must not be overwritten.
            self._around.health.problems.report_command(
                f"{_described(command)} refused: the last command is still at work; send it again "
                "when ~/taught has answered"
            )
            return
        try:
            self._begin(command)
        except (TeachingError, ValueError) as error:
            self._answer(command, accepted=False, message=str(error))

    def _begin(self, command: TeachAction) -> None:
        if command.operation not in _NAMES:
            raise TeachingError(
                f"operation must be one of {sorted(_NAMES)} (ADD, REMOVE, RENAME), got "
                f"{command.operation}"
            )
        if command.operation != TeachAction.ADD:
            self._worker.mailbox.put(_Job(command, None))
            return
        check_way(command)
        stamp = command.header.stamp
        image = self._recent.find(stamp.sec, stamp.nanosec)
        if image is not None:
            self._worker.mailbox.put(_Job(command, image))
            return
        with self._lock:
            self._waiting = (command, time.monotonic())
        self._around.images.open()

    def _follow(self, job: _Job) -> None:
        try:
            done = self._do(job)
        except (TeachingError, ValueError) as error:
            self._answer(job.command, accepted=False, message=str(error))
            return
        self._around.goals.change(self._grounder.vocabulary)
        self._answer(job.command, accepted=True, message=done)

    def _do(self, job: _Job) -> str:
        command = job.command
        image = None if job.image is None else self._around.images.reader.read(job.image)
        mark = None if image is None else mark_of(command, image.shape[0], image.shape[1])
        with self.exclusive:
            if self._teacher is None:
                self._teacher = self._make_teacher(self._file)
            teacher = self._teacher
            if image is not None and mark is not None:
                stamp = job.image.header.stamp if job.image is not None else command.header.stamp
                source = f"camera {stamp.sec}.{stamp.nanosec:09d}"
                count = teacher.teach(
                    command.name, image, mark, source=source, override=command.override
                )
                return f"{count} example(s), the last by {mark.description}"
            if command.operation == TeachAction.REMOVE:
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
        self._answer(
            None, accepted=False, message=f"{type(error).__name__}: {error}; nothing was changed"
        )

    def _expire(self, age: float, reason: str) -> None:
        with self._lock:
            waiting = self._waiting
            if waiting is None or time.monotonic() - waiting[1] < age:
                return
            self._waiting = None
        self._answer(waiting[0], accepted=False, message=reason)

    def _answer(self, command: TeachAction | None, *, accepted: bool, message: str) -> None:
        said = _described(command) if command is not None else "teaching"
        self._last = (said, accepted, one_line(message))
        with self._lock:
            self._busy = False
        self._publish()
        if accepted:
            self._around.health.notices.report("teaching", f"{said}: {message}", COMMAND_BURST)
            self._around.health.publish()
        else:
            self._around.health.problems.report_command(f"{said} refused: {message}")

    def _publish(self) -> None:
        actions = self._teacher.taught.actions if self._teacher else {}
        command, accepted, message = self._last
        answer = TaughtActions(
            names=list(actions),
            examples=[len(action.exemplars) for action in actions.values()],
            file=self._file,
            command=command,
            accepted=accepted,
            message=message,
        )
        answer.header.stamp = self._node.get_clock().now().to_msg()
        self._publisher.publish(answer)


def _described(command: TeachAction) -> str:
    name = _NAMES.get(command.operation, f"operation {command.operation}")
    return f"{name} {abbreviate(command.name)}"
