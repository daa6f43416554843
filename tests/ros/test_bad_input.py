"""What cannot be followed is refused by one clear line; the node and its goal stay."""

from __future__ import annotations

import array
from collections.abc import Callable

import numpy as np
import pytest
from ros_support import Scene, bright_square
from sensor_msgs.msg import Image
from std_msgs.msg import Header, String

from affordance_grounding_ros.images.conversions import array_to_image
from affordance_grounding_ros.msg import ActionGoal

Lines = Callable[[], list[tuple[str, str]]]


def damaged(**fields: object) -> Image:
    message = array_to_image(bright_square(), "rgb8", Header(frame_id="damaged"))
    for name, value in fields.items():
        setattr(message, name, value)
    return message


def float_image(value: float) -> Image:
    values = np.full((48, 64), 0.5, np.float32)
    values[3, 4] = value
    return array_to_image(values, "32FC1", Header(frame_id="damaged"))


BAD_IMAGES = {
    "unsupported encoding": (damaged(encoding="8UC7"), "expected one of rgb8"),
    "encoding that is no text": (damaged(encoding="\x00\x1b[31m\u202e"), "is not supported"),
    "short data": (damaged(data=array.array("B", bytes(100))), "expected 9216 for 48 rows"),
    "no data": (damaged(data=array.array("B")), "image data has 0 bytes"),
    "small step": (damaged(step=64), "expected at least 192"),
    "zero width": (damaged(width=0), "expected at least 1 x 1"),
    "zero height": (damaged(height=0), "expected at least 1 x 1"),
    "huge size": (damaged(height=2**32 - 1), "image data has 9216 bytes"),
    "NaN": (float_image(float("nan")), "NaN or infinite"),
    "infinite": (float_image(float("inf")), "NaN or infinite"),
    "depth in metres": (float_image(3.5), "expected grey levels in [0, 1]"),
}


@pytest.mark.parametrize("name", BAD_IMAGES)
def test_a_bad_image_is_refused_and_the_next_good_one_is_grounded(
    scene: Scene, log: Lines, name: str
) -> None:
    bad, expectation = BAD_IMAGES[name]
    scene.start(action="hold")
    client = scene.client
    client.wait(
        lambda: scene.node.status.counts.refused >= 3,
        "three refused images",
        lambda: client.images.publish(bad),
    )
    assert client.results == []
    errors = [text for level, text in log() if level == "error"]
    assert len(errors) == 1, "one line for one kind of problem, however many images have it"
    assert expectation in errors[0]
    client.wait_for_status("with the error", last_error=errors[0], level="2", goal="hold")
    client.wait(lambda: client.results, "a result", client.show)
    client.wait_for_status("recovered", level="0", message="grounding 'hold'")
    assert {result.header.frame_id for result in client.results} == {"camera"}


BAD_ACTIONS = {
    "unknown": ("juggle", "is not in this model's vocabulary of 3"),
    "misspelled": ("holdd", "closest: 'hold'"),
    "ten thousand characters": ("hold" * 2500, "10000 characters; expected at most 256"),
    "not ASCII": ("hålla_i_koppen", "is not in this model's vocabulary"),
    "control characters": ("hold\n\x1b[2Jcut", "control characters"),
    "bidirectional override": ("hold\u202e", "control characters"),
    "blank": ("   ", "names no action"),
    "path": ("../../etc/passwd", "holds signs that no spoken command has"),
}


@pytest.mark.parametrize("kind", ["text", "message"])
@pytest.mark.parametrize("name", BAD_ACTIONS)
def test_a_bad_action_is_refused_and_the_last_good_one_stays(
    scene: Scene, log: Lines, name: str, kind: str
) -> None:
    action, expectation = BAD_ACTIONS[name]
    scene.start()
    client = scene.client
    client.command("hold")
    if kind == "text":
        client.actions.publish(String(data=action))
    else:
        client.goals.publish(ActionGoal(action=action))
    client.wait(lambda: "goal refused" in client.status()["last_error"], "the refusal")
    assert client.next_result().action == "hold"
    errors = [text for level, text in log() if level == "error"]
    assert len(errors) == 1, "one line for one goal, by whichever subscriptions it came"
    line = errors.pop()
    assert expectation in line
    assert line.endswith("the goal 'hold' stays")
    assert "\n" not in line
    assert "\x1b" not in line
    assert len(line) < 600


