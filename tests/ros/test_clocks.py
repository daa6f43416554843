"""Clocks that do not fit are named, and cost nothing but the latency that they cannot tell."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from builtin_interfaces.msg import Time
from rclpy.qos import QoSProfile
from ros_support import Scene, bright_square
from rosgraph_msgs.msg import Clock
from sensor_msgs.msg import CameraInfo, Image
from std_msgs.msg import Header

from affordance_grounding_ros.common import qos
from affordance_grounding_ros.health.clocks import ClockWatch
from affordance_grounding_ros.images.conversions import array_to_image
from affordance_grounding_ros.msg import ActionGoal, AffordanceResult, GrounderStatus
from affordance_grounding_ros.player.image_player import pinhole

Lines = Callable[[], list[tuple[str, str]]]


def stamp(seconds: float) -> Time:
    whole = math.floor(seconds)
    return Time(sec=whole, nanosec=round((seconds - whole) * 1e9))


class FakeNode:
    """A node whose clock shows what a test says."""

    def __init__(self, now: float, simulated: bool = False) -> None:
        self.now = now
        self.simulated = simulated
        self.lines: list[str] = []

    def get_clock(self) -> Any:
        return SimpleNamespace(now=lambda: SimpleNamespace(nanoseconds=round(self.now * 1e9)))

    def get_parameter(self, name: str) -> Any:
        assert name == "use_sim_time"
        return SimpleNamespace(value=self.simulated)

    def get_logger(self) -> Any:
        return SimpleNamespace(info=self.lines.append)

    def get_publishers_info_by_topic(self, topic: str) -> list[Any]:
        assert topic == "/clock"
        return []


class Bench:
    """A watch, and both clocks it looks at."""

    def __init__(self, now: float = 1000.0, simulated: bool = False) -> None:
        self.node = FakeNode(now, simulated)
        self.steady = 50.0
        self.watch = ClockWatch(self.node, lambda: self.steady)  # type: ignore[arg-type]

    def images(self, count: int, age: float) -> str:
        for _ in range(count):
            self.node.now += 0.1
            self.steady += 0.1
            self.watch.arrived(stamp(self.node.now - age))
        return self.watch.check()

    def latency(self, age: float) -> float:
        return self.watch.latency(stamp(self.node.now - age))


@pytest.mark.parametrize(
    ("age", "words"),
    [(-5.0, "5.0 s ahead of this computer's clock"), (5.0, "5.0 s old by this computer's clock")],
)
def test_a_camera_whose_clock_is_off_is_named_with_the_offset_once(age: float, words: str) -> None:
    bench = Bench()
    assert bench.images(2, age) == ""
    assert words in bench.images(1, age)
    assert words in bench.watch.warning
    assert math.isnan(bench.latency(age))
    assert bench.images(10, age) == "", "it is said once"
    assert bench.images(2, 0.05) == ""
    assert words in bench.watch.warning, "two images may be of another camera"
    bench.images(1, 0.05)
    assert bench.watch.warning == ""
    assert bench.latency(0.05) == pytest.approx(0.05, abs=1e-6)
    assert bench.node.lines == ["the images' stamps fit this node's clock again"]


@pytest.mark.parametrize("age", [0.0, 0.04, 1.5, -0.2])
def test_ordinary_delays_need_no_word(age: float) -> None:
    bench = Bench()
    assert bench.images(20, age) == ""
    assert bench.watch.warning == ""


def test_a_slow_model_makes_old_results_not_a_wrong_clock() -> None:
    bench = Bench()
    bench.images(1, 0.1)
    bench.node.now += 8.0
    assert bench.latency(8.1) == pytest.approx(8.1, abs=1e-6)


def test_images_without_a_stamp_tell_nothing() -> None:
    bench = Bench()
    for _ in range(10):
        bench.watch.arrived(Time())
    assert bench.watch.check() == ""
    assert math.isnan(bench.watch.latency(Time()))


def test_a_simulated_clock_that_never_runs_is_named_until_it_does() -> None:
    bench = Bench(now=0.0, simulated=True)
    assert bench.watch.check() == ""
    bench.steady += 10.0
    assert "use_sim_time is true and nothing has come on '/clock'" in bench.watch.check()
    assert "publishers found: none" in bench.watch.warning
    assert bench.watch.check() == ""
    bench.watch.arrived(stamp(12.0))
    assert math.isnan(bench.watch.latency(stamp(12.0)))
    bench.node.now = 12.0
    assert bench.watch.check() == ""
    assert bench.watch.warning == ""
    assert bench.node.lines == ["'/clock' runs again"]


def test_a_simulated_clock_that_stands_still_matters_only_while_images_arrive() -> None:
    bench = Bench(simulated=True)
    bench.images(1, 0.0)
    for _ in range(10):
        bench.steady += 1.0
        assert bench.watch.check() == "", "a simulation that is paused shows no images"
    bench.watch.arrived(stamp(bench.node.now))
    assert "'/clock' stands still at 1000.1 s although images arrive" in bench.watch.check()
    bench.node.now += 1.0
    assert bench.watch.check() == ""
    assert bench.watch.warning == ""


def test_a_recording_that_starts_over_needs_no_word() -> None:
    bench = Bench(simulated=True)
    for _ in range(4):
        assert bench.images(20, 0.05) == ""
        # The last images of a round arrive when the clock has gone back.
        last = bench.node.now
        bench.node.now -= 2.0
        bench.watch.arrived(stamp(last))
        assert math.isnan(bench.watch.latency(stamp(last)))
        bench.watch.arrived(stamp(last + 0.05))
    assert bench.images(1, 0.05) == ""
    assert bench.watch.warning == ""
    assert bench.latency(0.05) == pytest.approx(0.05, abs=1e-6)


def test_the_memory_of_ages_is_bounded() -> None:
    bench = Bench()
    bench.images(2000, 0.0)
    assert len(bench.watch._ages) <= 512


class Show:
    """Images whose stamps a test chooses."""

    def __init__(self, scene: Scene) -> None:
        self.client = scene.client
        self.clock = self.client.node.create_publisher(Clock, "/clock", QoSProfile(depth=1))

    def image(self, seconds: float) -> Image:
        header = Header(stamp=stamp(seconds), frame_id="camera")
        image = array_to_image(bright_square(), "rgb8", header)
        self.client.images.publish(image)
        return image

    def until_warned(self, words: str, seconds: Callable[[], float]) -> None:
        client = self.client
        client.wait(
            lambda: client.statuses and words in client.statuses[-1].summary,
            f"a warning with {words!r}",
            lambda: self.image(seconds()),
        )
        assert client.statuses[-1].level == GrounderStatus.WARN
        assert all(math.isnan(result.latency_seconds) for result in client.results[-1:])

    def until_well(self, seconds: Callable[[], float]) -> None:
        client = self.client
        client.wait(
            lambda: client.statuses[-1].level == GrounderStatus.OK,
            "no more warning",
            lambda: self.image(seconds()),
        )
        before = len(client.results)
        client.wait(
            lambda: len(client.results) > before and client.results[-1].latency_seconds >= 0.0,
            "a latency",
            lambda: self.image(seconds()),
        )


@pytest.mark.parametrize("offset", [5.0, -5.0], ids=["ahead", "behind"])
def test_a_camera_clock_that_is_off_is_a_warning_until_it_is_set(
    scene: Scene, log: Lines, offset: float
) -> None:
    scene.start(action="hold")
    show = Show(scene)
    words = "clock is 5" if offset > 0.0 else "images are 5"
    show.until_warned(words, lambda: time.time() + offset)
    show.until_well(time.time)
    said = [text for level, text in log() if level in ("warn", "warning") and words in text]
    assert len(said) == 1


def test_simulated_time_without_a_clock_is_a_warning_until_it_runs(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ClockWatch, "PATIENCE", 0.5)
    scene.start(action="hold", use_sim_time=True)
    show = Show(scene)
    show.until_warned("nothing has come on '/clock'", time.time)

    def now() -> float:
        seconds = time.time() - 1e9
        show.clock.publish(Clock(clock=stamp(seconds)))
        return seconds

    show.until_well(now)


def test_a_recording_that_loops_keeps_its_goal_its_depth_and_its_latency(
    scene: Scene, log: Lines
) -> None:
    scene.start(use_sim_time=True, depth_enabled=True, goal_timeout=600.0)
    client = scene.client
    show = Show(scene)
    depths = client.node.create_publisher(Image, "depth", qos.camera_output())
    infos = client.node.create_publisher(CameraInfo, "camera_info", qos.camera_output())
    client.goals.publish(ActionGoal(action="hold", timeout=500.0))
    client.wait_for_status("with the goal", goal="hold")
    client.wait(lambda: depths.get_subscription_count(), "depth's subscription")
    metres = np.full((48, 64), 0.8, np.float32)

    def play(seconds: float) -> AffordanceResult:
        show.clock.publish(Clock(clock=stamp(seconds + 0.01)))
        client.executor.spin_once(timeout_sec=0.02)
        before = len(client.results)

        def again() -> None:
            header = Header(stamp=stamp(seconds), frame_id="camera")
            depths.publish(array_to_image(metres, "32FC1", header))
            infos.publish(pinhole(header, 48, 64, 60.0))
            show.image(seconds)

        again()
        client.wait(lambda: len(client.results) > before, "a result", again)
        return client.results[-1]

    for _ in range(3):
        results = [play(1000.0 + 0.2 * step) for step in range(8)]
        assert results[-1].regions[0].has_pose, results[-1].pose_problem
        assert 0.0 <= results[-1].latency_seconds < 5.0
    assert client.status()["goal"] == "hold"
    assert not [text for level, text in log() if level != "info" and "clock" in text]
