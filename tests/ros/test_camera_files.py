"""Calibrations and depth in files, and the demo's stereo camera made of them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st
from rclpy.context import Context
from rclpy.executors import SingleThreadedExecutor
from ros_support import Client, overrides
from sensor_msgs.msg import CameraInfo, Image

from affordance_grounding_core.errors import AffordanceGroundingError, InvalidImageError
from affordance_grounding_ros.common import qos
from affordance_grounding_ros.demo.stereo import (
    DISPARITY,
    IMAGE,
    MOTORCYCLE,
    StereoCalibration,
    write_camera_files,
)
from affordance_grounding_ros.depth.camera_model import camera_model
from affordance_grounding_ros.depth.image import DepthImage, depth_in_metres
from affordance_grounding_ros.player.camera_files import (
    CameraFileError,
    read_calibration,
    read_depth,
    write_calibration,
    write_depth,
)
from affordance_grounding_ros.player.image_player import ImagePlayer


def scikit_image_folder() -> Path:
    data = pytest.importorskip("skimage.data", reason="the stereo pair comes with scikit-image")
    return Path(data.__file__).parent


def test_a_calibration_survives_its_file(tmp_path: Path) -> None:
    info = MOTORCYCLE.camera_info(500, 741)
    write_calibration(tmp_path / "camera.yaml", info, "left")
    assert read_calibration(tmp_path / "camera.yaml") == info


def calibration() -> dict[str, Any]:
    return {
        "image_width": 64,
        "image_height": 48,
        "distortion_model": "plumb_bob",
        "distortion_coefficients": {"rows": 1, "cols": 5, "data": [0.0] * 5},
        "camera_matrix": {"rows": 3, "cols": 3, "data": [50, 0, 32, 0, 50, 24, 0, 0, 1]},
        "rectification_matrix": {"data": [1, 0, 0, 0, 1, 0, 0, 0, 1]},
        "projection_matrix": {"data": [50, 0, 32, 0, 0, 50, 24, 0, 0, 0, 1, 0]},
    }


@pytest.mark.parametrize(
    ("change", "expectation"),
    [
        ({"camera_matrix": {"data": [1.0] * 8}}, "holds 8 numbers, expected 3 x 3"),
        ({"camera_matrix": None}, "is not one"),
        ({"image_width": "wide"}, "is not one"),
        ({"image_width": -5}, "is not one"),
        ({"distortion_coefficients": {"data": ["a"]}}, "is not one"),
    ],
)
def test_a_file_that_is_no_calibration_is_refused(
    tmp_path: Path, change: dict[str, Any], expectation: str
) -> None:
    path = tmp_path / "camera.yaml"
    path.write_text(yaml.safe_dump({**calibration(), **change}))
    with pytest.raises(CameraFileError, match=expectation):
        read_calibration(path)


@pytest.mark.parametrize("content", ["", "[1, 2", "word", "!!python/object:os.system {}"])
def test_a_file_of_anything_else_is_refused(tmp_path: Path, content: str) -> None:
    path = tmp_path / "camera.yaml"
    path.write_text(content)
    with pytest.raises(CameraFileError, match="expected the YAML file of camera_calibration"):
        read_calibration(path)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(CameraFileError, match=r"none\.yaml' cannot be read"):
        read_calibration(tmp_path / "none.yaml")
    with pytest.raises(InvalidImageError, match=r"none\.png' cannot be read"):
        read_depth(tmp_path / "none.png")


def test_depth_survives_its_file_to_the_millimetre(tmp_path: Path) -> None:
    metres = np.array([[0.5, 1.2344, np.nan], [np.inf, -1.0, 70.0]])
    write_depth(tmp_path / "depth.png", metres)
    np.testing.assert_array_equal(
        read_depth(tmp_path / "depth.png"), np.array([[500, 1234, 0], [0, 0, 0]], np.uint16)
    )


@pytest.mark.parametrize(
    "values", [np.zeros((4, 5), np.uint8), np.zeros((4, 5, 3), np.uint16)], ids=["8 bits", "colour"]
)
def test_a_picture_is_no_depth(tmp_path: Path, values: Any) -> None:
    assert cv2.imwrite(str(tmp_path / "picture.png"), values)
    with pytest.raises(CameraFileError, match="expected one channel of 16 bits"):
        read_depth(tmp_path / "picture.png")


@given(st.floats(0.3, 50.0), st.floats(-1.0, 1.0), st.floats(-1.0, 1.0), st.floats(-50.0, 50.0))
def test_disparity_gives_the_depth_of_the_point_both_views_see(
    depth: float, x: float, y: float, difference: float
) -> None:
    stereo = StereoCalibration(700.0, 320.0, 240.0, difference, 0.12)
    left = stereo.focal * x / depth + stereo.center_x
    right = stereo.focal * (x - stereo.baseline) / depth + stereo.center_x + difference
    found = stereo.depth(np.array([[left - right]]))
    assert found[0, 0] == pytest.approx(depth, rel=1e-4)


def test_the_motorcycle_stands_where_its_calibration_says(tmp_path: Path) -> None:
    folder = scikit_image_folder()
    depth_file, calibration_file = write_camera_files(folder / DISPARITY, tmp_path)
    millimetres = read_depth(depth_file)
    assert millimetres.shape == (500, 741)
    metres = millimetres[millimetres > 0] / 1000.0
    # Disparities between 7.19 and 59.9 px: 994.978 px * 0.193001 m / (disparity + 31.086 px).
    assert metres.min() == pytest.approx(994.978 * 0.193001 / (59.909 + 31.086), abs=2e-3)
    assert metres.max() == pytest.approx(994.978 * 0.193001 / (7.1914 + 31.086), abs=2e-3)
    holes = np.isinf(np.load(folder / DISPARITY)["arr_0"])
    np.testing.assert_array_equal(millimetres == 0, holes)
    info = read_calibration(calibration_file)
    model = camera_model(info, 741, 500)
    assert (model.focal_x, model.center_x, model.center_y) == (994.978, 311.193, 254.877)


def test_a_file_without_disparity_is_refused(tmp_path: Path) -> None:
    np.savez(tmp_path / "other.npz", something=np.zeros(3))
    with pytest.raises(AffordanceGroundingError, match=r"disparity .* cannot be read"):
        write_camera_files(tmp_path / "other.npz", tmp_path)


def test_the_player_plays_depth_and_calibration_beside_the_photograph(
    tmp_path: Path, context: Context
) -> None:
    folder = scikit_image_folder()
    depth_file, calibration_file = write_camera_files(folder / DISPARITY, tmp_path)
    client = Client(context)
    received: dict[str, list[Any]] = {"image": [], "depth": [], "camera_info": []}
    for topic, kind in (("image", Image), ("depth", Image), ("camera_info", CameraInfo)):
        client.node.create_subscription(kind, topic, received[topic].append, qos.output())
    player = ImagePlayer(
        context=context,
        parameter_overrides=overrides(
            path=str(folder / IMAGE), depth=str(depth_file), calibration=str(calibration_file)
        ),
    )
    spinner = SingleThreadedExecutor(context=context)
    spinner.add_node(player)
    client.wait(
        lambda: all(received.values()), "all three", lambda: spinner.spin_once(timeout_sec=0.02)
    )
    depth, info = received["depth"][-1], received["camera_info"][-1]
    client.wait(
        lambda: set.intersection(
            *({str(message.header.stamp) for message in kept} for kept in received.values())
        ),
        "a common stamp",
        lambda: spinner.spin_once(timeout_sec=0.02),
    )
    assert (depth.encoding, depth.header.frame_id) == ("16UC1", "camera_optical_frame")
    assert info.k[0] == 994.978
    DepthImage(depth_in_metres(depth), received["image"][-1].width, received["image"][-1].height)
    spinner.shutdown()
    player.destroy_node()
    client.executor.shutdown()
    client.node.destroy_node()
