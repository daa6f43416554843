"""A photograph that was published once, for whoever comes later, is seen by every new goal."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from rclpy.publisher import Publisher
from rclpy.qos import DurabilityPolicy, QoSProfile, ReliabilityPolicy
from ros_support import Scene, bright_square
from sensor_msgs.msg import CompressedImage, Image
from test_compressed_images import message as compressed_message
from test_compressed_images import packed

from affordance_grounding_ros.node.image_input import ImageInput

Lines = Callable[[], list[tuple[str, str]]]

LATCHED = QoSProfile(
    depth=1,
    reliability=ReliabilityPolicy.RELIABLE,
    durability=DurabilityPolicy.TRANSIENT_LOCAL,
)


@pytest.fixture
def photograph(scene: Scene) -> Publisher[Image]:
    """Published before the node is there, and never again."""
    client = scene.client
    client.node.destroy_publisher(client.images)
    client.images = client.node.create_publisher(Image, "image", LATCHED)
    client.show()
    return client.images


def test_an_image_published_before_the_node_is_grounded(
    scene: Scene, photograph: Publisher[Image]
) -> None:
    scene.start(action="hold", image_timeout=0.5)
    client = scene.client
    client.wait(lambda: client.results, "a result")
    assert client.results[0].regions[0].box.x_offset == 32
    later = client.statuses[-1].header.stamp.sec + 3
    client.wait(lambda: client.statuses[-1].header.stamp.sec >= later, "three seconds")
    client.wait_for_status("without a warning", level="0", frames_received="1")


def test_every_new_goal_gets_the_image_again(scene: Scene, photograph: Publisher[Image]) -> None:
    scene.start(action="hold")
    client = scene.client
    client.wait(lambda: client.results, "a result")
    client.wait_for_status("after it", frames_processed="1")
    assert ImageInput.STILL <= 1.0
    # The image is not asked for within a second: a camera that runs will show the next one.
    heard = client.statuses[-1].header.stamp.sec
    client.wait(lambda: client.statuses[-1].header.stamp.sec >= heard + 3, "three seconds")
    client.command("cut_with")
    client.wait(lambda: client.results[-1].action == "cut_with", "a result for the new goal")


def test_a_compressed_image_published_before_the_node_is_grounded(scene: Scene) -> None:
    client = scene.client
    client.node.destroy_publisher(client.images)
    client.images = client.node.create_publisher(CompressedImage, "image/compressed", LATCHED)
    client.images.publish(compressed_message(packed(bright_square()), "png"))
    scene.start(action="hold", image_transport="compressed")
    client.wait(lambda: client.results, "a result")


def test_cameras_that_keep_nothing_are_not_asked_for_more_than_they_offer(
    scene: Scene, log: Lines
) -> None:
    node = scene.start(action="hold")
    scene.client.next_result()
    asked = node.get_subscriptions_info_by_topic("/image")
    assert [one.qos_profile.durability for one in asked] == [DurabilityPolicy.VOLATILE]
    assert not [text for level, text in log() if "DURABILITY" in text and "'image'" in text]
