"""The service ~/ground: answers beside the stream, refuses with reasons, and never hangs."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from rclpy.qos import DurabilityPolicy, QoSProfile
from ros_support import Scene, bright_square
from sensor_msgs.msg import Image
from test_depth import NEAR, DepthCamera, has_pose, square_depth

from affordance_grounding_ros.images.conversions import image_to_array
from affordance_grounding_ros.node.ground_service import GroundService
from affordance_grounding_ros.node.newest_image import NewestImage
from affordance_grounding_ros.srv import GroundImage


class Asker:
    """A client of the service of a scene's grounder."""

    def __init__(self, scene: Scene, **values: Any) -> None:
        self.client = scene.client
        self.service = self.client.node.create_client(GroundImage, "grounder/ground")
        scene.start(**values)
        self.client.wait(self.service.service_is_ready, "the service")

    def send(self, action: str = "hold", image: Image | None = None, **fields: Any) -> Any:
        """Send a request; gives its future."""
        asked = GroundImage.Request(action=action, **fields)
        if image is not None:
            asked.image = image
        return self.service.call_async(asked)

    def answer(self, future: Any, show: Any = int) -> Any:
        self.client.wait(future.done, "an answer", show)
        return future.result()

    def ask(self, action: str = "hold", image: Image | None = None, **fields: Any) -> Any:
        return self.answer(self.send(action, image, **fields))


def test_an_image_is_grounded_without_a_goal_or_a_camera(scene: Scene) -> None:
    asker = Asker(scene)
    image = asker.client.image()
    answer = asker.ask("grasp", image, object_name="cup", threshold=0.6)
    assert (answer.success, answer.message) == (True, "")
    result = answer.result
    assert result.header == image.header
    assert (result.goal, result.action, result.object_name) == ("grasp", "hold", "cup")
    assert result.threshold == pytest.approx(0.6)
    assert result.found
    assert result.regions[0].box.x_offset == pytest.approx(32, abs=1)
    assert result.heatmap.height == 0
    assert asker.client.results == [], "the stream is not this client's"
    asker.client.wait_for_status("without a goal", goal="", message="waiting for a goal")


def test_whole_images_come_where_they_are_asked_for(scene: Scene) -> None:
    asker = Asker(scene)
    result = asker.ask("pour", asker.client.image(), result_images=True).result
    assert not result.found
    assert image_to_array(result.heatmap).shape == (48, 64)
    assert not image_to_array(result.mask).any()


def test_without_an_image_the_newest_of_the_camera_is_taken(scene: Scene) -> None:
    asker = Asker(scene)
    future = asker.send()
    answer = asker.answer(future, asker.client.show)
    assert answer.success
    assert answer.result.header.frame_id == "camera"
    assert answer.result.found


