"""Depth messages become metres and calibrations become rays, or are refused with the reason."""

from __future__ import annotations

import math
from typing import Any

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from sensor_msgs.msg import CameraInfo, Image, RegionOfInterest
from std_msgs.msg import Header

from affordance_grounding_ros.depth.camera_model import CameraModel, DepthError, camera_model
from affordance_grounding_ros.depth.image import DepthImage, check_same_frame, depth_in_metres
from affordance_grounding_ros.images.conversions import array_to_image


def message(values: NDArray[Any], encoding: str) -> Image:
    return array_to_image(values, encoding, Header(frame_id="camera"))


@settings(deadline=None)
@given(st.sampled_from(["16UC1", "mono16"]), st.integers(0, 65535))
def test_whole_numbers_are_millimetres_and_0_is_no_measurement(encoding: str, count: int) -> None:
    metres = depth_in_metres(message(np.full((2, 3), count, np.uint16), encoding))
    assert metres.dtype == np.float32
    if count == 0:
        assert np.isnan(metres).all()
    else:
        np.testing.assert_allclose(metres, count / 1000, rtol=1e-6)


@settings(deadline=None)
@given(st.floats(width=32))
def test_floats_are_metres_and_what_is_no_distance_is_no_measurement(value: float) -> None:
    (metres,) = depth_in_metres(message(np.full((1, 1), value, np.float32), "32FC1"))[0]
    if math.isfinite(value) and value > 0.0:
        assert metres == np.float32(value)
    else:
        assert np.isnan(metres)


def test_big_endian_depth_with_padded_rows_is_read() -> None:
    values = np.array([[1000, 2000], [0, 65535]], ">u2")
    padded = b"".join(row.tobytes() + b"\xff\xff\xff" for row in values)
    sent = Image(height=2, width=2, encoding="16UC1", is_bigendian=1, step=7, data=padded)
    np.testing.assert_allclose(
        depth_in_metres(sent), np.array([[1.0, 2.0], [np.nan, 65.535]], np.float32)
    )


@pytest.mark.parametrize("encoding", ["rgb8", "mono8", "64FC1", "", "compressedDepth"])
def test_what_is_not_depth_is_refused(encoding: str) -> None:
    sent = Image(height=1, width=1, encoding=encoding, step=8, data=bytes(8))
    with pytest.raises(DepthError, match="expected one of 16UC1, mono16, 32FC1") as caught:
        depth_in_metres(sent)
    assert caught.value.kind == "encoding"


def test_depth_that_was_cut_short_is_refused() -> None:
    sent = Image(height=4, width=4, encoding="16UC1", step=8, data=bytes(20))
    with pytest.raises(DepthError, match="depth refused: image data has 20 bytes"):
        depth_in_metres(sent)


@given(st.integers(1, 40), st.integers(1, 40), st.sampled_from([1, 2, 3, 4]), st.booleans())
def test_depth_of_another_size_gives_each_pixel_the_nearest_measurement(
    height: int, width: int, factor: int, finer: bool
) -> None:
    """The k-th of a row of measurements covers the same share of the field of view."""
    if finer:
        depth_size, image_size = (height * factor, width * factor), (height, width)
    else:
        depth_size, image_size = (height, width), (height * factor, width * factor)
    metres = np.arange(depth_size[0] * depth_size[1], dtype=np.float32).reshape(depth_size)
    depth = DepthImage(metres, image_size[1], image_size[0])
    rows, columns = np.indices(image_size)
    sampled = depth.at(columns, rows)
    for axis, (image_side, depth_side) in enumerate(zip(image_size, depth_size, strict=True)):
        centres = (np.arange(image_side) + 0.5) / image_side * depth_side
        indices = sampled.astype(np.int64)
        picked = indices // depth_size[1] if axis == 0 else indices % depth_size[1]
        along = picked[:, 0] if axis == 0 else picked[0]
        assert (np.abs(along + 0.5 - centres) <= 0.5 + 1e-9).all()


@pytest.mark.parametrize("size", [(480, 640), (240, 320), (960, 1280), (248, 330)])
def test_sizes_of_the_same_shape_fit(size: tuple[int, int]) -> None:
    width, height = (640, 480) if size[1] != 330 else (660, 496)
    DepthImage(np.ones(size, np.float32), width, height)


@pytest.mark.parametrize("size", [(480, 848), (720, 1280), (640, 480), (400, 640)])
def test_another_shape_is_refused(size: tuple[int, int]) -> None:
    with pytest.raises(DepthError, match="expected the same size or the same proportions") as error:
        DepthImage(np.ones(size, np.float32), 640, 480)
    assert error.value.kind == "size"


def test_frames_must_agree() -> None:
    check_same_frame("camera", "camera", "/camera")
    with pytest.raises(DepthError, match="depth is in frame 'ir', the image in 'camera'") as error:
        check_same_frame("camera", "ir", "camera")
    assert error.value.kind == "frame"
    with pytest.raises(DepthError, match="camera_info is in frame 'left'"):
        check_same_frame("camera", "camera", "left")


