"""Photographs, folders and videos as a camera."""

from __future__ import annotations

import itertools
import math
from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from rclpy.context import Context
from rclpy.executors import SingleThreadedExecutor
from ros_support import Client, overrides
from sensor_msgs.msg import CameraInfo, Image
from std_msgs.msg import Header

from affordance_grounding_core.errors import AffordanceGroundingError
from affordance_grounding_ros.common import qos
from affordance_grounding_ros.common.parameters import ParameterError
from affordance_grounding_ros.images.conversions import image_to_rgb
from affordance_grounding_ros.player.frames import FrameSource
from affordance_grounding_ros.player.image_player import ImagePlayer, pinhole


def write_photograph(path: Path, level: int, height: int = 20, width: int = 30) -> Path:
    assert cv2.imwrite(str(path), np.full((height, width, 3), (10, 20, level), np.uint8))
    return path


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for number, name in enumerate(("b.png", "a.png", "c.bmp")):
        write_photograph(tmp_path / name, 50 * (number + 1))
    (tmp_path / "notes.txt").write_text("not a photograph")
    return tmp_path


@pytest.fixture
def video(tmp_path: Path) -> Path:
    path = tmp_path / "video.avi"
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"MJPG"), 10.0, (32, 24))
    assert writer.isOpened()
    for level in (20, 80, 140, 200):
        writer.write(np.full((24, 32, 3), level, np.uint8))
    writer.release()
    return path


def levels(source: FrameSource, count: int) -> list[int]:
    return [int(frame[0, 0, 0]) for frame in itertools.islice(source.frames(), count)]


def test_a_folder_is_played_by_name_and_over_again(folder: Path) -> None:
    assert levels(FrameSource(folder), 5) == [100, 50, 150, 100, 50]
    assert levels(FrameSource(folder, start=1), 4) == [50, 150, 100, 50]
    assert levels(FrameSource(folder, loop=False), 9) == [100, 50, 150]


def test_a_video_is_played_frame_by_frame(video: Path) -> None:
    assert levels(FrameSource(video, loop=False), 9) == pytest.approx([20, 80, 140, 200], abs=3)
    assert levels(FrameSource(video, start=2), 3) == pytest.approx([140, 200, 20], abs=3)


def test_colours_come_in_the_order_red_green_blue(tmp_path: Path) -> None:
    frame = next(FrameSource(write_photograph(tmp_path / "a.png", 200)).frames())
    assert frame[0, 0].tolist() == [200, 20, 10]


def test_what_cannot_be_played_is_said(folder: Path, tmp_path: Path) -> None:
    damaged, text, empty = tmp_path / "z.png", tmp_path / "text.mp4", tmp_path / "empty"
    damaged.write_bytes((folder / "a.png").read_bytes()[:40])
    text.write_text("no video")
    empty.mkdir()
    for source, expectation in (
        (FrameSource(tmp_path / "missing.png"), "does not exist; expected a photograph"),
        (FrameSource(damaged), "z.png"),
        (FrameSource(text), "a video that OpenCV can decode"),
        (FrameSource(empty), "holds no photograph"),
        (FrameSource(folder / "a.png", start=1), "has 1 frame"),
        (FrameSource(folder, start=9), "cannot start at frame 9"),
    ):
        with pytest.raises(AffordanceGroundingError, match=expectation):
            next(source.frames())


def test_a_damaged_photograph_of_a_folder_is_named_once_and_skipped(folder: Path) -> None:
    (folder / "b.png").write_bytes((folder / "b.png").read_bytes()[:40])
    said: list[str] = []
    source = FrameSource(folder, skip=said.append)
    assert levels(source, 5) == [100, 150, 100, 150, 100]
    assert len(said) == 1
    assert "b.png" in said[0]


def test_a_folder_of_damaged_photographs_is_refused(folder: Path) -> None:
    for path in folder.glob("*.*"):
        path.write_bytes(b"junk")
    with pytest.raises(AffordanceGroundingError, match=r"(a\.png|b\.png|c\.bmp)"):
        next(FrameSource(folder).frames())


def test_the_player_needs_a_path_and_sound_parameters(context: Context, folder: Path) -> None:
    for values, expectation in (
        ({}, "'path' is empty"),
        ({"path": str(folder), "rate": "fast"}, r"'rate' must be a double in \[0.01, 1000\]"),
        ({"path": str(folder), "start": -1}, "'start' must be an integer at least 0"),
    ):
        with pytest.raises(ParameterError, match=expectation):
            ImagePlayer(context=context, parameter_overrides=overrides(**values))


def test_image_and_calibration_are_published_together(context: Context, folder: Path) -> None:
    client = Client(context)
    images: list[Image] = []
    calibrations: list[CameraInfo] = []
    # Reliable and deeper than the player's own queue: the test must see both of a pair.
    client.node.create_subscription(Image, "image", images.append, qos.output())
    client.node.create_subscription(CameraInfo, "camera_info", calibrations.append, qos.output())
    player = ImagePlayer(
        context=context,
        parameter_overrides=overrides(path=str(folder / "a.png"), rate=20, frame_id="eye"),
    )
    executor = SingleThreadedExecutor(context=context)
    executor.add_node(player)
    stamps: set[tuple[int, int]] = set()

    def common() -> bool:
        of_images = {(m.header.stamp.sec, m.header.stamp.nanosec) for m in images}
        stamps.update(
            of_images & {(m.header.stamp.sec, m.header.stamp.nanosec) for m in calibrations}
        )
        return len(stamps) >= 3

    client.wait(common, "three frames", lambda: executor.spin_once(timeout_sec=0.02))
    assert {m.header.frame_id for m in (*images, *calibrations)} == {"eye"}
    assert image_to_rgb(images[0]).shape == (20, 30, 3)
    assert image_to_rgb(images[0])[0, 0].tolist() == [100, 20, 10]
    assert (calibrations[0].height, calibrations[0].width) == (20, 30)
    executor.shutdown()
    player.destroy_node()
    client.executor.shutdown()
    client.node.destroy_node()


@given(st.integers(1, 5000), st.integers(1, 5000), st.floats(1.0, 179.0))
def test_the_calibration_sees_what_its_field_of_view_says(
    height: int, width: int, field_of_view: float
) -> None:
    calibration = pinhole(Header(), height, width, field_of_view)
    focal, center_x, center_y = calibration.k[0], calibration.k[2], calibration.k[5]
    left_edge = math.atan2(center_x + 0.5, focal)
    right_edge = math.atan2(width - 0.5 - center_x, focal)
    assert math.degrees(left_edge + right_edge) == pytest.approx(field_of_view, rel=1e-6)
    assert left_edge == pytest.approx(right_edge)
    assert center_y == (height - 1) / 2
    assert list(calibration.p[:3]) == list(calibration.k[:3])
