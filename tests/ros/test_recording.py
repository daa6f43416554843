"""What is recorded can be read by others: topics, definitions, stamps, values."""

from __future__ import annotations

import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from depth_scenes import CAMERA
from rclpy.context import Context
from ros_support import BrightnessRuntime, Client, bright_square, make_grounder
from sensor_msgs.msg import Image
from std_msgs.msg import Header

from affordance_grounding_ros.common import qos
from affordance_grounding_ros.demo.client import (
    DEPTH_TOPICS,
    TOPICS,
    StampedTopics,
    nanoseconds,
    stamp_of,
)
from affordance_grounding_ros.demo.recording import Recording, RecordingError
from affordance_grounding_ros.depth.image import DepthImage
from affordance_grounding_ros.depth.messages import cloud_message, markers, pose_array
from affordance_grounding_ros.depth.outputs import RegionPoses
from affordance_grounding_ros.depth.view import DepthView
from affordance_grounding_ros.images.conversions import array_to_image
from affordance_grounding_ros.node.goals import ActiveGoal
from affordance_grounding_ros.node.outputs import heatmap_message, mask_message, result_message
from affordance_grounding_ros.player.image_player import pinhole

STAMPS = (1_700_000_000_000_000_001, 1_700_000_001_500_000_002)


def header(stamp: int) -> Header:
    made = Header(frame_id="camera_optical_frame")
    made.stamp.sec, made.stamp.nanosec = divmod(stamp, 10**9)
    return made


def messages(stamp: int) -> dict[str, Any]:
    """One of every topic, as the nodes make them."""
    image, head = bright_square(120, 160), header(stamp)
    grounder = make_grounder(BrightnessRuntime())
    result = grounder.ground(image, "hold")
    metres = np.full((120, 160), 0.8, np.float32)
    view = DepthView(DepthImage(metres, 160, 120), CAMERA, head.frame_id)
    grasps, _ = view.grasps(result)
    answer = result_message(
        head,
        ActiveGoal("hold", ("hold",)),
        result,
        model="brightness",
        runtime="test",
        poses=RegionPoses(head.frame_id, grasps, view=view),
    )
    return {
        "image": array_to_image(image, "rgb8", head),
        "camera_info": pinhole(head, 120, 160, 60.0),
        "grounder/result": answer,
        "grounder/overlay": array_to_image(image, "rgb8", head),
        "grounder/mask": mask_message(head, result),
        "grounder/heatmap": heatmap_message(head, result),
        "depth": array_to_image(metres, "32FC1", head),
        "grounder/grasps": pose_array(head, grasps),
        "grounder/region_cloud": cloud_message(head, view.cloud(image, result)),
        "grounder/markers": markers(head, result, grasps),
    }


def test_a_recording_is_read_back_with_definitions_stamps_and_values(tmp_path: Path) -> None:
    pytest.importorskip("rosbags", reason="the bag is read by rosbags: `pip install rosbags`")
    from rosbags.highlevel import AnyReader

    with Recording(tmp_path / "bag") as recording:
        for stamp in STAMPS:
            recording.add(messages(stamp), stamp)
    assert recording.file.read_bytes()[:5] == b"\x89MCAP"
    topics = {f"/{name}": kind for name, kind in (TOPICS | DEPTH_TOPICS).items()}
    # Without a type store: whatever is read, is read by the definitions in the file.
    with AnyReader([tmp_path / "bag"]) as reader:
        found = {connection.topic: connection for connection in reader.connections}
        assert found.keys() == topics.keys()
        for topic, kind in topics.items():
            package = kind.__module__.split(".")[0]
            assert found[topic].msgtype == f"{package}/msg/{kind.__name__}"
            assert found[topic].msgdef.data
            assert found[topic].msgcount == len(STAMPS)
        definition = found["/grounder/result"].msgdef.data
        assert "MSG: affordance_grounding_ros/AffordanceRegion" in definition
        assert "MSG: geometry_msgs/Pose" in definition
        stamps = set()
        for connection, stamp, data in reader.messages():
            message = reader.deserialize(data, connection.msgtype)
            assert nanoseconds(stamp_of(message)) == stamp
            stamps.add(stamp)
            if connection.topic == "/grounder/result":
                assert message.regions[0].has_pose
                assert message.regions[0].pose.position.z == pytest.approx(0.8, abs=1e-3)
            if connection.topic == "/image":
                values = np.asarray(message.data).reshape(120, 160, 3)
                np.testing.assert_array_equal(values, bright_square(120, 160))
    assert stamps == set(STAMPS)


def test_an_earlier_bag_is_replaced_and_anything_else_is_not(tmp_path: Path) -> None:
    image = {"image": array_to_image(bright_square(), "rgb8", header(STAMPS[0]))}
    for _ in range(2):
        with Recording(tmp_path / "bag") as recording:
            recording.add(image, STAMPS[0])
    other = tmp_path / "photographs"
    other.mkdir()
    (other / "mine.png").write_bytes(b"precious")
    with pytest.raises(RecordingError, match="is there and is no bag"):
        Recording(other)
    assert (other / "mine.png").read_bytes() == b"precious"


def test_without_rosbags_the_fix_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "rosbags.rosbag2", None)
    with pytest.raises(RecordingError, match="pip install rosbags"):
        Recording(tmp_path / "bag")


def test_messages_about_one_image_are_kept_together_and_not_for_ever(context: Context) -> None:
    client = Client(context)
    topics = StampedTopics(client.node, {"one": Image, "two": Image}, capacity=3)
    publishers = [
        client.node.create_publisher(Image, name, qos.output()) for name in ("one", "two")
    ]
    client.wait(lambda: all(p.get_subscription_count() for p in publishers), "the subscriptions")
    for number in range(1, 6):
        for publisher in publishers:
            publisher.publish(array_to_image(bright_square(), "rgb8", header(number)))
    last = SimpleNamespace(sec=0, nanosec=5)
    client.wait(lambda: topics.at(last).keys() == {"one", "two"}, "the last image")
    assert topics.at(SimpleNamespace(sec=0, nanosec=1)) == {}
    topics.clear()
    assert topics.at(last) == {}
    client.executor.shutdown()
    client.node.destroy_node()
