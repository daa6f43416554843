"""Goals over real topics: taken once, in turn, for a time, by meaning."""

from __future__ import annotations

import itertools
from collections.abc import Callable

import pytest
from ros_support import Scene, make_grounder
from std_msgs.msg import String

from affordance_grounding_core.actions.resolution import ActionResolution, Candidate
from affordance_grounding_core.errors import UnknownActionError
from affordance_grounding_ros.common import qos
from affordance_grounding_ros.msg import ActionGoal
from affordance_grounding_ros.node.image_input import ImageInput

Lines = Callable[[], list[tuple[str, str]]]


def test_several_goals_are_grounded_in_turn(scene: Scene) -> None:
    scene.start()
    client = scene.client
    client.command("hold; pour")
    client.wait_for_status("of both", action="hold; pour", message="grounding 'hold; pour'")
    actions = []
    for _ in range(4):
        result = client.next_result()
        assert result.goal == "hold; pour"
        actions.append(result.action)
    assert set(actions) == {"hold", "pour"}
    assert all(first != second for first, second in itertools.pairwise(actions))


def test_the_parameter_takes_several_actions_too(scene: Scene) -> None:
    scene.start(action="hold; cut_with")
    actions = {scene.client.next_result().action for _ in range(4)}
    assert actions == {"hold", "cut_with"}


@pytest.mark.parametrize("kind", ["text", "message"])
def test_a_word_that_stops_stops_on_both_topics(scene: Scene, log: Lines, kind: str) -> None:
    scene.start()
    client = scene.client
    client.command("hold")
    client.wait_for_status("of the goal", goal="hold")
    if kind == "text":
        client.actions.publish(String(data="never mind"))
    else:
        client.goals.publish(ActionGoal(action="never mind", threshold=9.0))
    client.wait_for_status("of the stop", goal="", message="waiting for a goal")
    assert any(text == "goal: stop, from 'never mind'" for _, text in log())
    client.actions.publish(String(data="juggle"))
    client.wait(lambda: any('"" or "stop" stops' in text for _, text in log()), "the refusal")


def test_a_goal_stops_when_it_is_not_renewed(scene: Scene, log: Lines) -> None:
    scene.start()
    client = scene.client
    client.goals.publish(ActionGoal(action="hold", timeout=1.5))
    client.wait_for_status("of the goal", goal="hold", goal_timeout="1.5")
    ended = "goal 'hold' ended: not renewed for 1.5 s"
    client.wait_for_status(
        "of the end", goal="", goal_ended=ended, message=f"waiting for a goal; {ended}", level="0"
    )
    client.wait(lambda: any(text == ended for _, text in log()), "the line")
    before = len(client.results)
    idle = scene.node.status.counts.idle
    client.wait(lambda: scene.node.status.counts.idle > idle + 3, "idle images", client.show)
    assert len(client.results) == before
    client.command("pour")
    client.wait_for_status("of the next goal", goal_ended="", goal="pour")
    assert [text for _, text in log()].count(ended) == 1


def test_a_renewed_goal_goes_on(scene: Scene) -> None:
    scene.start(goal_timeout=30.0)
    client = scene.client
    client.actions.publish(String(data="hold"))
    client.wait_for_status("with the node's timeout", goal="hold", goal_timeout="30")
    client.goals.publish(ActionGoal(action="hold", timeout=60.0))
    client.wait_for_status("with the goal's own", goal="hold", goal_timeout="60")


def test_the_parameter_action_does_not_stop_by_itself(scene: Scene) -> None:
    scene.start(action="hold", goal_timeout=0.01)
    assert scene.client.next_result().action == "hold"
    assert scene.client.status()["goal_timeout"] == "0"


@pytest.mark.parametrize("kind", ["text", "message"])
def test_a_latched_goal_of_either_kind_waits_for_the_node(scene: Scene, kind: str) -> None:
    client = scene.client
    if kind == "text":
        publisher = client.node.create_publisher(String, "grounder/action", qos.goal_latched())
        publisher.publish(String(data="hold"))
    else:
        client.goals.publish(ActionGoal(action="hold"))
    scene.start()
    client.wait_for_status("with the goal sent before the start", goal="hold")


def test_a_goal_through_two_subscriptions_is_taken_once(scene: Scene, log: Lines) -> None:
    scene.start()
    client = scene.client
    latched = client.node.create_publisher(String, "grounder/action", qos.goal_latched())
    client.wait(lambda: latched.get_subscription_count() == 2, "both subscriptions")
    latched.publish(String(data="juggle"))
    client.wait(lambda: "juggle" in client.status().get("last_error", ""), "the refusal")
    client.command("hold")
    assert sum(level == "error" for level, _ in log()) == 1


class Synonyms:
    """Knows one more word."""

    def resolve(self, text: str) -> ActionResolution:
        if text == "levitate the cup":
            return ActionResolution(text, (Candidate("hold", 0.9),), "similarity")
        raise UnknownActionError(f"action {text!r} is like no action clearly enough")


def test_free_text_resolves_by_meaning_where_a_text_encoder_is_loaded(scene: Scene) -> None:
    scene.start(
        loader=lambda model, runtime, input_size: make_grounder(
            scene.runtime, similarity=Synonyms()
        )
    )
    client = scene.client
    client.command("levitate the cup")
    result = client.next_result()
    assert (result.goal, result.action) == ("levitate the cup", "hold")
    client.actions.publish(String(data="juggle"))
    client.wait(lambda: "clearly enough" in client.status()["last_error"], "the refusal")
    assert client.status()["goal"] == "levitate the cup"


def test_images_are_received_only_while_there_is_a_goal(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ImageInput, "LINGER", 0.1)
    scene.start()
    client = scene.client
    assert client.images.get_subscription_count() == 1, "until the camera has been heard"
    client.wait(lambda: client.images.get_subscription_count() == 0, "no subscription", client.show)
    received = scene.node.status.counts.received
    client.command("hold")
    client.wait(lambda: client.images.get_subscription_count() == 1, "the subscription")
    assert client.next_result().action == "hold"
    assert scene.node.status.counts.received > received
    client.command("")
    client.wait(lambda: client.images.get_subscription_count() == 0, "no subscription", client.show)
    client.wait_for_status("without a warning", level="0", message="waiting for a goal")