def info(**fields: Any) -> CameraInfo:
    values: dict[str, Any] = {
        "height": 480,
        "width": 640,
        "distortion_model": "plumb_bob",
        "d": [0.0] * 5,
        "k": [500.0, 0.0, 320.0, 0.0, 510.0, 240.0, 0.0, 0.0, 1.0],
        "p": [450.0, 0.0, 300.0, 0.0, 0.0, 460.0, 250.0, 0.0, 0.0, 0.0, 1.0, 0.0],
    }
    return CameraInfo(header=Header(frame_id="camera"), **{**values, **fields})


def test_a_calibration_is_read() -> None:
    assert camera_model(info(), 640, 480) == CameraModel(640, 480, 500.0, 510.0, 320.0, 240.0)


def test_of_a_rectified_image_the_projection_matrix_holds() -> None:
    distorted = info(d=[0.1, 0.2, 0.0, 0.0, 0.0])
    expected = CameraModel(640, 480, 450.0, 460.0, 300.0, 250.0)
    assert camera_model(distorted, 640, 480, rectified=True) == expected


def test_binning_and_region_of_interest_shift_and_scale_the_calibration() -> None:
    roi = RegionOfInterest(x_offset=100, y_offset=40, width=400, height=200)
    model = camera_model(info(binning_x=2, binning_y=2, roi=roi), 200, 100)
    assert (model.focal_x, model.focal_y) == (250.0, 255.0)
    assert (model.center_x, model.center_y) == (110.0, 100.0)


@pytest.mark.parametrize(
    ("fields", "kind", "expectation"),
    [
        ({"k": [0.0] * 9}, "calibration", "is not calibrated: K holds zeros"),
        ({"width": 1280, "height": 960}, "size", "for images of 1280 x 960 px"),
        ({"width": 0, "height": 0}, "size", "for images of 0 x 0 px"),
        ({"binning_x": 2, "binning_y": 2}, "size", "for images of 320 x 240 px"),
        ({"k": [np.nan] * 9}, "calibration", "expected finite numbers"),
        ({"k": [-500.0, 0, 320.0, 0, 500.0, 240.0, 0, 0, 1.0]}, "calibration", "above 0"),
        ({"d": [np.inf, 0.0, 0.0, 0.0, 0.0]}, "calibration", "expected finite numbers"),
        ({"d": [0.1] * 6}, "calibration", "with 6 coefficients is not supported"),
        ({"distortion_model": "magic", "d": [0.1] * 4}, "calibration", "'magic'"),
    ],
)
def test_a_calibration_that_cannot_hold_is_refused(
    fields: dict[str, Any], kind: str, expectation: str
) -> None:
    with pytest.raises(DepthError, match=expectation) as caught:
        camera_model(info(**fields), 640, 480)
    assert caught.value.kind == kind


LENSES = {
    "plumb_bob": [-0.28, 0.07, 0.001, -0.0005, 0.0],
    "rational_polynomial": [0.4, -0.2, 0.0005, 0.0003, 0.05, 0.6, -0.1, 0.02],
    "equidistant": [-0.02, 0.01, -0.004, 0.0008],
}


@pytest.mark.parametrize("model", LENSES)
@settings(deadline=None)
@given(st.floats(-0.6, 0.6), st.floats(-0.45, 0.45))
def test_the_ray_of_a_distorted_pixel_leads_back_to_it(model: str, x: float, y: float) -> None:
    camera = camera_model(info(distortion_model=model, d=LENSES[model]), 640, 480)
    matrix = np.array([[500.0, 0, 320.0], [0, 510.0, 240.0], [0, 0, 1.0]])
    point, nothing = np.array([[[x, y, 1.0]]]), np.zeros(3)
    lens = np.array(LENSES[model])
    project = cv2.fisheye.projectPoints if model == "equidistant" else cv2.projectPoints
    pixel = project(point, nothing, nothing, matrix, lens)[0].reshape(2)
    ray = camera.rays(pixel[:1], pixel[1:])[0]
    np.testing.assert_allclose(ray, [x, y, 1.0], atol=2e-4)


@given(st.floats(-1e4, 1e4), st.floats(-1e4, 1e4))
def test_a_point_along_a_ray_projects_to_its_pixel(column: float, row: float) -> None:
    camera = CameraModel(640, 480, 500.0, 510.0, 320.0, 240.0)
    x, y, z = camera.rays(np.array([column]), np.array([row]))[0] * 2.5
    assert z == 2.5
    assert 500.0 * x / z + 320.0 == pytest.approx(column, abs=1e-6)
    assert 510.0 * y / z + 240.0 == pytest.approx(row, abs=1e-6)
