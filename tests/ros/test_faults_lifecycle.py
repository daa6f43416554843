"""Storms of parameters and transitions, and a second node of the same name."""

from __future__ import annotations

import gc
import random
from collections.abc import Callable

import pytest
import rclpy
from rcl_interfaces.srv import SetParameters
from rclpy.context import Context
from rclpy.lifecycle import TransitionCallbackReturn
from rclpy.node import Node
from ros_support import BrightnessRuntime, Scene, make_grounder, overrides

from affordance_grounding_core.inference.grounder import Grounder
from affordance_grounding_ros.health.watchdogs import NameWatch
from affordance_grounding_ros.measure.soak import ProcessFigures, read_figures

Lines = Callable[[], list[tuple[str, str]]]

SUCCESS = TransitionCallbackReturn.SUCCESS

CHANGES = {
    "threshold": (0.2, 0.9, "high", -1.0, float("nan")),
    "action": ("hold", "", "juggle", "hold; pour", 3),
    "maximum_regions": (1, 0, -5, "many"),
    "overlay_colormap": ("magma", "jet"),
    "model": ("other",),
    "goal_timeout": (0.0, 1e9),
    "no_such_parameter": (1,),
}


def test_a_storm_of_parameters_changes_what_is_valid_and_nothing_else(
    scene: Scene, log: Lines
) -> None:
    node = scene.start(action="hold")
    client = scene.client
    service = client.node.create_client(SetParameters, "grounder/set_parameters")
    client.wait(service.service_is_ready, "the service")
    rng = random.Random(8)
    futures = []
    for number in range(500):
        name = rng.choice(list(CHANGES))
        change = overrides(**{name: rng.choice(CHANGES[name])})
        if number % 5:
            node.set_parameters(change) if node.has_parameter(name) else None
        else:
            request = SetParameters.Request(parameters=[change[0].to_parameter_msg()])
            futures.append(service.call_async(request))
            # One at a time: a service keeps ten requests and forgets the others.
            client.wait(futures[-1].done, "the answer")
        if number % 10 == 0:
            client.show()
            client.executor.spin_once(timeout_sec=0.0)
    for future in futures:
        for result in future.result().results:
            assert result.successful or result.reason
    assert node.get_parameter("model").value == "default"
    assert node.get_parameter("overlay_colormap").value in ("inferno", "magma")
    assert node.status.counts.failed == 0
    assert len(log()) < 200, "the log was flooded"
    assert node.set_parameters(overrides(threshold=0.6, action="hold"))[1].successful
    result = client.wait_for_answer("hold", None)
    client.wait(lambda: client.results[-1].threshold == pytest.approx(0.6), "it", client.show)
    assert result.action == "hold"


def test_a_hundred_life_cycles_leave_nothing_behind(scene: Scene) -> None:
    runtimes: list[BrightnessRuntime] = []

    def load(model: str, runtime: str, input_size: int) -> Grounder:
        runtimes.append(BrightnessRuntime())
        return make_grounder(runtimes[-1], size=28)

    node = scene.start(start=False, loader=load)
    client = scene.client

    def cycles(count: int) -> ProcessFigures:
        for _ in range(count):
            assert node.trigger_configure() == SUCCESS
            assert node.trigger_activate() == SUCCESS
            client.show()
            assert node.trigger_deactivate() == SUCCESS
            assert node.trigger_cleanup() == SUCCESS
        gc.collect()
        return read_figures()

    before = cycles(30)
    after = cycles(100)
    assert len(runtimes) == 130
    assert all(runtime.closed for runtime in runtimes)
    assert after.threads <= before.threads
    assert after.files <= before.files
    # Far below one image or one model of a kilobyte for each cycle and topic.
    assert after.anonymous - before.anonymous < 100 * 64 * 1024
    assert node.trigger_configure() == SUCCESS
    assert node.trigger_activate() == SUCCESS
    client.wait_for_grounder()
    client.command("hold")
    assert client.next_result().found


def test_a_second_node_of_the_same_name_is_warned_about(
    scene: Scene, log: Lines, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(NameWatch, "PATIENCE", 0.0)
    scene.start(action="hold")
    client = scene.client
    elsewhere = Context()  # As in another process.
    rclpy.init(context=elsewhere)
    twin = Node("grounder", context=elsewhere)
    warning = "2 nodes are called '/grounder'"
    try:
        client.wait(lambda: any(text.startswith(warning) for _, text in log()), "the warning")
        status = client.wait_for_status("with the warning", level="1", state="active")
        assert status["message"].startswith(warning)
        assert client.wait_for_answer("hold", None).found, "it goes on"
    finally:  # Or it would be another node of this name for all tests that follow.
        twin.destroy_node()
        rclpy.shutdown(context=elsewhere)
        del twin
        gc.collect()  # On Jazzy it is listed until then.
    client.wait(lambda: client.status()["level"] == "0", "the warning to end", client.show)
    assert sum(text.startswith(warning) for _, text in log()) == 1


def test_a_twin_that_is_going_is_waited_for(context: Context) -> None:
    now = [100.0]
    first, twin = Node("same", context=context), Node("same", context=context)
    watch = NameWatch(first, clock=lambda: now[0])
    assert watch.check() == ""
    now[0] += NameWatch.PATIENCE - 0.1
    assert watch.check() == ""
    now[0] += 0.1
    assert "2 nodes are called '/same'" in watch.check()
    assert watch.check() == "", "once"
    assert watch.warning
    twin.destroy_node()
    assert watch.check() == ""
    assert watch.warning == ""
    first.destroy_node()
