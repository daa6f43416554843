"""An image's regions in space: apart from each other, in the right frame, as messages."""

from __future__ import annotations

import math
import sys
import types
from typing import Any

import numpy as np
import pytest
from builtin_interfaces.msg import Time
from depth_scenes import CAMERA, ellipse, pixel_rays, plane_depth
from geometry_msgs.msg import Quaternion, Transform, TransformStamped, Vector3
from numpy.typing import NDArray
from rclpy.context import Context
from rclpy.node import Node
from sensor_msgs.msg import PointField
from std_msgs.msg import Header
from std_srvs.srv import Trigger
from visualization_msgs.msg import Marker

from affordance_grounding_core.inference.regions import RegionConfig, extract_regions
from affordance_grounding_core.inference.result import GroundingResult
from affordance_grounding_ros.depth.camera_model import DepthError
from affordance_grounding_ros.depth.image import DepthImage
from affordance_grounding_ros.depth.messages import cloud_message, markers, no_markers, pose_array
from affordance_grounding_ros.depth.rotations import rotation_of
from affordance_grounding_ros.depth.transforms import RigidTransform, TfLookup, why_no_tf
from affordance_grounding_ros.depth.view import DepthView


def result_of(heatmap: NDArray[np.float32], smallest: float = 0.0) -> GroundingResult:
    config = RegionConfig(threshold=0.5, minimum_area=smallest, maximum_regions=1000)
    regions, mask = extract_regions(heatmap, config)
    return GroundingResult(
        heatmap=heatmap,
        mask=mask,
        regions=regions,
        action="hold",
        score=float(heatmap.max()),
        threshold=0.5,
        found=bool(regions),
        seconds=0.0,
    )


def two_regions() -> GroundingResult:
    heat = 0.9 * ellipse(50.0, 60.0, 20.0, 8.0) + 0.7 * ellipse(120.0, 60.0, 15.0, 10.0)
    return result_of(heat.astype(np.float32))


def view(metres: NDArray[np.float32], transform: RigidTransform | None = None) -> DepthView:
    frame = "base" if transform else "camera"
    return DepthView(DepthImage(metres, 160, 120), CAMERA, frame, transform)


def test_every_region_gets_its_own_depth() -> None:
    metres = np.full((120, 160), 0.6, np.float32)
    metres[:, 90:] = 1.4
    grasps, problem = view(metres).grasps(two_regions())
    assert problem == ""
    assert [round(float(grasp.position[2]), 2) for grasp in grasps if grasp] == [0.6, 1.4]


def test_a_region_without_depth_leaves_the_others_their_poses() -> None:
    metres = np.full((120, 160), 0.6, np.float32)
    metres[:, 90:] = np.nan
    grasps, problem = view(metres).grasps(two_regions())
    assert grasps[0] is not None
    assert grasps[1] is None
    assert problem.startswith("region 2 of 2: 0 of the region's")


TURNED = RigidTransform(np.array([1.0, 2.0, 3.0]), np.array([0.5, -0.5, 0.5, -0.5]))


def test_results_in_a_target_frame_are_those_of_the_camera_moved() -> None:
    metres = plane_depth(np.array([0.0, 0.0, 0.8]), np.array([0.3, 0.1, -1.0]))
    result = two_regions()
    in_camera, in_base = view(metres), view(metres, TURNED)
    turn = rotation_of(TURNED.quaternion)
    for here, there in zip(in_camera.grasps(result)[0], in_base.grasps(result)[0], strict=True):
        assert here is not None
        assert there is not None
        np.testing.assert_allclose(
            there.position, turn @ here.position + TURNED.translation, atol=1e-9
        )
        np.testing.assert_allclose(
            rotation_of(there.quaternion), turn @ rotation_of(here.quaternion), atol=1e-9
        )
    image = np.zeros((120, 160, 3), np.uint8)
    here, there = in_camera.cloud(image, result), in_base.cloud(image, result)
    points = [cloud[..., :3] for cloud in (here, there)]
    np.testing.assert_allclose(
        points[1][result.mask], points[0][result.mask] @ turn.T + TURNED.translation, atol=1e-5
    )


def test_the_cloud_is_organised_as_the_image_and_empty_outside_the_regions() -> None:
    metres = plane_depth(np.array([0.0, 0.0, 0.8]), np.array([0.3, 0.1, -1.0]))
    metres[60, :] = np.nan
    result = two_regions()
    image = np.random.default_rng(1).integers(0, 256, (120, 160, 3), np.uint8)
    message = cloud_message(Header(frame_id="camera"), view(metres).cloud(image, result))
    assert (message.height, message.width) == (120, 160)
    assert (message.point_step, message.row_step) == (20, 160 * 20)
    assert not message.is_dense
    assert [field.name for field in message.fields] == ["x", "y", "z", "rgb", "heat"]
    assert {field.datatype for field in message.fields} == {PointField.FLOAT32}
    values = np.frombuffer(message.data.tobytes(), np.float32).reshape(120, 160, 5)
    expected = result.mask & np.isfinite(metres)
    np.testing.assert_array_equal(np.isfinite(values[..., :3]).all(-1), expected)
    np.testing.assert_array_equal(np.isnan(values[..., :3]).all(-1), ~expected)
    points = pixel_rays() * metres[..., None]
    np.testing.assert_allclose(values[expected][:, :3], points[expected], rtol=1e-6)
    np.testing.assert_array_equal(values[expected][:, 4], result.heatmap[expected])
    packed = values[..., 3].copy().view(np.uint32)[expected]
    colours = np.stack([packed >> 16 & 255, packed >> 8 & 255, packed & 255], -1)
    np.testing.assert_array_equal(colours, image[expected])


