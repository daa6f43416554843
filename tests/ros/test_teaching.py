"""Actions taught over real topics: known at once, kept in the file, refused with the reason."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from ros_support import Scene
from sensor_msgs.msg import Image, RegionOfInterest
from std_msgs.msg import Header
from teachable import HEIGHT, WIDTH, make_teachable, picture

from affordance_grounding_core.teaching.file import default_file, read_taught
from affordance_grounding_core.teaching.marks import mark_box
from affordance_grounding_core.teaching.teacher import Teacher
from affordance_grounding_ros.images.conversions import array_to_image
from affordance_grounding_ros.node.newest_image import NewestImage
from affordance_grounding_ros.srv import Teach

BOX = RegionOfInterest(x_offset=36, y_offset=26, width=29, height=29)
"""Around the part of `picture(50, 40)`."""


class Pupil:
    """A client that teaches the grounder of a scene."""

    def __init__(self, scene: Scene, **values: Any) -> None:
        self.scene, self.client = scene, scene.client
        self.service = self.client.node.create_client(Teach, "grounder/teach")
        scene.start(loader=values.pop("loader", make_teachable), **values)
        self.client.wait(self.service.service_is_ready, "the teach service")

    def send(self, command: Teach.Request, image: Any = None) -> Teach.Response:
        """Send a command, show images until it is answered."""
        future = self.service.call_async(command)
        show = int if image is None else (lambda: self.client.show(image))
        self.client.wait(future.done, "an answer", show)
        return future.result()

    def teach(self, name: str = "Press shutter", **fields: Any) -> Teach.Response:
        command = Teach.Request(name=name, **({"box": BOX} | fields))
        return self.send(command, picture(50, 40))

    def list(self) -> Teach.Response:
        return self.send(Teach.Request(operation=Teach.Request.LIST))


def test_an_action_taught_in_the_current_image_is_grounded_at_once(scene: Scene) -> None:
    pupil = Pupil(scene)
    assert not pupil.list().names
    answer = pupil.teach()
    assert (answer.success, list(answer.names)) == (True, ["press_shutter"])
    pupil.client.wait_for_status("with the action", vocabulary="hold, press, press_shutter")
    pupil.client.command("press shutter")
    # The first answer may be to the last image of the teaching.
    places = []
    for _ in range(5):
        result = pupil.client.wait_for_answer("press_shutter", picture(90, 60))
        assert result.found
        places.append((result.regions[0].centroid_x, result.regions[0].centroid_y))
    assert abs(places[-1][0] - 90) < 16
    assert abs(places[-1][1] - 60) < 16
    again = pupil.teach(box=RegionOfInterest(), click_x=50.0, click_y=40.0, click_radius=14.0)
    assert list(again.examples) == [2]


def test_a_turned_camera_teaches_what_an_upright_one_does(
    scene: Scene, own_taught_file: Path
) -> None:
    pupil = Pupil(scene, image_turn="90")
    sideways = np.ascontiguousarray(np.rot90(picture(50, 40), -1))
    box = RegionOfInterest(x_offset=HEIGHT - 26 - 29, y_offset=36, width=29, height=29)
    answer = pupil.send(Teach.Request(name="press shutter", box=box), sideways)
    assert answer.success, answer.message
    with closing(make_teachable()) as grounder:
        upright = Teacher(grounder)
        upright.teach("press shutter", picture(50, 40), mark_box(36, 26, 29, 29, HEIGHT, WIDTH))
    (mine,) = read_taught(own_taught_file).actions["press_shutter"].exemplars
    (other,) = upright.taught.actions["press_shutter"].exemplars
    np.testing.assert_array_equal(mine.foreground, other.foreground)
    np.testing.assert_array_equal(mine.coverage, other.coverage)


def test_what_is_taught_is_kept_in_the_file_and_known_after_a_restart(
    scene: Scene, tmp_path: Path
) -> None:
    file = tmp_path / "taught.safetensors"
    pupil = Pupil(scene, taught_file=str(file))
    assert pupil.teach().file == str(file)
    assert file.is_file()
    node = scene.node
    node.trigger_deactivate()
    node.trigger_cleanup()
    node.trigger_configure()
    assert node.status.vocabulary == ("hold", "press", "press_shutter")


def test_what_the_command_line_teaches_the_node_knows_and_the_other_way_round(
    scene: Scene, own_taught_file: Path
) -> None:
    with closing(make_teachable()) as grounder:
        image = picture(50, 40)
        mark = mark_box(36, 26, 29, 29, *image.shape[:2])
        Teacher(grounder, default_file()).teach("press shutter", image, mark)
    assert own_taught_file.is_file()
    pupil = Pupil(scene)
    known = pupil.list()
    assert (known.file, list(known.names)) == (str(own_taught_file), ["press_shutter"])
    pupil.client.command("press shutter")
    assert pupil.client.wait_for_answer("press_shutter", picture(90, 60)).found
    assert pupil.client.status()["understood"] == "press_shutter (exact, 1.00)"
    pupil.teach("turn dial")
    assert list(read_taught(own_taught_file).actions) == ["press_shutter", "turn_dial"]


def test_an_own_file_that_cannot_be_used_is_named_and_left_alone(
    scene: Scene, own_taught_file: Path, log: Callable[[], list[tuple[str, str]]]
) -> None:
    own_taught_file.parent.mkdir()
    own_taught_file.write_bytes(b"no tensors")
    pupil = Pupil(scene)
    assert pupil.teach().file == ""
    assert own_taught_file.read_bytes() == b"no tensors"
    assert any("without taught actions" in text for _, text in log())


def test_a_file_that_cannot_be_used_fails_the_configuration_with_the_reason(
    scene: Scene, tmp_path: Path
) -> None:
    file = tmp_path / "taught.safetensors"
    file.write_bytes(b"no tensors")
    node = scene.start(start=False, loader=make_teachable, taught_file=str(file))
    assert not node.start()
    assert "restore the file" in node.status.problem


def test_forgetting_an_action_ends_its_goal(scene: Scene) -> None:
    pupil = Pupil(scene)
    pupil.teach()
    pupil.client.command("press shutter")
    renamed = pupil.send(
        Teach.Request(
            operation=Teach.Request.RENAME, name="press shutter", new_name="take photograph"
        )
    )
    assert list(renamed.names) == ["take_photograph"]
    pupil.client.wait_for_status("without a goal", goal="")
    assert "is not known now" in pupil.client.status()["goal_ended"]
    removed = pupil.send(Teach.Request(operation=Teach.Request.REMOVE, name="take photograph"))
    assert removed.success
    assert not removed.names
    pupil.client.wait_for_status("with the trained actions", vocabulary="hold, press")


def empty_mask(height: int, width: int) -> Image:
    return array_to_image(np.zeros((height, width), np.uint8), "mono8", Header())


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"name": ""}, "must have a word"),
        ({"name": "hold"}, "in the model's own vocabulary"),
        ({"name": "../x"}, "must not contain"),
        ({"box": RegionOfInterest(x_offset=120, width=29, height=29)}, "not inside the picture"),
        ({"box": RegionOfInterest()}, "exactly one way"),
        ({"click_radius": 3.0}, "exactly one way"),
        ({"click_x": float("nan")}, "must be finite"),
        ({"operation": 9}, "operation must be one of"),
        ({"operation": Teach.Request.REMOVE}, "has not been taught"),
    ],
)
def test_a_command_that_cannot_be_followed_is_refused_and_loses_nothing(
    scene: Scene, fields: dict[str, Any], reason: str
) -> None:
    pupil = Pupil(scene)
    pupil.teach("lift")
    answer = pupil.teach(**fields)
    assert not answer.success
    assert reason in answer.message
    assert list(answer.names) == ["lift"]
    pupil.client.wait(lambda: reason in pupil.client.status()["last_error"], "the reason")
    assert pupil.client.status()["vocabulary"] == "hold, press, lift"


def test_masks_and_stamps_must_be_those_of_a_received_image(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(NewestImage, "TIMEOUT", 0.2)
    pupil = Pupil(scene)
    none = pupil.send(Teach.Request(name="lift", box=BOX))
    assert "no image has come" in none.message
    smaller = pupil.teach(box=RegionOfInterest(), mask=empty_mask(HEIGHT // 2, WIDTH // 2))
    assert "must have the same size" in smaller.message
    empty = pupil.teach(box=RegionOfInterest(), mask=empty_mask(HEIGHT, WIDTH))
    assert "the mask is empty" in empty.message
    command = Teach.Request(name="lift", box=BOX)
    command.stamp.sec = 7
    assert "no image with stamp 7.000000000" in pupil.send(command).message


def test_a_model_that_cannot_be_taught_says_so(scene: Scene) -> None:
    pupil = Pupil(scene, loader=None)
    answer = pupil.teach()
    assert not answer.success
    assert "cannot be taught actions" in answer.message


def test_two_at_once_are_not_mixed_up(scene: Scene) -> None:
    pupil = Pupil(scene)
    waiting = pupil.service.call_async(Teach.Request(name="lift", box=BOX))
    pupil.client.wait(lambda: scene.node._newest.waits, "it to wait for an image")
    other = pupil.client.node.create_client(Teach, "grounder/teach")
    pupil.client.wait(other.service_is_ready, "the teach service")
    second = other.call_async(Teach.Request(name="press shutter", box=BOX))
    pupil.client.wait(second.done, "the refusal")
    assert "another command is still at work" in second.result().message
    pupil.client.wait(waiting.done, "the answer", lambda: pupil.client.show(picture(50, 40)))
    assert waiting.result().success
    assert list(pupil.list().names) == ["lift"]


def test_a_node_that_is_not_active_teaches_nothing(scene: Scene) -> None:
    pupil = Pupil(scene)
    waiting = pupil.service.call_async(Teach.Request(name="lift", box=BOX))
    pupil.client.wait(lambda: scene.node._newest.waits, "it to wait for an image")
    scene.node.trigger_deactivate()
    pupil.client.wait(waiting.done, "the answer")
    assert "deactivated" in waiting.result().message
    assert "not active" in pupil.list().message
    scene.node.trigger_activate()
    assert pupil.teach().success
