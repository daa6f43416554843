"""Endpoints that cannot hear each other are named, with what both sides want."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from types import SimpleNamespace

from diagnostic_msgs.msg import DiagnosticArray
from rclpy.publisher import Publisher
from rclpy.qos import (
    DurabilityPolicy,
    QoSCompatibility,
    QoSProfile,
    ReliabilityPolicy,
    qos_check_compatible,
)
from ros_support import Scene
from sensor_msgs.msg import Image
from std_msgs.msg import String

from affordance_grounding_ros.common import qos
from affordance_grounding_ros.health.figures import FrameCounter
from affordance_grounding_ros.health.watchdogs import PublisherWatch
from affordance_grounding_ros.msg import AffordanceResult, GrounderStatus

Lines = Callable[[], list[tuple[str, str]]]

UNRELIABLE = QoSProfile(depth=1, reliability=ReliabilityPolicy.BEST_EFFORT)
UNHEARD_CAMERA = (
    "publishers on '/image' cannot be heard: their RELIABILITY does not satisfy this "
    "subscription, which asks for reliable, volatile; offered: /client (best effort, volatile). "
    "Change the publisher, or set the parameter 'qos_overrides./image.subscription.reliability'"
)


def errors(log: Lines) -> list[str]:
    return [text for level, text in log() if level == "error"]


def test_a_publisher_that_cannot_be_heard_is_named(scene: Scene, log: Lines) -> None:
    scene.start()
    scene.client.node.create_publisher(String, "grounder/action", UNRELIABLE)
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
    late: list[GrounderStatus] = []
    latched = QoSProfile(depth=1, durability=DurabilityPolicy.TRANSIENT_LOCAL)
    scene.client.node.create_subscription(GrounderStatus, "grounder/status", late.append, latched)
    scene.client.wait(lambda: late, "a status")
    assert late[0].state == GrounderStatus.ACTIVE
    assert list(late[0].vocabulary) == ["hold", "cut_with", "pour"]
    assert late[0].header.stamp.sec > 0


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


def start_deaf_to_a_camera(scene: Scene) -> Publisher[Image]:
    """Start a grounder that wants reliable images, and a camera that offers less."""
    reliable = {"qos_overrides./image.subscription.reliability": "reliable"}
    scene.start(action="hold", image_timeout=0.0, **reliable)
    scene.client.wait_for_status("before", level="0")
    camera = scene.client.node.create_publisher(Image, "image", UNRELIABLE)
    scene.client.wait_for_status("with the warning", level="1", message=UNHEARD_CAMERA)
    return camera


def test_the_status_warns_until_a_publisher_that_cannot_be_heard_is_gone(scene: Scene) -> None:
    camera = start_deaf_to_a_camera(scene)
    scene.client.node.destroy_publisher(camera)
    scene.client.wait_for_status("without it", level="0", message="grounding 'hold'")


def test_the_status_warns_until_images_come_from_elsewhere(scene: Scene) -> None:
    start_deaf_to_a_camera(scene)
    client = scene.client
    client.wait(lambda: client.status()["level"] == "0", "a status without it", client.show)
    assert client.status()["message"] == "grounding 'hold'"


def test_diagnostics_warn_of_goals_that_cannot_be_heard(scene: Scene) -> None:
    received: list[DiagnosticArray] = []
    client = scene.client
    client.node.create_subscription(
        DiagnosticArray, "/diagnostics", received.append, qos.diagnostics()
    )
    scene.start()

    def said() -> tuple[int, str]:
        last = received[-1].status[0] if received else None
        return (ord(last.level), last.message) if last else (-1, "")

    client.wait(lambda: said()[0] == 0, "diagnostics before")
    commander = client.node.create_publisher(String, "grounder/action", UNRELIABLE)
    client.wait(lambda: said()[0] == 1, "the warning")
    assert said()[1].startswith(
        "publishers on '/grounder/action' cannot be heard: their RELIABILITY does not"
    )
    client.node.destroy_publisher(commander)
    client.wait(lambda: said()[0] == 0, "diagnostics without it")


def test_who_is_not_heard_is_news_again_when_the_others_fall_silent(scene: Scene) -> None:
    now, counter, node = [100.0], FrameCounter(), scene.client.node
    watch = PublisherWatch(node, SimpleNamespace(topic="/eye"), counter, lambda: now[0])
    asked = QoSProfile(depth=1, durability=DurabilityPolicy.TRANSIENT_LOCAL)
    node.create_subscription(Image, "eye", print, asked)
    node.create_publisher(Image, "eye", UNRELIABLE)
    scene.client.wait(lambda: watch.warning, "the warning", watch.check)
    assert "'/eye' cannot be heard: their RELIABILITY and DURABILITY do not satisfy" in (
        watch.warning
    )
    assert watch.warning.endswith("Change the publisher"), "there is no parameter for it"
    counter.add(received=1)
    watch.check()
    assert watch.warning == ""
    now[0] += PublisherWatch.HEARD
    watch.check()
    assert "'/eye' cannot be heard" in watch.warning


def test_one_subscription_that_hears_is_enough(scene: Scene) -> None:
    node = scene.client.node
    images = SimpleNamespace(topic="/image")
    watch = PublisherWatch(node, images, FrameCounter())
    latched = QoSProfile(depth=1, durability=DurabilityPolicy.TRANSIENT_LOCAL)
    deaf = node.create_subscription(String, "word", print, latched)
    node.create_publisher(String, "word", 1)
    scene.client.wait(lambda: watch.warning, "the warning", watch.check)
    assert "'/word' cannot be heard: their DURABILITY does not satisfy" in watch.warning
    node.create_subscription(String, "word", print, 1)
    watch.check()
    assert watch.warning == ""
    node.destroy_subscription(deaf)
    watch.check()
    assert watch.warning == ""


def test_policies_are_unmet_exactly_where_the_middleware_says_so() -> None:
    profiles = [
        QoSProfile(depth=1, reliability=reliability, durability=durability)
        for reliability in (ReliabilityPolicy.RELIABLE, ReliabilityPolicy.BEST_EFFORT)
        for durability in (DurabilityPolicy.VOLATILE, DurabilityPolicy.TRANSIENT_LOCAL)
    ]
    for offered, asked in itertools.product(profiles, repeat=2):
        compatibility, reason = qos_check_compatible(offered, asked)
        unmet = qos.unmet_policies(offered, asked)
        assert bool(unmet) == (compatibility == QoSCompatibility.ERROR)
        assert ("RELIABILITY" in unmet) == ("Best effort publisher and reliable" in reason)