def test_the_same_bad_goal_sent_again_is_refused_again(scene: Scene, log: Lines) -> None:
    scene.start()
    for count in (1, 2):
        scene.client.goals.publish(ActionGoal(action="juggle"))
        scene.client.wait(
            lambda count=count: sum(level == "error" for level, _ in log()) == count, "a refusal"
        )


@pytest.mark.parametrize("threshold", [float("nan"), -0.1, 1.5, float("inf")])
def test_a_bad_threshold_is_refused(scene: Scene, log: Lines, threshold: float) -> None:
    scene.start()
    scene.client.command("cut_with")
    scene.client.goals.publish(ActionGoal(action="hold", threshold=threshold))
    scene.client.wait(lambda: "threshold" in scene.client.status()["last_error"], "the refusal")
    assert scene.client.next_result().action == "cut_with"


def test_a_bad_object_name_is_refused(scene: Scene) -> None:
    scene.start()
    scene.client.command("hold")
    scene.client.goals.publish(ActionGoal(action="cut_with", object_name="k" * 10_000))
    scene.client.wait(lambda: "object_name" in scene.client.status()["last_error"], "the refusal")
    assert scene.client.next_result().action == "hold"


def test_a_bad_first_goal_leaves_the_node_without_one(scene: Scene, log: Lines) -> None:
    scene.start()
    scene.client.actions.publish(String(data="juggle"))
    scene.client.wait(lambda: scene.client.status()["last_error"], "the refusal")
    assert scene.client.status()["last_error"].endswith("there is still no goal")
    assert scene.client.status()["goal"] == ""


def test_a_model_that_raises_does_not_stop_the_node(scene: Scene, log: Lines) -> None:
    scene.start(action="hold")
    client = scene.client
    client.next_result()
    scene.runtime.failure = MemoryError("device is out of memory")
    published = len(client.results)
    client.wait(lambda: scene.node.status.counts.failed >= 3, "three failed images", client.show)
    errors = [text for level, text in log() if level == "error"]
    assert len(errors) == 1
    assert "MemoryError: device is out of memory" in errors[0]
    assert len(client.results) <= published + 1
    client.wait_for_status("with the error", level="2", last_error=errors[0])
    scene.runtime.failure = None
    client.next_result()
    client.wait_for_status("recovered", level="0", message="grounding 'hold'")


def test_heat_that_is_not_finite_is_not_published(scene: Scene, log: Lines) -> None:
    scene.start(action="hold")
    healthy = scene.runtime.run
    scene.runtime.run = lambda pixels, actions: healthy(pixels, actions) * np.float32("nan")
    scene.client.wait(
        lambda: scene.node.status.counts.failed >= 1, "a failed image", scene.client.show
    )
    assert scene.client.results == []
    scene.client.wait(
        lambda: any("not finite" in text for level, text in log() if level == "error"), "the error"
    )


def test_silence_of_the_camera_is_reported_with_who_should_speak(scene: Scene, log: Lines) -> None:
    scene.start(action="hold", image_timeout=0.2)
    scene.client.wait(
        lambda: any("no image on '/image' for 0.2 s" in text for _, text in log()), "the warning"
    )
    warning = next(text for level, text in log() if "no image on" in text and level == "warn")
    assert "/client (reliable, volatile)" in warning
    scene.client.wait_for_status("with the warning", level="1", message=warning)
    scene.client.wait(lambda: scene.client.results, "a result", scene.client.show)
    assert any(text == "images arrive again" for _, text in log())


def test_a_camera_that_does_not_exist_is_reported(scene: Scene, log: Lines) -> None:
    scene.client.node.destroy_publisher(scene.client.images)
    scene.start(image_timeout=0.2, start=False)
    assert scene.node.start()
    scene.client.wait(
        lambda: any("no publisher found; start the camera" in text for _, text in log()),
        "the warning",
    )
