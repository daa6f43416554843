"""Whatever comes as depth or calibration, an image gets a view of it or a named refusal."""

from __future__ import annotations

import array
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from depth_scenes import ellipse
from hypothesis import given, settings
from hypothesis import strategies as st
from sensor_msgs.msg import CameraInfo, Image, RegionOfInterest
from std_msgs.msg import Header
from test_depth_view import result_of

from affordance_grounding_ros.depth.camera_model import DepthError
from affordance_grounding_ros.depth.image import UNITS
from affordance_grounding_ros.depth.input import DepthInput, _adder
from affordance_grounding_ros.images.conversions import array_to_image
from affordance_grounding_ros.images.layouts import LAYOUTS
from affordance_grounding_ros.player.image_player import pinhole

KINDS = {"calibration", "encoding", "size", "frame", "time", "transform"}


@dataclass
class Settings:
    depth_slop: float = 0.05
    depth_wait: float = 0.0
    depth_maximum: float = 20.0
    image_rectified: bool = False
    target_frame: str = ""
    depth_registered: bool = False


NOBODY = SimpleNamespace(
    resolve_topic_name=lambda name: f"/{name}", get_publishers_info_by_topic=lambda name: []
)


def header(nanoseconds: int = 10**12, frame: str = "camera") -> Header:
    made = Header(frame_id=frame)
    made.stamp.sec, made.stamp.nanosec = divmod(nanoseconds, 10**9)
    return made


def view_of(
    depth: Image | None, info: CameraInfo | None, image: Header, given: Settings | None = None
) -> Any:
    chosen = given or Settings()
    source = DepthInput(NOBODY, lambda: chosen)  # type: ignore[arg-type]
    claim = source.claim(image)
    if depth:
        _adder(source._depths)(depth)
    if info:
        _adder(source._calibrations)(info)
    return source.view(claim, image, 160, 120)


def metres(stamp: int = 10**12) -> Image:
    return array_to_image(np.full((120, 160), 0.7, np.float32), "32FC1", header(stamp))


def test_depth_and_calibration_of_the_image_make_a_view() -> None:
    view = view_of(metres(), pinhole(header(), 120, 160, 60.0), header())
    assert view.frame_id == "camera"
    assert view.transform is None
    assert (view.depth.width, view.depth.height) == (160, 120)


def test_depth_of_another_frame_is_taken_only_where_it_is_said_to_be_registered() -> None:
    depth = metres()
    depth.header.frame_id = "depth_optical_frame"
    info = pinhole(header(), 120, 160, 60.0)
    with pytest.raises(DepthError, match="set the parameter 'depth_registered' to true"):
        view_of(depth, info, header())
    view = view_of(depth, info, header(), Settings(depth_registered=True))
    assert view.frame_id == "camera"
    info.header.frame_id = "depth_optical_frame"
    with pytest.raises(DepthError, match="camera_info is in frame"):
        view_of(depth, info, header(), Settings(depth_registered=True))


@pytest.mark.parametrize(
    ("depth", "info", "image", "expectation"),
    [
        (None, pinhole(header(), 120, 160, 60.0), header(), "arrived on '/depth' .* found: none"),
        (metres(), None, header(), "arrived on '/camera_info'"),
        (metres(0), pinhole(header(), 120, 160, 60.0), header(0), "carries no stamp"),
        (
            metres(10**12 + 51 * 10**6),
            pinhole(header(), 120, 160, 60.0),
            header(),
            "was taken 51 ms after it",
        ),
        (
            metres(10**12 - 51 * 10**6),
            pinhole(header(), 120, 160, 60.0),
            header(),
            "was taken 51 ms before it",
        ),
    ],
    ids=["no depth", "no calibration", "no stamp", "too late", "too early"],
)
def test_what_is_not_there_at_the_time_is_named(
    depth: Image | None, info: CameraInfo | None, image: Header, expectation: str
) -> None:
    with pytest.raises(DepthError, match=expectation) as caught:
        view_of(depth, info, image)
    assert caught.value.kind == "time"


@pytest.mark.parametrize("offset", [-50, -1, 0, 1, 50])
def test_the_slop_includes_its_ends(offset: int) -> None:
    depth = metres(10**12 + offset * 10**6)
    view_of(depth, pinhole(header(), 120, 160, 60.0), header())


def test_a_calibration_does_not_age() -> None:
    old = pinhole(header(10**9), 120, 160, 60.0)
    assert view_of(metres(), old, header()).camera.width == 160


