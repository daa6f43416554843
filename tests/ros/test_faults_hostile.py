"""Ten thousand hostile images and goals: the node refuses them, stays up, and logs little."""

from __future__ import annotations

import time
from collections.abc import Callable

from hostile_messages import damaged_bytes, goals, images
from rclpy.serialization import serialize_message
from ros_support import DEADLINE, VOCABULARY, Scene, make_grounder
from std_msgs.msg import String

from affordance_grounding_ros.common.problem_log import COMMAND_BURST
from affordance_grounding_ros.msg import ActionGoal, AffordanceResult

Lines = Callable[[], list[tuple[str, str]]]

KINDS = 17
"""Kinds of problems that have lines of their own in one interval, "others" included."""


def assert_short_and_printable(lines: list[tuple[str, str]], most: int) -> None:
    errors = [text for level, text in lines if level == "error"]
    assert errors, "nothing was said"
    assert len(errors) <= most, "the log was flooded"
    assert all(text.isprintable() and len(text) < 2100 for _, text in lines)


def test_ten_thousand_hostile_images_do_no_harm(scene: Scene, log: Lines) -> None:
    node = scene.start(
        loader=lambda model, runtime, input_size: make_grounder(scene.runtime, size=28),
        action="hold",
    )
    client = scene.client
    client.next_result()
    # No image of the camera comes late, between the hostile ones.
    client.node.destroy_publisher(client.images)
    client.wait(lambda: not node.count_publishers("image"), "the camera to be gone")
    counter = node._health.figures.counter

    def open_images() -> int:
        counts = counter.counts
        done = counts.processed + counts.refused + counts.failed + counts.idle + counts.dropped
        return counts.received - done

    started = time.monotonic()
    client.wait(lambda: not open_images(), "the images so far to be done with")
    for message in images(10_000, seed=1):
        node._on_image(message)
        # Each of them is to be looked at; a newer one must not replace it.
        while open_images():
            assert time.monotonic() < started + 4 * DEADLINE, "an image was never done with"
            time.sleep(0)
    counts = counter.counts
    assert counts.failed == 0, "nothing but a refusal: " + node.status.last_error
    assert counts.dropped == 0
    assert counts.refused > 5000
    assert counts.processed > 500, "among them are some that can be read"
    intervals = 2.0 + (time.monotonic() - started) / 30.0
    assert_short_and_printable(log(), int(KINDS * intervals))

    def own_answer() -> AffordanceResult | None:
        """The answer to an image of the client's, whose stamps are of today."""
        stamps = range(20_000, 2**31 - 1)
        return next((one for one in client.results if one.header.stamp.sec in stamps), None)

    assert client.wait(own_answer, "an answer to a good image", client.show).found


def test_ten_thousand_hostile_goals_do_no_harm(scene: Scene, log: Lines) -> None:
    node = scene.start(action="hold")
    accepted = 0
    started = time.monotonic()
    for command in goals(10_000, seed=2):
        before = node._goals.active
        node._following._on_goal(command)
        goal = node._goals.active
        if goal is not None and goal is not before:
            accepted += 1
            assert goal.text == command.text
            assert set(goal.actions) <= set(VOCABULARY.names)
            assert goal.threshold is None or 0.0 < goal.threshold <= 1.0
            assert 0.0 <= goal.timeout <= 86_400.0
    assert accepted > 100, "among them are some that can be followed"
    intervals = 2.0 + (time.monotonic() - started) / 30.0
    assert_short_and_printable(log(), int((COMMAND_BURST + KINDS) * intervals))
    scene.client.command("pour")
    assert scene.client.wait_for_answer("pour", None).action == "pour"


def test_hostile_messages_over_the_network_do_no_harm(scene: Scene, log: Lines) -> None:
    scene.start(action="hold")
    client = scene.client
    client.next_result()
    for message in images(300, seed=3):
        client.images.publish(message)
        client.executor.spin_once(timeout_sec=0.0)
    for command in goals(300, seed=4):
        text = command.text.replace("\x00", "")
        client.goals.publish(ActionGoal(action=text, threshold=command.threshold))
        client.actions.publish(String(data=text))
    for data in damaged_bytes(serialize_message(client.image()), 300, seed=5):
        client.images.publish(data)
    for data in damaged_bytes(serialize_message(String(data="hold")), 100, seed=6):
        client.actions.publish(data)
    for data in damaged_bytes(serialize_message(ActionGoal(action="hold")), 100, seed=7):
        client.goals.publish(data)
    client.command("pour")
    assert client.wait_for_answer("pour", None).action == "pour"
    client.command("hold")
    assert client.wait_for_answer("hold", None).found
    assert all(text.isprintable() for _, text in log())
