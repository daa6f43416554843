"""Image and command in, results out, over real topics."""

from __future__ import annotations

import math

import numpy as np
import pytest
from rclpy.parameter import Parameter
from rclpy.serialization import serialize_message
from ros_support import Scene, bright_square
from sensor_msgs.msg import Image
from std_msgs.msg import Header

from affordance_grounding_ros.common import qos
from affordance_grounding_ros.images.conversions import array_to_image, image_to_array, image_to_rgb
from affordance_grounding_ros.msg import ActionGoal


def test_two_actions_are_found_in_different_places(scene: Scene) -> None:
    scene.start()
    scene.client.command("hold")
    hold = scene.client.next_result()
    assert (hold.goal, hold.action, hold.found) == ("hold", "hold", True)
    assert len(hold.regions) == 1
    box = hold.regions[0].box
    assert (box.x_offset, box.y_offset) == pytest.approx((32, 0), abs=1)
    assert (box.width, box.height) == pytest.approx((16, 16), abs=2)
    assert hold.regions[0].centroid_x == pytest.approx(39.5, abs=1.0)
    assert hold.regions[0].centroid_y == pytest.approx(7.5, abs=1.0)
    assert hold.model == "brightness"
    assert hold.runtime == "brightness-cpu-fp32"

    scene.client.command("cut with")
    scene.client.wait(
        lambda: scene.client.results[-1].action == "cut_with", "cut_with", scene.client.show
    )
    cut = scene.client.results[-1]
    assert cut.goal == "cut with"
    (region,) = cut.regions
    mask = np.zeros((cut.image_height, cut.image_width), bool)
    top, left = region.box.y_offset, region.box.x_offset
    inside = image_to_array(region.mask) > 0
    mask[top : top + region.mask.height, left : left + region.mask.width] = inside
    assert np.count_nonzero(mask) == region.area
    assert mask[30:, :].all()
    assert not mask[2:12, 36:44].any()


def test_a_result_is_small_and_holds_the_pixels_of_its_regions(scene: Scene) -> None:
    scene.start(action="hold")
    result = scene.client.next_result(bright_square(480, 640))
    assert (result.image_height, result.image_width) == (480, 640)
    assert result.heatmap.height == result.mask.height == 0
    (region,) = result.regions
    assert (region.mask.height, region.mask.width) == (region.box.height, region.box.width)
    assert region.mask.encoding == "mono8"
    assert region.mask.header == result.header
    assert set(np.unique(image_to_array(region.mask))) <= {0, 255}
    size = len(serialize_message(result))
    assert size < 2000 + region.box.height * region.box.width
    assert scene.node.set_parameters([Parameter("result_images", value=True)])[0].successful
    scene.client.wait(
        lambda: scene.client.results[-1].heatmap.height, "a result with images", scene.client.show
    )


def test_an_action_that_is_not_afforded_is_answered_with_not_found(scene: Scene) -> None:
    scene.start(action="pour", result_images=True)
    result = scene.client.next_result()
    assert not result.found
    assert result.regions == []
    assert result.score == 0.0
    assert not image_to_array(result.mask).any()
    assert image_to_array(result.heatmap).shape == (48, 64)


def test_outputs_carry_stamp_frame_and_size_of_their_image(scene: Scene) -> None:
    scene.start(action="hold", result_images=True)
    tall = np.zeros((70, 30, 3), np.uint8)
    tall[20:40, 5:20] = 255
    result = scene.client.next_result(tall)
    client = scene.client
    client.wait(
        lambda: (
            any(m.header == result.header for m in client.heatmaps)
            and any(m.header == result.header for m in client.masks)
        ),
        "heatmap and mask of the result",
    )
    heatmap = next(m for m in client.heatmaps if m.header == result.header)
    mask = next(m for m in client.masks if m.header == result.header)
    assert result.header.frame_id == "camera"
    assert result.header.stamp.sec > 0
    assert (heatmap.encoding, mask.encoding) == ("32FC1", "mono8")
    assert heatmap == result.heatmap
    assert mask == result.mask
    assert (result.image_height, result.image_width) == (70, 30)
    heat = image_to_array(heatmap)
    assert heat.shape == (70, 30)
    assert np.isfinite(heat).all()
    assert heat.min() >= 0.0
    assert heat.max() <= 1.0
    assert set(np.unique(image_to_array(mask))) == {0, 255}


def test_latency_is_measured_from_the_stamp_and_unknown_without_one(scene: Scene) -> None:
    scene.start(action="hold")
    client = scene.client

    def show_now() -> None:
        header = Header(stamp=client.node.get_clock().now().to_msg(), frame_id="now")
        client.images.publish(array_to_image(bright_square(), "rgb8", header))

    client.wait(lambda: client.results, "a result", show_now)
    assert client.results[-1].latency_seconds >= client.results[-1].inference_seconds > 0.0

    def show_unstamped() -> None:
        client.images.publish(array_to_image(bright_square(), "rgb8", Header(frame_id="never")))

    client.wait(lambda: client.results[-1].header.frame_id == "never", "unstamped", show_unstamped)
    assert math.isnan(client.results[-1].latency_seconds)


