"""Depth beside the images, over real topics: poses, or results without them and the reason."""

from __future__ import annotations

import sys
import types
from collections.abc import Callable
from typing import Any

import cv2
import numpy as np
import pytest
import rclpy
from geometry_msgs.msg import PoseArray
from numpy.typing import NDArray
from rclpy.context import Context
from ros_support import Scene, bright_square, overrides
from sensor_msgs.msg import CameraInfo, CompressedImage, Image, PointCloud2
from std_msgs.msg import Header
from test_depth_view import TURNED, FakeBuffer, FakeListener
from visualization_msgs.msg import Marker, MarkerArray

from affordance_grounding_ros.common import qos
from affordance_grounding_ros.depth.outputs import DepthOutputs
from affordance_grounding_ros.depth.rotations import rotation_of
from affordance_grounding_ros.images.conversions import array_to_image
from affordance_grounding_ros.msg import AffordanceResult, GrounderStatus
from affordance_grounding_ros.player.image_player import pinhole

Lines = Callable[[], list[tuple[str, str]]]

NEAR, FAR = 0.8, 2.0
"""Metres to the white square of `bright_square` and to everything else."""


def square_depth(height: int = 48, width: int = 64) -> NDArray[np.float32]:
    metres = np.full((height, width), FAR, np.float32)
    metres[: height // 3, width // 2 : width * 3 // 4] = NEAR
    return metres


class DepthCamera:
    """Images, depth and calibration of one camera; each can be left out, late or wrong."""

    def __init__(self, scene: Scene) -> None:
        self.client = scene.client
        node = scene.client.node
        self.depths = node.create_publisher(Image, "depth", qos.camera_output())
        self.infos = node.create_publisher(CameraInfo, "camera_info", qos.camera_output())
        self.grasps: list[PoseArray] = []
        self.clouds: list[PointCloud2] = []
        self.markers: list[MarkerArray] = []
        self._taken = 0

    def header(self) -> Header:
        """A header with a stamp of its own, farther from the others than depth may be."""
        self._taken += 1
        header = Header(frame_id="camera")
        header.stamp.sec = 1000 + self._taken // 5
        header.stamp.nanosec = self._taken % 5 * 200_000_000
        return header

    def listen(self) -> None:
        for kind, topic, kept in (
            (PoseArray, "grasps", self.grasps),
            (PointCloud2, "region_cloud", self.clouds),
            (MarkerArray, "markers", self.markers),
        ):
            topic = f"grounder/{topic}"
            self.client.node.create_subscription(kind, topic, kept.append, qos.output())
            self.client.wait(lambda topic=topic: self.client.node.count_publishers(topic), topic)

    def wait(self) -> None:
        topics = (self.depths, self.infos)
        self.client.wait(lambda: all(t.get_subscription_count() for t in topics), "depth's inputs")

    def shoot(
        self,
        depth: NDArray[Any] | None = None,
        encoding: str = "32FC1",
        *,
        later: float = 0.0,
        depth_frame: str = "camera",
        info: CameraInfo | None = None,
    ) -> None:
        """Publish all three; depth's stamp is `later` seconds after the image's."""
        header = self.header()
        if depth is not None:
            total = header.stamp.nanosec + round(later * 1e9)
            stamped = Header(frame_id=depth_frame)
            stamped.stamp.sec = header.stamp.sec + total // 10**9
            stamped.stamp.nanosec = total % 10**9
            self.depths.publish(array_to_image(depth, encoding, stamped))
        self.infos.publish(info or pinhole(header, 48, 64, 60.0))
        self.client.images.publish(array_to_image(bright_square(), "rgb8", header))

    def answer(
        self,
        condition: Callable[[AffordanceResult], Any],
        what: str,
        *arguments: Any,
        **options: Any,
    ) -> AffordanceResult:
        """Shoot, one image a result, until a result fulfils a condition."""
        results = self.client.results
        for _ in range(40):
            before = len(results)
            self.shoot(*arguments, **options)
            self.client.wait(lambda before=before: len(results) > before, f"a result with {what}")
            if condition(results[-1]):
                return results[-1]
        raise AssertionError(f"forty results, none with {what}: {results[-1].pose_problem!r}")


def has_pose(result: AffordanceResult) -> bool:
    return bool(result.regions) and result.regions[0].has_pose


@pytest.fixture
def camera(scene: Scene) -> DepthCamera:
    return DepthCamera(scene)


def start(scene: Scene, camera: DepthCamera, **values: Any) -> None:
    scene.start(action="hold", depth_enabled=True, **values)
    camera.wait()


@pytest.mark.parametrize(
    ("encoding", "scale", "kind"), [("32FC1", 1.0, np.float32), ("16UC1", 1000.0, np.uint16)]
)
def test_a_region_has_the_pose_of_its_surface(
    scene: Scene, camera: DepthCamera, encoding: str, scale: float, kind: type
) -> None:
    start(scene, camera)
    depth = (square_depth() * scale).astype(kind)
    result = camera.answer(has_pose, "a pose", depth, encoding)
    (region,) = result.regions
    focal = 32.0 / np.tan(np.radians(30.0))
    position, turned = region.pose.position, region.pose.orientation
    assert position.z == pytest.approx(NEAR, abs=1e-3)
    assert position.x == pytest.approx((region.centroid_x - 31.5) / focal * NEAR, abs=0.02)
    assert position.y == pytest.approx((region.centroid_y - 23.5) / focal * NEAR, abs=0.02)
    # Seen straight on: z of the pose is z of the camera.
    assert abs(turned.x) < 0.02
    assert abs(turned.y) < 0.02
    assert (result.pose_frame_id, result.pose_problem) == ("camera", "")
    client = scene.client
    client.wait(lambda: client.status()["depth_used"] not in ("", "0"), "the count")
    client.wait_for_status("with depth", depth="on")


def test_poses_points_and_markers_come_with_the_stamp_of_the_image(
    scene: Scene, camera: DepthCamera
) -> None:
    start(scene, camera)
    camera.listen()
    client = scene.client
    client.wait(
        lambda: camera.clouds and camera.markers and camera.grasps,
        "the outputs",
        lambda: camera.answer(has_pose, "a pose", square_depth()),
    )
    by_stamp = {str(result.header.stamp): result for result in client.results}
    for kept in (camera.grasps[-1], camera.clouds[-1], camera.markers[-1].markers[-1]):
        assert str(kept.header.stamp) in by_stamp
        assert kept.header.frame_id == "camera"
    (pose,) = camera.grasps[-1].poses
    assert pose == by_stamp[str(camera.grasps[-1].header.stamp)].regions[0].pose
    cloud = camera.clouds[-1]
    assert (cloud.height, cloud.width) == (48, 64)
    points = np.frombuffer(cloud.data.tobytes(), np.float32).reshape(48, 64, 5)
    assert np.nanmedian(points[..., 2]) == pytest.approx(NEAR)
    assert np.isnan(points[40, 10, :3]).all()
    labels = [marker.text for marker in camera.markers[-1].markers if marker.ns == "label"]
    assert labels
    assert labels[0].startswith("hold ")

    seen = len(camera.markers)
    client.command("pour")
    client.wait(
        lambda: len(camera.markers) > seen and len(camera.markers[-1].markers) == 1,
        "markers to go where nothing is found",
        lambda: camera.answer(lambda result: True, "anything", square_depth()),
    )
    assert camera.markers[-1].markers[0].action == Marker.DELETEALL


PROBLEMS: dict[str, tuple[dict[str, Any], str]] = {
    "missing": ({"depth": None}, "nothing has arrived on '/depth'"),
    "80 ms later": ({"depth": square_depth(), "later": 0.08}, "was taken 80 ms after it"),
    "of another shape": (
        {"depth": np.ones((48, 48), np.float32)},
        "depth is 48 x 48 px, the image 64 x 48 px",
    ),
    "of another camera": (
        {"depth": square_depth(), "depth_frame": "infrared"},
        "depth is in frame 'infrared', the image in 'camera'",
    ),
    "colours": (
        {"depth": np.zeros((48, 64, 3), np.uint8), "encoding": "rgb8"},
        "depth encoding 'rgb8' is not depth",
    ),
    "all holes": (
        {"depth": np.zeros((48, 64), np.uint16), "encoding": "16UC1"},
        "pixels have usable depth; expected at least 6",
    ),
    "in millimetres, called metres": (
        {"depth": square_depth() * 1000},
        "32FC1 is metres and 16UC1 millimetres",
    ),
    "uncalibrated": (
        {"depth": square_depth(), "info": CameraInfo(header=Header(frame_id="camera"))},
        "is not calibrated",
    ),
    "with a calibration of another size": (
        {"depth": square_depth(), "info": pinhole(Header(frame_id="camera"), 96, 128, 60.0)},
        "camera_info is for images of 128 x 96 px",
    ),
}


@pytest.mark.parametrize("name", PROBLEMS)
def test_without_depth_that_fits_results_go_out_without_poses_and_say_why(
    scene: Scene, camera: DepthCamera, log: Lines, name: str
) -> None:
    options, expectation = PROBLEMS[name]
    # Late by the stamp means never here: what comes is compared by its stamp.
    start(scene, camera, depth_wait=0.02)
    for _ in range(3):
        result = camera.answer(lambda result: expectation in result.pose_problem, name, **options)
        assert result.found, "what is seen is said with and without depth"
        assert not any(region.has_pose for region in result.regions)
    assert scene.node is not None
    assert expectation in scene.node.status.summary
    assert scene.node.status.level == GrounderStatus.WARN
    warnings = [text for level, text in log() if level == "warn" and expectation in text]
    assert len(warnings) == 1, "one line for one kind of problem"
    camera.answer(has_pose, "a pose after recovery", square_depth())
    # Stamps are the test's own, not this machine's time, which the status says too.
    assert expectation not in scene.node.status.summary
    assert scene.node.status.depth.problem == ""
    assert scene.node.status.values["depth"] == "on"


def test_depth_that_comes_after_its_image_is_waited_for(scene: Scene, camera: DepthCamera) -> None:
    start(scene, camera, depth_wait=2.0)
    camera.answer(has_pose, "a pose", square_depth())
    scene.runtime.gate.clear()
    calls, before = scene.runtime.calls, len(scene.client.results)
    header = camera.header()
    image = array_to_image(bright_square(), "rgb8", header)
    scene.client.wait(
        lambda: scene.runtime.calls > calls,
        "the image at work",
        lambda: scene.client.images.publish(image),
    )
    scene.runtime.gate.set()
    camera.depths.publish(array_to_image(square_depth(), "32FC1", header))
    scene.client.wait(lambda: len(scene.client.results) > before, "the result")
    assert has_pose(scene.client.results[before])


def test_depth_that_stops_and_comes_back_takes_the_poses_with_it(
    scene: Scene, camera: DepthCamera
) -> None:
    start(scene, camera, depth_wait=0.02)
    camera.answer(has_pose, "a pose", square_depth())
    result = camera.answer(lambda result: not has_pose(result), "no pose", None)
    assert result.found
    assert "ms before it" in result.pose_problem
    assert camera.answer(has_pose, "a pose again", square_depth()).pose_problem == ""


def test_the_same_stamp_goes_before_a_nearer_arrival(scene: Scene, camera: DepthCamera) -> None:
    """Depth of 20 ms before the image is there first, and would do."""
    start(scene, camera)
    for _ in range(40):
        before = len(scene.client.results)
        earlier, header = camera.header(), camera.header()
        earlier.stamp.sec = header.stamp.sec
        earlier.stamp.nanosec = header.stamp.nanosec + 180_000_000
        header.stamp.nanosec += 199_000_000
        camera.infos.publish(pinhole(header, 48, 64, 60.0))
        camera.depths.publish(array_to_image(square_depth() + 0.4, "32FC1", earlier))
        camera.depths.publish(array_to_image(square_depth(), "32FC1", header))
        scene.client.images.publish(array_to_image(bright_square(), "rgb8", header))
        scene.client.wait(lambda before=before: len(scene.client.results) > before, "a result")
        result = scene.client.results[-1]
        if has_pose(result):
            break
    assert result.regions[0].pose.position.z == pytest.approx(NEAR, abs=1e-3)


def test_the_encoding_and_the_size_may_change_in_mid_stream(
    scene: Scene, camera: DepthCamera
) -> None:
    start(scene, camera)
    millimetres = (square_depth(24, 32) * 1000).astype(np.uint16)
    for depth, encoding in (
        (square_depth(), "32FC1"),
        (millimetres, "16UC1"),
        (square_depth(96, 128), "32FC1"),
        (millimetres, "mono16"),
    ):
        result = camera.answer(has_pose, "a pose", depth, encoding)
        assert result.regions[0].pose.position.z == pytest.approx(NEAR, abs=2e-3)


def test_depth_off_means_no_topics_and_no_poses(scene: Scene, camera: DepthCamera) -> None:
    scene.start(action="hold")
    result = scene.client.next_result()
    assert not result.regions[0].has_pose
    assert (result.pose_frame_id, result.pose_problem) == ("", "")
    assert scene.client.node.count_subscribers("depth") == 0
    assert scene.client.node.count_publishers("grounder/grasps") == 0
    assert scene.client.status()["depth"] == "off"


def test_depth_is_taken_down_and_put_up_again_with_the_node(
    scene: Scene, camera: DepthCamera
) -> None:
    start(scene, camera)
    node, observer = scene.node, scene.client.node
    assert node is not None
    camera.answer(has_pose, "a pose", square_depth())
    for _ in range(3):
        node.trigger_deactivate()
        assert not [s for s in node.subscriptions if s.topic_name in ("/depth", "/camera_info")]
        node.trigger_cleanup()
        assert not [p for p in node.publishers if p.topic_name.endswith("/grasps")]
        node.trigger_configure()
        node.trigger_activate()
    assert len([p for p in node.publishers if p.topic_name.endswith("/grasps")]) == 1
    scene.client.wait(lambda: observer.count_publishers("grounder/grasps") == 1, "one publisher")
    camera.wait()
    camera.answer(has_pose, "a pose again", square_depth())


def test_markers_are_taken_away_when_the_node_stops_and_the_end_of_ros_is_no_error(
    scene: Scene, camera: DepthCamera, context: Context
) -> None:
    start(scene, camera)
    camera.listen()
    node = scene.node
    assert node is not None
    scene.client.wait(
        lambda: camera.markers and len(camera.markers[-1].markers) > 1,
        "markers",
        lambda: camera.answer(has_pose, "a pose", square_depth()),
    )
    node.trigger_deactivate()
    scene.client.wait(lambda: len(camera.markers[-1].markers) == 1, "the markers to go")
    outputs = DepthOutputs(node)
    outputs._last = camera.header()
    rclpy.shutdown(context=context)
    outputs.clear()


def test_a_target_frame_without_tf_fails_the_configuration_with_the_reason(
    scene: Scene, log: Lines, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "tf2_ros", None)
    node = scene.start(depth_enabled=True, target_frame="base_link")
    assert node.status.state == "unconfigured"
    errors = [text for level, text in log() if level == "error"]
    assert errors[0].startswith("cannot configure: parameter 'target_frame' needs TF: tf2_ros")
    assert node.set_parameters(overrides(target_frame=""))[0].successful
    assert node.start()


def test_poses_come_in_the_target_frame(
    scene: Scene, camera: DepthCamera, monkeypatch: pytest.MonkeyPatch
) -> None:
    tf2_ros = types.SimpleNamespace(Buffer=FakeBuffer, TransformListener=FakeListener)
    monkeypatch.setitem(sys.modules, "tf2_ros", tf2_ros)
    start(scene, camera, target_frame="base_link")
    result = camera.answer(has_pose, "a pose", square_depth())
    assert (result.header.frame_id, result.pose_frame_id) == ("camera", "base_link")
    position = result.regions[0].pose.position
    moved = np.array([position.x, position.y, position.z]) - TURNED.translation
    in_camera = rotation_of(TURNED.quaternion).T @ moved
    assert in_camera[2] == pytest.approx(NEAR, abs=1e-3)


def test_compressed_images_are_grounded(scene: Scene, log: Lines) -> None:
    scene.start(start=False, image_transport="compressed", action="hold")
    node = scene.node
    assert node is not None
    client = scene.client
    pictures = client.node.create_publisher(
        CompressedImage, "image/compressed", qos.camera_output()
    )
    assert node.start()
    client.wait(pictures.get_subscription_count, "the compressed input")
    png = cv2.imencode(".png", bright_square())[1].tobytes()

    def show(data: bytes) -> None:
        pictures.publish(CompressedImage(header=client.header(), format="png", data=data))

    client.wait(lambda: client.results, "a result", lambda: show(png))
    assert client.results[-1].found
    assert client.results[-1].regions[0].box.x_offset == pytest.approx(32, abs=1)
    client.wait(
        lambda: node.status.counts.refused >= 3,
        "refused images",
        lambda: show(png[: len(png) // 2]),
    )
    errors = [text for level, text in log() if level == "error"]
    assert len(errors) == 1
    assert "cut short or damaged" in errors[0]
    before = len(client.results)
    client.wait(lambda: len(client.results) > before, "recovery", lambda: show(png))
