"""Images of a turned camera are seen upright, by a parameter or by TF; answers stay in them."""

from __future__ import annotations

import math
import sys
import types
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pytest
from geometry_msgs.msg import Quaternion, Transform, TransformStamped
from numpy.typing import NDArray
from ros_support import BrightnessRuntime, Scene, make_grounder, overrides
from std_msgs.msg import Header
from std_srvs.srv import Trigger

from affordance_grounding_core.inference.turn import ImageTurn
from affordance_grounding_ros.common.problem_log import ProblemLog
from affordance_grounding_ros.depth.camera_model import DepthError
from affordance_grounding_ros.depth.rotations import quaternion_of
from affordance_grounding_ros.depth.transforms import RigidTransform
from affordance_grounding_ros.depth.upright import ImageTurns, quarter_turn
from affordance_grounding_ros.msg import AffordanceResult

Lines = Callable[[], list[tuple[str, str]]]

TURNS = (0, 90, 180, 270)


def camera(roll: float, pitch: float = 0.0, yaw: float = 0.0) -> NDArray[np.float64]:
    """Pose of an optical frame in base_link: rolled counterclockwise, looking up by pitch.

    At zero it looks along x of base_link, and its picture is upright. Counterclockwise is as seen
    from behind the camera.
    """
    c, s = math.cos(math.radians(roll)), math.sin(math.radians(roll))
    about_axis = np.array([[c, s, 0], [-s, c, 0], [0, 0, 1.0]])
    c, s = math.cos(math.radians(pitch)), math.sin(math.radians(pitch))
    about_right = np.array([[1.0, 0, 0], [0, c, -s], [0, s, c]])
    c, s = math.cos(math.radians(yaw)), math.sin(math.radians(yaw))
    about_up = np.array([[c, -s, 0], [s, c, 0], [0, 0, 1.0]])
    upright = np.array([[0, 0, 1.0], [-1, 0, 0], [0, -1, 0]])
    found: NDArray[np.float64] = about_up @ upright @ about_right @ about_axis
    return found