def test_the_target_frame_may_be_the_cameras_own() -> None:
    given = Settings(target_frame="camera")
    never_asked: Any = SimpleNamespace()
    source = DepthInput(NOBODY, lambda: given, never_asked)  # type: ignore[arg-type]
    claim = source.claim(header())
    _adder(source._depths)(metres())
    _adder(source._calibrations)(pinhole(header(), 120, 160, 60.0))
    assert source.view(claim, header(), 160, 120).transform is None


numbers = st.one_of(
    st.floats(allow_nan=True, allow_infinity=True), st.sampled_from([0.0, 1.0, 80.0, 139.0])
)
small = st.sampled_from([0, 1, 2, 80, 120, 160, 320, 2**31])


@st.composite
def calibrations(draw: st.DrawFn) -> CameraInfo:
    matrix = st.sampled_from([139.0, 80.0, 60.0])
    k = draw(st.lists(numbers | matrix, min_size=9, max_size=9))
    p = draw(st.lists(numbers | matrix, min_size=12, max_size=12))
    return CameraInfo(
        header=header(frame=draw(st.sampled_from(["camera", "/camera", "other", ""]))),
        height=draw(small | st.just(120)),
        width=draw(small | st.just(160)),
        distortion_model=draw(
            st.sampled_from(["plumb_bob", "equidistant", "rational_polynomial", "", "x\x1b[2J"])
        ),
        d=draw(st.lists(numbers, max_size=14)),
        k=k,
        p=p,
        binning_x=draw(st.sampled_from([0, 1, 2, 2**31])),
        binning_y=draw(st.sampled_from([0, 1, 2, 2**31])),
        roi=RegionOfInterest(
            x_offset=draw(small), y_offset=draw(small), height=draw(small), width=draw(small)
        ),
    )


@st.composite
def depths(draw: st.DrawFn) -> Image:
    random = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    size = draw(st.integers(0, 160 * 120 * 4 + 100))
    return Image(
        header=header(10**12 + draw(st.integers(-(10**8), 10**8))),
        height=draw(small | st.just(120)),
        width=draw(small | st.just(160)),
        encoding=draw(st.sampled_from([*UNITS, *UNITS, *LAYOUTS, "64FC1", ""])),
        is_bigendian=draw(st.sampled_from([0, 1, 255])),
        step=draw(st.sampled_from([0, 160, 320, 321, 640, 643, 2**31])),
        data=array.array("B", random.bytes(size)),
    )


def outcome(depth: Image, info: CameraInfo, given: Settings) -> tuple[Any, DepthError | None]:
    """The view, or why there is none; any other error fails the test."""
    try:
        return view_of(depth, info, header(), given), None
    except DepthError as error:
        return None, error


@settings(deadline=None, max_examples=150)
@given(depths() | st.builds(metres), calibrations(), st.booleans(), st.integers(0, 2**32 - 1))
def test_hostile_messages_give_finite_poses_or_a_named_refusal(
    depth: Image, info: CameraInfo, rectified: bool, seed: int
) -> None:
    view, refusal = outcome(depth, info, Settings(image_rectified=rectified))
    if refusal:
        assert refusal.kind in KINDS
        assert len(str(refusal)) < 1500
        return
    heat = ellipse(80.0, 60.0, 25.0, 12.0).astype(np.float32) * np.float32(0.8)
    grasps, problem = view.grasps(result_of(heat))
    assert bool(problem) == (grasps == [None])
    for grasp in filter(None, grasps):
        assert np.isfinite(grasp.position).all()
        assert np.linalg.norm(grasp.quaternion) == pytest.approx(1.0)
    image = np.random.default_rng(seed).integers(0, 256, (120, 160, 3), np.uint8)
    assert view.cloud(image, result_of(heat)).shape == (120, 160, 5)


@settings(deadline=None, max_examples=60)
@given(depths())
def test_hostile_depth_with_a_good_calibration(depth: Image) -> None:
    view, refusal = outcome(depth, pinhole(header(), 120, 160, 60.0), Settings())
    if refusal:
        assert refusal.kind in KINDS
        return
    heat = ellipse(80.0, 60.0, 25.0, 12.0).astype(np.float32) * np.float32(0.8)
    for grasp in filter(None, view.grasps(result_of(heat))[0]):
        assert 0.0 < grasp.position[2] <= 20.0 + 1e-6
