"""Transitions: what each of them makes, frees, and says when it fails."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from lifecycle_msgs.msg import State, Transition
from lifecycle_msgs.srv import ChangeState, GetState
from rclpy.lifecycle import TransitionCallbackReturn
from ros_support import BrightnessRuntime, Client, Scene, make_grounder

from affordance_grounding_core.checkpoints.format import packaged_checkpoint
from affordance_grounding_core.errors import WeightsError
from affordance_grounding_ros.grounder_node import load_model
from affordance_grounding_ros.msg import ActionGoal

Lines = Callable[[], list[tuple[str, str]]]

SUCCESS, FAILURE = TransitionCallbackReturn.SUCCESS, TransitionCallbackReturn.FAILURE


def change_state(client: Client, transition: int) -> bool:
    service = client.node.create_client(ChangeState, "grounder/change_state")
    client.wait(service.service_is_ready, "the change_state service")
    request = ChangeState.Request()
    request.transition.id = transition
    future = service.call_async(request)
    client.wait(future.done, "the transition")
    return bool(future.result().success)


def current_state(client: Client) -> int:
    service = client.node.create_client(GetState, "grounder/get_state")
    return int(client.ask(service, GetState.Request()).current_state.id)


def test_a_manager_leads_the_node_through_all_states(scene: Scene) -> None:
    scene.start(autostart=False)
    client = scene.client
    client.wait_for_status("unconfigured", state="unconfigured", model="", vocabulary="")
    assert current_state(client) == State.PRIMARY_STATE_UNCONFIGURED

    assert change_state(client, Transition.TRANSITION_CONFIGURE)
    client.wait_for_status("inactive", state="inactive", model="brightness")
    assert client.status()["vocabulary"] == "hold, cut_with, pour"
    assert client.status()["runtime"] == "brightness-cpu-fp32"
    assert client.images.get_subscription_count() == 0

    assert change_state(client, Transition.TRANSITION_ACTIVATE)
    client.wait_for_grounder()
    client.command("hold")
    client.next_result()

    assert change_state(client, Transition.TRANSITION_DEACTIVATE)
    client.wait_for_status("inactive", state="inactive", goal="hold")
    client.wait(lambda: client.images.get_subscription_count() == 0, "no more subscription")
    assert not scene.runtime.closed

    assert change_state(client, Transition.TRANSITION_ACTIVATE)
    client.wait_for_grounder()
    assert client.next_result().action == "hold", "the goal stays over a pause"

    assert change_state(client, Transition.TRANSITION_DEACTIVATE)
    assert change_state(client, Transition.TRANSITION_CLEANUP)
    assert scene.runtime.closed
    client.wait_for_status("unconfigured", state="unconfigured", model="", goal="")
    client.wait(lambda: client.node.count_publishers("grounder/result") == 0, "no more topics")

    assert change_state(client, Transition.TRANSITION_UNCONFIGURED_SHUTDOWN)
    assert current_state(client) == State.PRIMARY_STATE_FINALIZED


@pytest.mark.parametrize("last", ["cut_with", ""])
def test_a_latched_goal_does_not_come_back_over_a_newer_one_after_a_pause(
    scene: Scene, last: str
) -> None:
    scene.start()
    client = scene.client
    client.goals.publish(ActionGoal(action="hold"))
    client.wait_for_status("with the latched goal", goal="hold")
    client.command(last)
    assert change_state(client, Transition.TRANSITION_DEACTIVATE)
    client.wait_for_status("inactive", state="inactive")
    assert change_state(client, Transition.TRANSITION_ACTIVATE)
    client.wait_for_grounder()
    for _ in range(10):
        client.executor.spin_once(timeout_sec=0.05)
        client.show()
    assert client.wait_for_status("after the pause", state="active")["goal"] == last
    assert {result.action for result in client.results} <= {last}


def test_no_result_leaves_a_node_that_was_deactivated_at_work(scene: Scene) -> None:
    node = scene.start(action="hold")
    client = scene.client
    client.next_result()
    scene.runtime.gate.clear()
    calls = scene.runtime.calls
    client.wait(lambda: scene.runtime.calls > calls, "a frame at work", client.show)
    assert change_state(client, Transition.TRANSITION_DEACTIVATE)
    processed = node.status.counts.processed
    idle = node.status.counts.idle
    scene.runtime.gate.set()
    client.wait(lambda: node.status.counts.idle > idle, "the frame at work to be thrown away")
    assert node.status.counts.processed == processed


def test_cleaning_up_waits_for_the_model(scene: Scene) -> None:
    node = scene.start(action="hold")
    client = scene.client
    client.next_result()
    assert node.trigger_deactivate() == SUCCESS
    assert node.trigger_cleanup() == SUCCESS
    assert scene.runtime.closed


def test_a_model_can_be_changed_by_reconfiguring(scene: Scene) -> None:
    loaded: list[tuple[str, str]] = []

    def load(model: str, runtime: str, input_size: int) -> object:
        loaded.append((model, runtime))
        return make_grounder(BrightnessRuntime(), name=model)

    node = scene.start(loader=load, model="first")
    from ros_support import overrides

    assert node.trigger_deactivate() == SUCCESS
    assert node.trigger_cleanup() == SUCCESS
    assert node.set_parameters(overrides(model="second"))[0].successful
    assert node.trigger_configure() == SUCCESS
    assert node.trigger_activate() == SUCCESS
    assert loaded == [("first", "auto"), ("second", "auto")]
    scene.client.wait_for_status("with the second model", model="second", state="active")


def test_the_model_looks_as_often_as_the_parameter_says(scene: Scene) -> None:
    grounder = make_grounder(scene.runtime)
    scene.start(loader=lambda model, runtime, input_size: grounder, looks="auto")
    assert grounder.looks == "auto"


def test_a_failed_configuration_says_why_and_can_be_repeated(scene: Scene, log: Lines) -> None:
    broken = True

    def load(model: str, runtime: str, input_size: int) -> object:
        if broken:
            raise WeightsError("weights of 'dinov2' are missing; fetch them with ...")
        return make_grounder(scene.runtime)

    node = scene.start(loader=load)
    errors = [text for level, text in log() if level == "error"]
    assert errors[0] == "cannot configure: weights of 'dinov2' are missing; fetch them with ..."
    assert "autostart stopped in state 'unconfigured'" in errors[1]
    scene.client.wait_for_status("failed", state="unconfigured", level="2", message=errors[0])
    assert current_state(scene.client) == State.PRIMARY_STATE_UNCONFIGURED

    broken = False
    assert change_state(scene.client, Transition.TRANSITION_CONFIGURE)
    assert change_state(scene.client, Transition.TRANSITION_ACTIVATE)
    scene.client.wait_for_grounder()
    assert node.status.problem == ""
    scene.client.command("hold")
    scene.client.next_result()


def test_an_unexpected_error_of_the_loader_does_not_end_the_node(scene: Scene, log: Lines) -> None:
    def load(model: str, runtime: str, input_size: int) -> object:
        raise ZeroDivisionError("surprise")

    scene.start(loader=load)
    assert ("error", "cannot configure: ZeroDivisionError: surprise") in log()
    assert current_state(scene.client) == State.PRIMARY_STATE_UNCONFIGURED


def test_a_model_that_cannot_run_is_freed_again(scene: Scene, log: Lines) -> None:
    scene.runtime.failure = RuntimeError("no kernel image for this device")
    scene.start()
    assert any("no kernel image for this device" in text for _, text in log())
    assert scene.runtime.closed


def test_a_default_action_the_model_does_not_know_fails_the_configuration(
    scene: Scene, log: Lines
) -> None:
    scene.start(action="juggle")
    assert scene.runtime.closed
    assert any(text.startswith("cannot configure: action 'juggle' is not in") for _, text in log())


def test_an_impossible_quality_of_service_fails_the_activation(scene: Scene, log: Lines) -> None:
    scene.start(**{"qos_overrides./image.subscription.reliability": "perfect"})
    assert any(text.startswith("cannot activate: ") and "perfect" in text for _, text in log())
    assert current_state(scene.client) == State.PRIMARY_STATE_INACTIVE


def test_the_quality_of_service_of_the_image_can_be_changed(scene: Scene) -> None:
    scene.start(**{"qos_overrides./image.subscription.reliability": "reliable"})
    endpoint = scene.client.wait(
        lambda: scene.client.node.get_subscriptions_info_by_topic("image"), "the subscription"
    )[0]
    assert endpoint.qos_profile.reliability.name == "RELIABLE"


def test_a_missing_checkpoint_is_named(scene: Scene, log: Lines, tmp_path: Path) -> None:
    missing = tmp_path / "no_such_model"
    scene.start(loader=load_model, model=str(missing))
    line = next(text for level, text in log() if level == "error")
    assert line.startswith("cannot configure: model ")
    assert str(missing) in line
    assert current_state(scene.client) == State.PRIMARY_STATE_UNCONFIGURED


PACKAGED = packaged_checkpoint("default")


@pytest.mark.parametrize("damage", ["cut", "flipped", "no configuration"])
@pytest.mark.skipif(PACKAGED is None, reason="the default checkpoint is not in this tree")
def test_a_tampered_checkpoint_is_refused(
    scene: Scene, log: Lines, tmp_path: Path, damage: str
) -> None:
    model = tmp_path / "tampered"
    assert PACKAGED is not None
    shutil.copytree(PACKAGED, model)
    weights = next(model.glob("*.safetensors"))
    content = bytearray(weights.read_bytes())
    if damage == "cut":
        weights.write_bytes(content[: len(content) // 2])
    elif damage == "flipped":
        content[-100] ^= 0xFF
        weights.write_bytes(content)
    else:
        for configuration in model.glob("*.json"):
            json.loads(configuration.read_text())
            configuration.unlink()
    scene.start(loader=load_model, model=str(model))
    line = next(text for level, text in log() if level == "error")
    assert line.startswith("cannot configure: ")
    assert str(model) in line
    assert current_state(scene.client) == State.PRIMARY_STATE_UNCONFIGURED