def test_markers_stand_where_the_regions_are_and_replace_those_before() -> None:
    metres = np.full((120, 160), 0.7, np.float32)
    metres[:, 90:] = np.nan
    result = two_regions()
    grasps, _ = view(metres).grasps(result)
    header = Header(frame_id="camera", stamp=Time(sec=5))
    first, *rest = markers(header, result, grasps).markers
    assert first.action == Marker.DELETEALL
    assert [(marker.ns, marker.id) for marker in rest] == [
        ("region", 0),
        ("approach", 0),
        ("label", 0),
    ], "the region without depth has no place in space"
    region, arrow, label = rest
    assert label.text == "hold 0.90"
    assert {marker.header.frame_id for marker in rest} == {"camera"}
    assert region.pose.position.z == pytest.approx(0.7)
    assert region.scale.x > region.scale.y > region.scale.z > 0.0
    assert arrow.points[0].z == pytest.approx(0.6)
    assert arrow.points[1] == region.pose.position
    assert rest[0].lifetime.sec > 0
    (gone,) = no_markers(header).markers
    assert gone.action == Marker.DELETEALL


def test_poses_are_those_of_the_regions_that_have_one() -> None:
    metres = np.full((120, 160), 0.7, np.float32)
    metres[:, :90] = np.nan
    grasps, _ = view(metres).grasps(two_regions())
    message = pose_array(Header(frame_id="camera"), grasps)
    (pose,) = message.poses
    assert pose.position.z == pytest.approx(0.7)
    orientation = [getattr(pose.orientation, name) for name in "xyzw"]
    assert math.hypot(*orientation) == pytest.approx(1.0)


class FakeBuffer:
    """Answers as tf2_ros.Buffer does, whose interface is documented; tf2_ros is not on PyPI.

    Like it, it makes a service on the node and does not take it away by itself.
    """

    def __init__(self, *, node: Any) -> None:
        self.asked: list[Any] = []
        self.srv = node.create_service(Trigger, "tf2_frames", lambda asked, answer: answer)

    def lookup_transform(self, target: str, source: str, time: Any, timeout: Any) -> Any:
        if target == "moon":
            raise LookupError(
                '"moon" passed to lookupTransform argument target_frame does not exist'
            )
        self.asked.append((target, source, time.nanoseconds, timeout.nanoseconds))
        turned = Quaternion(x=0.5, y=-0.5, z=0.5, w=-0.5)
        transform = Transform(translation=Vector3(x=1.0, y=2.0, z=3.0), rotation=turned)
        return TransformStamped(transform=transform)


class FakeListener:
    def __init__(self, buffer: FakeBuffer, node: Any) -> None:
        self.listening = True

    def unregister(self) -> None:
        self.listening = False


def test_transforms_are_looked_up_at_the_stamp_of_the_image(
    monkeypatch: pytest.MonkeyPatch, context: Context
) -> None:
    tf2_ros = types.SimpleNamespace(Buffer=FakeBuffer, TransformListener=FakeListener)
    monkeypatch.setitem(sys.modules, "tf2_ros", tf2_ros)
    assert why_no_tf() == ""
    node = Node("listener", context=context)
    services = len(list(node.services))
    lookup = TfLookup(node, "target_frame")
    found = lookup.find("base", "/camera", Time(sec=7, nanosec=5), 0.25)
    np.testing.assert_array_equal(found.translation, TURNED.translation)
    np.testing.assert_array_equal(found.quaternion, TURNED.quaternion)
    assert lookup._buffer.asked == [("base", "camera", 7_000_000_005, 250_000_000)]
    with pytest.raises(DepthError, match=r"from 'camera' to 'moon' \(LookupError: ") as caught:
        lookup.find("moon", "camera", Time(), 0.0)
    assert caught.value.kind == "transform"
    lookup.close()
    assert not lookup._listener.listening
    assert len(list(node.services)) == services, "configured again and again, nothing piles up"
    node.destroy_node()


def test_without_tf_a_target_frame_is_refused_with_the_reason(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(sys.modules, "tf2_ros", None)
    assert "tf2_ros does not import here" in why_no_tf()
    with pytest.raises(DepthError, match="comes with a ROS 2 distribution"):
        TfLookup(None, "target_frame")  # type: ignore[arg-type]