@pytest.mark.parametrize("yaw", [0, 130])
@pytest.mark.parametrize("pitch", [-65, -30, 0, 45, 65])
@pytest.mark.parametrize("jitter", [-40, 0, 40])
@pytest.mark.parametrize("turn", TURNS)
def test_after_the_turn_up_is_at_the_top(turn: int, jitter: int, pitch: int, yaw: int) -> None:
    rotation = camera(turn + jitter, pitch, yaw)
    # Seen by the camera, a step up in the world is a step to one side of the picture.
    across, down, _ = rotation.T @ np.array([0.0, 0.0, 1.0])
    picture = np.zeros((101, 101), np.bool_)
    length = math.hypot(across, down)
    picture[50 + round(40 * down / length), 50 + round(40 * across / length)] = True
    found = quarter_turn(rotation, None)
    ((row, column),) = np.argwhere(np.rot90(picture, found // 90))
    assert 50 - row >= abs(column - 50), "up lies above, not beside"
    assert found == turn


def test_pictures_of_a_rolled_camera_are_turned_as_it_is_rolled() -> None:
    assert [quarter_turn(camera(roll), None) for roll in (0, 90, 180, 270)] == [0, 90, 180, 270]


def test_a_turn_stays_until_the_camera_is_well_over_the_border() -> None:
    turn: ImageTurn | None = None
    seen = []
    for roll in (0, 44, 54, 56, 46, 36, 34, -54, -56, -36, -34):
        turn = quarter_turn(camera(roll), turn)
        seen.append(turn)
    assert seen == [0, 0, 0, 90, 90, 90, 0, 0, 270, 270, 0]


@pytest.mark.parametrize("pitch", [-90, -75, 75, 90])
def test_a_camera_that_looks_down_or_up_keeps_its_turn(pitch: int) -> None:
    assert quarter_turn(camera(180, pitch), None) == 0
    assert quarter_turn(camera(180, pitch), 270) == 270
    assert quarter_turn(camera(180, math.copysign(65, pitch)), 270) == 180


def test_a_pose_that_is_none_keeps_the_turn() -> None:
    assert quarter_turn(np.full((3, 3), np.nan), 90) == 90


class Poses:
    """Poses of cameras by frame, each known at some times; the newest is asked for with 0."""

    def __init__(self, **poses: NDArray[np.float64]) -> None:
        self.poses = poses
        self.asked: list[tuple[str, str, int, float]] = []
        self.knows_stamps = True

    def find(self, target: str, source: str, stamp: Any, timeout: float) -> RigidTransform:
        self.asked.append((target, source, stamp.sec, timeout))
        if source not in self.poses or (stamp.sec and not self.knows_stamps):
            raise DepthError("transform", f"there is no transform from '{source}' to '{target}'")
        return RigidTransform(np.zeros(3), quaternion_of(self.poses[source]))

    def close(self) -> None:
        pass


class Turned:
    """Turns by TF, and what they log."""

    def __init__(self, poses: Poses, image_turn: str = "auto") -> None:
        self.warned: list[str] = []
        self.noted: list[str] = []
        self.turns = ImageTurns(
            image_turn,
            "base_link",
            poses,
            ProblemLog(self.warned.append),
            ProblemLog(self.noted.append),
        )
        self.turns.PATIENCE = 0.0

    def of(self, frame: str, *, from_camera: bool = True) -> int:
        header = Header(frame_id=frame)
        header.stamp.sec = 7
        return self.turns.of(header, from_camera=from_camera)


def test_the_pose_is_that_of_the_image_or_the_newest() -> None:
    poses = Poses(wrist=camera(270))
    turned = Turned(poses)
    assert turned.of("/wrist") == 270
    assert poses.asked == [("base_link", "wrist", 7, 0.0)], "never waits"
    poses.knows_stamps = False
    poses.poses["wrist"] = camera(180)
    assert turned.of("wrist") == 180
    assert [asked[2] for asked in poses.asked] == [7, 7, 0]
    assert turned.turns.status.degrees == "180"
    assert turned.warned == []
    assert turned.noted == [
        "images of frame 'wrist' are turned by 270 degrees counterclockwise",
        "images of frame 'wrist' are turned by 180 degrees counterclockwise",
    ]


def test_without_a_transform_the_last_turn_stays_and_the_reason_is_told() -> None:
    poses = Poses()
    turned = Turned(poses)
    assert [turned.of("wrist") for _ in range(3)] == [0, 0, 0]
    (warning,) = turned.warned
    assert "from 'wrist' to 'base_link'; images are turned by 0 degrees" in warning
    assert "'upright_frame' (now 'base_link'), or set 'image_turn' to 0, 90" in warning
    assert turned.turns.status.problem == warning
    poses.poses["wrist"] = camera(90)
    assert turned.of("wrist") == 90
    assert turned.turns.status.problem == ""
    del poses.poses["wrist"]
    assert turned.of("wrist") == 90
    assert "are turned by 90 degrees, as before" in turned.turns.status.problem


def test_transforms_are_waited_for_at_first_and_then_no_more() -> None:
    poses = Poses()
    find = poses.find

    def late(*arguments: Any) -> RigidTransform:
        if len(poses.asked) >= 6:
            poses.poses["wrist"] = camera(90)
        return find(*arguments)

    poses.find = late  # type: ignore[method-assign]
    turned = Turned(poses)
    turned.turns.PATIENCE = 60.0
    assert turned.of("wrist") == 90
    assert turned.warned == []
    turned.turns._waits_until = 0.0
    before = len(poses.asked)
    assert turned.of("other") == 0
    assert len(poses.asked) == before + 2


def test_cameras_do_not_turn_each_other() -> None:
    turned = Turned(Poses(wrist=camera(90), head=camera(0)))
    assert [turned.of(frame) for frame in ("wrist", "head", "wrist", "head")] == [90, 0, 90, 0]
    assert turned.noted == [
        "images of frame 'wrist' are turned by 90 degrees counterclockwise",
        "images of frame 'head' are upright as they are",
    ]


def test_images_without_a_frame_are_left_as_they_are() -> None:
    turned = Turned(Poses())
    assert turned.of("", from_camera=False) == 0
    assert turned.turns.status.problem == ""
    assert turned.of("") == 0
    assert "the images name no frame" in turned.turns.status.problem


def test_a_picture_of_a_request_says_nothing_of_the_camera() -> None:
    turned = Turned(Poses(wrist=camera(90)))
    assert turned.of("wrist") == 90
    assert turned.of("nowhere", from_camera=False) == 0
    assert (turned.turns.status.degrees, turned.turns.status.problem) == ("90", "")
    assert len(turned.warned) == 1


def test_frames_without_end_are_not_kept_without_end() -> None:
    turned = Turned(Poses(**{f"camera_{number}": camera(90) for number in range(40)}))
    assert {turned.of(f"camera_{number}") for number in range(40)} == {90}
    assert len(turned.turns._known) == 16


def test_a_turn_that_was_said_asks_nobody() -> None:
    poses = Poses(wrist=camera(90))
    turned = Turned(poses, "180")
    assert (turned.of("wrist"), turned.of("")) == (180, 180)
    assert poses.asked == []
    assert turned.turns.status.degrees == "180"


class UpperHalf(BrightnessRuntime):
    """Finds "hold" where the upper half of an image is bright: it knows up from down."""

    def run(self, pixels: NDArray[np.float32], actions: Sequence[int]) -> NDArray[np.float32]:
        heat = super().run(pixels, actions)
        heat[:, pixels.shape[1] // 2 :] = 0.0
        return heat


def two_squares() -> NDArray[np.uint8]:
    """A black image with a white square at the upper left and one at the lower right."""
    image = np.zeros((48, 64, 3), np.uint8)
    image[4:20, 8:24] = 255
    image[28:44, 40:56] = 255
    return image


class StaticBuffer:
    """Answers as tf2_ros.Buffer does where static transforms are known; tf2_ros is not on PyPI."""

    poses: dict[str, NDArray[np.float64]]
    made = 0

    def __init__(self, *, node: Any) -> None:
        type(self).made += 1
        self.srv = node.create_service(Trigger, "tf2_frames", lambda asked, answer: answer)

    def lookup_transform(self, target: str, source: str, time: Any, timeout: Any) -> Any:
        if target != "base_link" or source not in self.poses:
            raise LookupError(f'"{target}" passed to lookupTransform does not exist')
        x, y, z, w = quaternion_of(self.poses[source])
        turned = Quaternion(x=x, y=y, z=z, w=w)
        return TransformStamped(transform=Transform(rotation=turned))


class Listener:
    def __init__(self, buffer: StaticBuffer, node: Any) -> None:
        pass

    def unregister(self) -> None:
        pass


@pytest.fixture
def tf(monkeypatch: pytest.MonkeyPatch) -> type[StaticBuffer]:
    """A TF that knows the poses that a test puts into `poses`."""

    class Buffer(StaticBuffer):
        pass

    Buffer.poses = {}
    found = types.SimpleNamespace(Buffer=Buffer, TransformListener=Listener)
    monkeypatch.setitem(sys.modules, "tf2_ros", found)
    monkeypatch.setattr(ImageTurns, "PATIENCE", 0.0)
    return Buffer


def start(scene: Scene, **values: Any) -> None:
    scene.start(
        loader=lambda model, runtime, input_size: make_grounder(UpperHalf()),
        action="hold",
        **values,
    )


def boxes(result: AffordanceResult) -> list[tuple[int, ...]]:
    return [
        (one.box.x_offset, one.box.y_offset, one.box.width, one.box.height)
        for one in result.regions
    ]


def warned(log: Lines) -> list[str]:
    return [text for level, text in log() if level == "warn" and "image_turn" in text]


UPPER = {0: (8, 4), 90: (28, 8), 180: (40, 28), 270: (4, 40)}
"""Upper left corner of the upper square in the image of a camera, by the turn that it needs."""


def check_only_the_upper_square(result: AffordanceResult, turn: int) -> None:
    ((x, y, width, height),) = boxes(result)
    assert (x, y) == pytest.approx(UPPER[turn], abs=1)
    assert (width, height) == pytest.approx((16, 16), abs=2)


@pytest.mark.parametrize("turn", TURNS)
def test_a_camera_that_tf_says_is_turned_finds_what_an_upright_one_does(
    scene: Scene, tf: type[StaticBuffer], log: Lines, turn: int
) -> None:
    tf.poses["camera"] = camera(turn)
    start(scene, image_turn="auto")
    sideways = np.ascontiguousarray(np.rot90(two_squares(), -turn // 90))
    result = scene.client.next_result(sideways)
    check_only_the_upper_square(result, turn)
    heat = scene.client.wait(
        lambda: next((h for h in scene.client.heatmaps if h.header == result.header), None),
        "its heatmap",
    )
    assert (heat.height, heat.width) == sideways.shape[:2]
    assert scene.node is not None
    assert scene.node.status.values["image_turn"] == str(turn)
    said = [text for _, text in log() if text.startswith("images of frame 'camera' are")]
    assert len(said) == 1
    assert warned(log) == []


def test_a_turn_that_is_a_parameter_needs_no_tf(scene: Scene, tf: type[StaticBuffer]) -> None:
    start(scene, image_turn="90")
    sideways = np.ascontiguousarray(np.rot90(two_squares(), -1))
    check_only_the_upper_square(scene.client.next_result(sideways), 90)
    assert tf.made == 0
    assert scene.node is not None
    assert scene.node.status.values["image_turn"] == "90"


def test_missing_tf_is_one_warning_and_the_image_is_answered(
    scene: Scene, tf: type[StaticBuffer], log: Lines
) -> None:
    start(scene, image_turn="auto", upright_frame="torso")
    for _ in range(3):
        check_only_the_upper_square(scene.client.next_result(two_squares()), 0)
    told = scene.client.wait_for_status("with the warning", level="1")["warning"]
    assert "no transform from 'camera' to 'torso' (LookupError:" in told
    assert "'upright_frame' (now 'torso')" in told
    assert warned(log) == [told]
    assert scene.node is not None
    assert scene.node.status.values["image_turn"] == "0"


def test_a_camera_that_turns_over_is_followed(
    scene: Scene, tf: type[StaticBuffer], log: Lines
) -> None:
    tf.poses["camera"] = camera(0)
    start(scene, image_turn="auto")
    check_only_the_upper_square(scene.client.next_result(two_squares()), 0)
    tf.poses["camera"] = camera(180)
    upside_down = np.ascontiguousarray(np.rot90(two_squares(), 2))
    results = scene.client.results
    scene.client.wait(
        lambda: results[-1].regions and boxes(results[-1])[0][0] > 30,
        "the square that is the upper one now",
        lambda: scene.client.show(upside_down),
    )
    check_only_the_upper_square(results[-1], 180)
    said = [text for _, text in log() if text.startswith("images of frame 'camera' are")]
    assert len(said) == 2


def test_poses_and_turns_share_one_listener(scene: Scene, tf: type[StaticBuffer]) -> None:
    tf.poses["camera"] = camera(0)
    start(scene, image_turn="auto", depth_enabled=True, target_frame="base_link")
    scene.client.next_result(two_squares())
    assert tf.made == 1
    node = scene.node
    assert node is not None
    services = [service.srv_name for service in node.services]
    assert any("tf2_frames" in name for name in services)
    node.trigger_deactivate()
    node.trigger_cleanup()
    left = [service.srv_name for service in node.services]
    assert not any("tf2_frames" in name for name in left), "nothing listens any more"


def test_auto_without_tf_fails_the_configuration_with_the_reason(
    scene: Scene, log: Lines, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "tf2_ros", None)
    node = scene.start(image_turn="auto")
    assert node.status.state == "unconfigured"
    assert node.status.values["image_turn"] == ""
    errors = [text for level, text in log() if level == "error"]
    assert errors[0].startswith("cannot configure: parameter 'image_turn' needs TF: tf2_ros")
    assert node.set_parameters(overrides(image_turn="270"))[0].successful
    assert node.start()
    assert node.status.values["image_turn"] == "270"