def test_a_goal_message_brings_object_and_threshold(scene: Scene) -> None:
    scene.start()
    scene.client.goals.publish(ActionGoal(action="grasp", object_name="mug", threshold=0.25))
    scene.client.wait_for_status("with the goal", goal="grasp", action="hold")
    result = scene.client.next_result()
    assert (result.goal, result.action, result.object_name) == ("grasp", "hold", "mug")
    assert result.threshold == pytest.approx(0.25)


def test_a_latched_goal_from_before_the_node_started_is_followed(scene: Scene) -> None:
    scene.client.goals.publish(ActionGoal(action="hold"))
    scene.start()
    assert scene.client.next_result().action == "hold"


def test_a_goal_publisher_that_keeps_nothing_is_heard(scene: Scene) -> None:
    scene.start()
    publisher = scene.client.node.create_publisher(ActionGoal, "grounder/goal", qos.goal_live())
    scene.client.wait(publisher.get_subscription_count, "the grounder")
    publisher.publish(ActionGoal(action="hold"))
    scene.client.wait_for_status("with the goal", goal="hold")


def test_without_a_goal_the_model_does_not_run(scene: Scene) -> None:
    scene.start()
    calls = scene.runtime.calls
    client = scene.client
    client.wait(
        lambda: int(client.status().get("frames_idle", 0)) >= 5, "five idle frames", client.show
    )
    assert scene.runtime.calls == calls
    assert client.results == []
    assert client.status()["message"] == "waiting for a goal"


def test_an_empty_action_stops_the_work(scene: Scene) -> None:
    scene.start(action="hold")
    client = scene.client
    client.next_result()
    client.command("")
    idle = int(client.status()["frames_idle"])
    calls, results = scene.runtime.calls, len(client.results)
    client.wait(lambda: int(client.status()["frames_idle"]) >= idle + 3, "idle frames", client.show)
    # One image may have been at work when the command came.
    assert scene.runtime.calls <= calls + 1
    assert len(client.results) <= results + 1


def test_the_newest_frame_wins_under_a_flood(scene: Scene) -> None:
    node = scene.start(action="hold")
    client = scene.client
    client.next_result()
    scene.runtime.gate.clear()
    calls = scene.runtime.calls
    client.wait(lambda: scene.runtime.calls > calls, "a frame at work", client.show)
    at_work = len(client.results)

    flood = client.node.create_timer(1.0 / 60.0, client.show)
    # The executor goes on taking frames while the model is busy: it never waits for it.
    client.wait(lambda: node.status.counts.dropped >= 30, "thirty replaced frames")
    flood.cancel()
    newest = client.image()
    received = node.status.counts.received
    client.wait(
        lambda: node.status.counts.received > received,
        "the newest frame to arrive",
        lambda: client.images.publish(newest),
    )
    scene.runtime.gate.set()
    client.wait(lambda: client.results[-1].header == newest.header, "the newest frame's result")
    between = [r.header for r in client.results[at_work:] if r.header != newest.header]
    assert len(between) <= 1, "only the frame that was at work may come before the newest one"

    counts = node.status.counts
    accounted = counts.processed + counts.dropped + counts.idle + counts.refused + counts.failed
    assert accounted <= counts.received


def test_results_keep_the_order_of_a_camera_faster_than_the_model(scene: Scene) -> None:
    node = scene.start(action="hold")
    client = scene.client
    camera = client.node.create_timer(1.0 / 60.0, client.show)
    client.wait(lambda: len(client.results) >= 20, "twenty results")
    camera.cancel()
    headers = [result.header.stamp for result in client.results]
    stamps = [(stamp.sec, stamp.nanosec) for stamp in headers]
    assert stamps == sorted(set(stamps))
    assert node.status.counts.processed <= node.status.counts.received


def test_the_overlay_is_drawn_only_for_those_who_look(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    drawn: list[str] = []
    from affordance_grounding_ros.node import pipeline

    original = pipeline.draw_overlay

    def record(image: object, result: object, config: object) -> object:
        drawn.append("overlay")
        return original(image, result, config)

    monkeypatch.setattr(pipeline, "draw_overlay", record)
    scene.start(action="hold")
    client = scene.client
    for _ in range(3):
        client.next_result()
    assert drawn == []
    overlays: list[Image] = []
    client.node.create_subscription(Image, "grounder/overlay", overlays.append, qos.output())
    client.wait(lambda: overlays, "an overlay", client.show)
    assert overlays[0].encoding == "rgb8"
    assert overlays[0].header.frame_id == "camera"
    assert image_to_rgb(overlays[0]).shape == (48, 64, 3)
    assert (image_to_rgb(overlays[0]) != bright_square()).any()
