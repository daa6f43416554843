"""Endpoints that cannot hear each other are named, with what both sides want."""

from __future__ import annotations

from collections.abc import Callable

from diagnostic_msgs.msg import DiagnosticStatus
from rclpy.qos import DurabilityPolicy, QoSProfile, ReliabilityPolicy
from ros_support import Scene
from sensor_msgs.msg import Image
from std_msgs.msg import String

from affordance_grounding_ros.msg import AffordanceResult

Lines = Callable[[], list[tuple[str, str]]]


def errors(log: Lines) -> list[str]:
    return [text for level, text in log() if level == "error"]


def test_a_publisher_that_cannot_be_heard_is_named(scene: Scene, log: Lines) -> None:
    scene.start()
    unreliable = QoSProfile(depth=1, reliability=ReliabilityPolicy.BEST_EFFORT)
    scene.client.node.create_publisher(String, "grounder/action", unreliable)
    scene.client.wait(lambda: errors(log), "the error")
    (line,) = errors(log)
    assert "publishers on '/grounder/action' cannot be heard: their RELIABILITY" in line
    assert "asks for reliable, volatile" in line
    assert "/client (best effort, volatile)" in line
    assert "'qos_overrides./grounder/action.subscription.reliability'" in line


def test_a_subscriber_that_hears_nothing_is_named(scene: Scene, log: Lines) -> None:
    scene.start()
    latched = QoSProfile(depth=1, durability=DurabilityPolicy.TRANSIENT_LOCAL)
    scene.client.node.create_subscription(AffordanceResult, "grounder/result", print, latched)
    scene.client.wait(lambda: errors(log), "the error")
    (line,) = errors(log)
    assert "subscribers of '/grounder/result' hear nothing: this publisher's DURABILITY" in line
    assert "offered: reliable, volatile" in line
    assert "/client (reliable, transient local)" in line


def test_plain_goal_publishers_raise_no_error(scene: Scene, log: Lines) -> None:
    scene.start()
    scene.client.command("hold")
    assert errors(log) == []


def test_cameras_of_both_reliabilities_are_heard(scene: Scene) -> None:
    scene.start()
    for reliability in (ReliabilityPolicy.BEST_EFFORT, ReliabilityPolicy.RELIABLE):
        camera = scene.client.node.create_publisher(
            Image, "image", QoSProfile(depth=1, reliability=reliability)
        )
        received = scene.node.status.counts.received
        scene.client.wait(
            lambda received=received: scene.node.status.counts.received > received,
            f"an image of a {reliability.name} camera",
            lambda camera=camera: camera.publish(scene.client.image()),
        )
        scene.client.node.destroy_publisher(camera)


def test_the_status_reaches_those_who_come_late(scene: Scene) -> None:
    scene.start()
    late: list[DiagnosticStatus] = []
    latched = QoSProfile(depth=1, durability=DurabilityPolicy.TRANSIENT_LOCAL)
    scene.client.node.create_subscription(DiagnosticStatus, "grounder/status", late.append, latched)
    scene.client.wait(lambda: late, "a status")
    assert late[0].name == "grounder: affordance grounding"


def test_quality_of_service_is_overridden_by_parameters(scene: Scene) -> None:
    node = scene.start(
        **{
            "qos_overrides./image.subscription.reliability": "reliable",
            "qos_overrides./grounder/heatmap.publisher.reliability": "best_effort",
        }
    )
    (images,) = node.get_subscriptions_info_by_topic("/image")
    (heatmaps,) = node.get_publishers_info_by_topic("/grounder/heatmap")
    (masks,) = node.get_publishers_info_by_topic("/grounder/mask")
    assert images.qos_profile.reliability == ReliabilityPolicy.RELIABLE
    assert heatmaps.qos_profile.reliability == ReliabilityPolicy.BEST_EFFORT
    assert masks.qos_profile.reliability == ReliabilityPolicy.RELIABLE