def test_no_image_in_time_is_said(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(NewestImage, "TIMEOUT", 0.1)
    asker = Asker(scene)
    answer = asker.ask()
    assert not answer.success
    assert "no image has come within 0.1 s" in answer.message
    assert "/image" in answer.message


def test_the_stream_goes_on_while_a_request_is_at_work(scene: Scene) -> None:
    asker = Asker(scene, action="hold")
    client = asker.client
    client.next_result()
    scene.runtime.gate.clear()
    calls = scene.runtime.calls
    futures = [asker.send("cut with", client.image()) for _ in range(3)]
    client.wait(lambda: scene.runtime.calls > calls, "one at work")
    received = scene.node.status.counts.received
    client.wait(lambda: scene.node.status.counts.received >= received + 5, "images", client.show)
    scene.runtime.gate.set()
    client.next_result()
    for future in futures:
        assert asker.answer(future, client.show).result.action == "cut_with"
    assert {result.action for result in client.results} == {"hold"}


def test_requests_beyond_the_bound_are_refused_at_once(scene: Scene) -> None:
    asker = Asker(scene)
    scene.runtime.gate.clear()
    image = asker.client.image()
    most = GroundService.MOST_WAITING
    futures = [asker.send("hold", image) for _ in range(most + 2)]
    asker.client.wait(lambda: sum(one.done() for one in futures) >= 2, "two refusals")
    refused = [one.result() for one in futures if one.done()]
    assert all(f"{most} requests wait already" in one.message for one in refused)
    scene.runtime.gate.set()
    assert sum(asker.answer(one).success for one in futures) == most


def damaged() -> Image:
    image = Image(height=48, width=64, encoding="rgb8", step=192)
    image.data = np.zeros(100, np.uint8).tobytes()
    return image


@pytest.mark.parametrize(
    ("action", "fields", "reason", "closest"),
    [
        ("hald", {}, "closest: 'hold'", True),
        ("juggle", {}, "expected one of hold", False),
        ("", {}, "no action is asked for", False),
        ("  ", {}, "no action is asked for", False),
        ("hold; pour", {}, "asks for 2 actions; expected one", False),
        ("hold\n", {}, "control characters", False),
        ("x" * 100_000, {}, "expected at most 256", False),
        ("hold", {"object_name": "x" * 100_000}, "object_name", False),
        ("hold", {"threshold": float("nan")}, "threshold", False),
        ("hold", {"threshold": 2.0}, "threshold", False),
        ("hold", {"image": damaged()}, "data", False),
        ("hold", {"image": Image(height=2**31, width=2**31, encoding="rgb8")}, "", False),
        ("hold", {"image": Image(width=4)}, "", False),
        ("hold", {"image": Image(height=1, width=1, encoding="\x1b[31m", data=[0])}, "", False),
    ],
)
def test_what_cannot_be_answered_is_refused_with_the_reason(
    scene: Scene, action: str, fields: dict[str, Any], reason: str, closest: bool
) -> None:
    asker = Asker(scene)
    fields = {"image": asker.client.image()} | fields
    answer = asker.ask(action, **fields)
    assert not answer.success
    assert reason in answer.message
    assert answer.message
    assert answer.message.isprintable()
    assert len(answer.message) < 2100
    assert bool(answer.closest_names) == closest
    assert asker.ask("hold", asker.client.image()).success, "the next one is answered"


def test_a_model_that_fails_is_said_and_the_next_request_is_answered(scene: Scene) -> None:
    asker = Asker(scene)
    scene.runtime.failure = RuntimeError("out of memory")
    answer = asker.ask("hold", asker.client.image())
    assert not answer.success
    assert "out of memory" in answer.message
    scene.runtime.failure = None
    assert asker.ask("hold", asker.client.image()).success


def test_a_node_that_is_not_active_refuses(scene: Scene) -> None:
    asker = Asker(scene)
    scene.node.trigger_deactivate()
    answer = asker.ask("hold", asker.client.image())
    assert not answer.success
    assert "not active" in answer.message
    scene.node.trigger_activate()
    assert asker.ask("hold", asker.client.image(bright_square())).success


def test_requests_that_wait_are_refused_when_the_node_is_deactivated(scene: Scene) -> None:
    asker = Asker(scene)
    waits_for_camera = asker.send()
    asker.client.wait(lambda: scene.node._newest.waits, "it to wait")
    scene.runtime.gate.clear()
    calls = scene.runtime.calls
    at_work = asker.send("hold", asker.client.image())
    asker.client.wait(lambda: scene.runtime.calls > calls, "one at work")
    behind = asker.send("hold", asker.client.image())
    asker.client.wait(lambda: scene.node._ground_service._waiting == 3, "all three to wait")
    scene.node.trigger_deactivate()
    assert "deactivated" in asker.answer(waits_for_camera).message
    assert "not active" in asker.answer(behind).message
    scene.runtime.gate.set()
    assert "not active" in asker.answer(at_work).message


def test_two_clients_at_once_get_each_their_own_answer(scene: Scene) -> None:
    asker = Asker(scene)
    other = asker.client.node.create_client(GroundImage, "grounder/ground")
    asker.client.wait(other.service_is_ready, "the service")
    first = asker.send("hold", asker.client.image())
    second = other.call_async(GroundImage.Request(action="cut with", image=asker.client.image()))
    assert asker.answer(first).result.action == "hold"
    assert asker.answer(second).result.action == "cut_with"


def test_regions_of_the_cameras_image_have_poses_where_depth_is_on(scene: Scene) -> None:
    camera = DepthCamera(scene)
    asker = Asker(scene, depth_enabled=True)
    # Without a goal nothing is subscribed to for long: somebody waits, and depth comes in.
    for _ in range(5):
        answer = asker.answer(asker.send(), lambda: camera.shoot(square_depth()))
        assert answer.success
        if has_pose(answer.result):
            break
    assert has_pose(answer.result), answer.result.pose_problem
    assert answer.result.regions[0].pose.position.z == pytest.approx(NEAR, abs=1e-3)
    given = asker.ask("hold", asker.client.image()).result
    assert given.found
    assert not has_pose(given), "nothing is known of the depth of an image that was sent"


def test_a_photograph_that_was_published_once_answers_every_request(scene: Scene) -> None:
    client = scene.client
    latched = QoSProfile(depth=1, durability=DurabilityPolicy.TRANSIENT_LOCAL)
    photograph = client.node.create_publisher(Image, "image", latched)
    photograph.publish(client.image())
    asker = Asker(scene)
    for action in ("hold", "cut with"):
        assert asker.ask(action).success
        client.wait(lambda: not scene.node._images.is_open, "the images to be given up")
