"""When the node speaks up, and when it keeps quiet."""

from __future__ import annotations

import math

import pytest

from affordance_grounding_ros.common.problem_log import COMMAND_BURST, ProblemLog
from affordance_grounding_ros.health.figures import FrameCounter, FrameCounts
from affordance_grounding_ros.health.state import NodeStatus
from affordance_grounding_ros.health.status import status_message
from affordance_grounding_ros.msg import GrounderStatus
from affordance_grounding_ros.node.goals import ActiveGoal, goal_status
from affordance_grounding_ros.node.image_input import ImageWatch


class Clock:
    """A clock that a test sets."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def test_problems_of_a_kind_are_logged_once_and_then_counted() -> None:
    clock, lines = Clock(), list[str]()
    log = ProblemLog(lines.append, interval=30.0, clock=clock)
    for _ in range(50):
        log.report("encoding", "image encoding 'jpeg' is not supported")
    log.report("step", "image step is 3 bytes")
    assert lines == ["image encoding 'jpeg' is not supported", "image step is 3 bytes"]
    assert log.last == "image step is 3 bytes"
    clock.now += 30.0
    log.settle()
    assert lines[2:] == ["49 more like it in the last 30 s: image encoding 'jpeg' is not supported"]
    log.report("encoding", "image encoding 'png' is not supported")
    assert len(lines) == 3, "what goes on is counted, not told again"
    clock.now += 30.0
    log.settle()
    clock.now += 30.0
    log.settle()
    assert len(lines) == 4
    log.report("encoding", "image encoding 'jpeg' is not supported")
    assert lines[4:] == ["image encoding 'jpeg' is not supported"], "news again after a while"


def test_what_people_command_is_answered_each_time() -> None:
    lines: list[str] = []
    log = ProblemLog(lines.append)
    log.report_command("goal refused")
    log.report_command("goal refused")
    assert lines == ["goal refused", "goal refused"]
    assert log.last == "goal refused"


@pytest.mark.parametrize("kinds", [1, 7, 100_000])
def test_the_log_cannot_be_flooded(kinds: int) -> None:
    clock, lines = Clock(), list[str]()
    log = ProblemLog(lines.append, interval=30.0, clock=clock)
    for number in range(30_000):
        clock.now += 0.01
        log.report(f"kind {number % kinds}", "image refused")
        log.report_command("goal refused")
        log.settle()
    seconds = 300.0
    assert len(lines) <= (17 + COMMAND_BURST) * (seconds / 30.0 + 1.0)
    assert log.last == "goal refused"


def test_silence_is_warned_about_once_until_images_come_again() -> None:
    clock = Clock()
    watch = ImageWatch(clock)
    clock.now += 4.9
    assert watch.check(5.0, "/image", lambda: "") == ""
    clock.now += 0.1
    warning = watch.check(5.0, "/image", lambda: "")
    assert warning.startswith("no image on '/image' for 5 s; no publisher found")
    assert watch.warning == warning
    assert watch.check(5.0, "/image", lambda: "") == ""
    assert watch.arrived()
    assert watch.warning == ""
    assert not watch.arrived()
    clock.now += 6.0
    assert "/camera (best effort)" in watch.check(5.0, "/image", lambda: "/camera (best effort)")


def test_a_timeout_of_zero_is_never_over() -> None:
    clock = Clock()
    watch = ImageWatch(clock)
    clock.now += 1e6
    assert watch.check(0.0, "/image", lambda: "") == ""


def test_counts_add_up() -> None:
    counter = FrameCounter()
    counter.add(received=1, dropped=1)
    counter.add(received=1, processed=1)
    assert counter.counts == FrameCounts(received=2, processed=1, dropped=1)


def test_a_status_says_what_matters_first() -> None:
    goal = goal_status(ActiveGoal("grasp", ("hold",), "cup", timeout=2.5))
    working = NodeStatus(state="active", goal=goal)
    for status, level, message in (
        (NodeStatus(), GrounderStatus.OK, "unconfigured"),
        (NodeStatus(state="active"), GrounderStatus.OK, "waiting for a goal"),
        (working, GrounderStatus.OK, "grounding 'hold'"),
        (NodeStatus(state="active", warning="no image"), GrounderStatus.WARN, "no image"),
        (NodeStatus(warning="w", problem="broken"), GrounderStatus.ERROR, "broken"),
    ):
        made = status_message(status)
        assert (made.level, made.summary) == (level, message)
    made = status_message(working)
    assert (made.goal, made.object_name, made.goal_timeout) == ("grasp", "cup", 2.5)
    assert [one.action for one in made.actions] == ["hold"]
    assert made.frames_received == 0
    assert math.isnan(made.latency.median)
