"""Cameras that misbehave: every answer belongs to the image whose stamp it carries."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from ros_support import Scene, bright_square
from sensor_msgs.msg import Image
from std_msgs.msg import Header

from affordance_grounding_ros.images.conversions import array_to_image, image_to_array
from affordance_grounding_ros.msg import AffordanceResult

Lines = Callable[[], list[tuple[str, str]]]


def of_encoding(encoding: str, height: int, width: int) -> Image:
    grey = bright_square(height, width)[..., 0]
    header = Header(frame_id=f"{encoding} {height} x {width}")
    if encoding == "mono8":
        return array_to_image(grey, encoding, header)
    if encoding == "mono16":
        return array_to_image(grey.astype(np.uint16) * 257, encoding, header)
    if encoding == "32FC1":
        return array_to_image(grey.astype(np.float32) / 255.0, encoding, header)
    channels = 4 if encoding.endswith("a8") else 3
    return array_to_image(np.repeat(grey[..., None], channels, axis=2), encoding, header)


STREAM = [
    of_encoding(encoding, height, width)
    for encoding, height, width in (
        ("rgb8", 48, 64),
        ("bgr8", 48, 64),
        ("mono8", 100, 50),
        ("rgba8", 33, 77),
        ("mono16", 240, 320),
        ("32FC1", 48, 64),
        ("rgb8", 50, 1000),
    )
]


def answer(scene: Scene, message: Image) -> AffordanceResult:
    client = scene.client
    return client.wait(
        lambda: next((r for r in client.results if r.header == message.header), None),
        f"the answer to {message.header.frame_id}",
        lambda: client.images.publish(message),
    )


def test_resolution_and_encoding_change_in_the_stream(scene: Scene, log: Lines) -> None:
    scene.start(action="hold", result_images=True)
    for message in STREAM:
        result = answer(scene, message)
        assert image_to_array(result.heatmap).shape == (message.height, message.width)
        box = result.regions[0].box
        assert result.found
        assert box.x_offset == pytest.approx(32, abs=0.02 * message.width + 1)
        assert box.y_offset == pytest.approx(0, abs=0.02 * message.height + 1)
    assert [text for level, text in log() if level == "error"] == []
    scene.client.wait_for_status("without complaint", level="0", last_error="")


def test_stamps_may_jump_back(scene: Scene) -> None:
    scene.start(action="hold")
    client = scene.client
    for seconds in (2000, 1000, 1, 2**31 - 1, 0):
        message = array_to_image(bright_square(), "rgb8", Header(frame_id=f"at {seconds}"))
        message.header.stamp.sec = seconds
        assert answer(scene, message).header == message.header
    client.wait_for_status("without complaint", level="0", message="grounding 'hold'")


def test_a_camera_that_stops_and_returns_is_followed(scene: Scene, log: Lines) -> None:
    scene.start(action="hold", image_timeout=0.2)
    client = scene.client
    for count in (1, 2):
        client.next_result()
        client.wait(
            lambda count=count: sum("no image on" in text for _, text in log()) >= count,
            "the warning",
        )
        client.wait_for_status("with the warning", level="1")
        client.wait(lambda: client.status()["level"] == "0", "a status without it", client.show)
    assert sum(text == "images arrive again" for _, text in log()) >= 2


def test_a_camera_faster_than_the_model_is_answered_for_its_newest_image(scene: Scene) -> None:
    scene.start(action="hold")
    client = scene.client
    client.next_result()
    scene.runtime.gate.clear()
    calls = scene.runtime.calls
    client.wait(lambda: scene.runtime.calls > calls, "an image at work", client.show)
    before = scene.node.status.counts
    # A second of 120 Hz while the model is at work on one image.
    client.wait(
        lambda: scene.node.status.counts.received >= before.received + 120, "images", client.show
    )
    last = client.image()
    client.wait(
        lambda: scene.node._model.pipeline._worker.mailbox._item.message.header == last.header,
        "the last image to wait",
        lambda: client.images.publish(last),
    )
    waited = scene.node.status.counts
    assert waited.dropped >= before.dropped + 119
    answered = len(client.results)
    scene.runtime.gate.set()
    client.wait(lambda: len(client.results) >= answered + 2, "two answers")
    assert client.results[answered + 1].header == last.header, "the newest, not the oldest"
    counts = scene.node.status.counts
    assert counts.processed == before.processed + 2
    assert counts.received == sum(
        (counts.processed, counts.dropped, counts.idle, counts.refused, counts.failed)
    )
