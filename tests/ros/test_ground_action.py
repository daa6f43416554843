"""The action ~/ground_action: goals, feedback, results, cancelling, and whose turn it is."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from action_msgs.msg import GoalStatus
from rclpy.action.client import ActionClient
from ros_support import Scene

from affordance_grounding_ros.action import Ground
from affordance_grounding_ros.common.rate_limit import RateLimit
from affordance_grounding_ros.node import ground_action
from affordance_grounding_ros.srv import CheckGoal

SUCCEEDED, CANCELED, ABORTED = (
    GoalStatus.STATUS_SUCCEEDED,
    GoalStatus.STATUS_CANCELED,
    GoalStatus.STATUS_ABORTED,
)


class Goal:
    """A goal that was sent, and what came of it."""

    def __init__(self, commander: Commander, **fields: Any) -> None:
        self.client = commander.client
        self.feedback: list[Any] = []
        self._sent = commander.action.send_goal_async(
            Ground.Goal(**fields), lambda said: self.feedback.append(said.feedback)
        )

    @property
    def handle(self) -> Any:
        self.client.wait(self._sent.done, "the goal response")
        return self._sent.result()

    def result(self, show: bool = True) -> tuple[int, Any]:
        """Status and result, images shown meanwhile."""
        future = self.handle.get_result_async()
        self.client.wait(future.done, "the result", self.client.show if show else int)
        return future.result().status, future.result().result

    def cancel(self) -> int:
        """How many goals the node says it cancels."""
        future = self.handle.cancel_goal_async()
        self.client.wait(future.done, "the answer to a cancel")
        return len(future.result().goals_canceling)


class Commander:
    """A client of the action of a scene's grounder."""

    def __init__(self, scene: Scene, **values: Any) -> None:
        self.scene, self.client = scene, scene.client
        node = self.client.node
        self.action = ActionClient(node, Ground, "grounder/ground_action")
        self.checks = node.create_client(CheckGoal, "grounder/check_goal")
        scene.start(**values)
        self.client.wait(self.action.server_is_ready, "the action")
        self.client.wait(self.checks.service_is_ready, "the service")

    def send(self, action: str = "hold", **fields: Any) -> Goal:
        return Goal(self, action=action, **fields)

    def check(self, action: str, **fields: Any) -> Any:
        return self.client.ask(self.checks, CheckGoal.Request(action=action, **fields))


@pytest.fixture
def commander(scene: Scene) -> Any:
    made = Commander(scene)
    yield made
    made.action.destroy()


def test_a_goal_succeeds_with_one_result_where_nothing_else_is_asked_for(
    commander: Commander,
) -> None:
    goal = commander.send("grasp", object_name="cup", threshold=0.6)
    assert goal.handle.accepted
    status, result = goal.result()
    assert (status, result.code, result.frames) == (SUCCEEDED, Ground.Result.DONE, 1)
    best = result.best
    assert (best.goal, best.action, best.object_name, best.found) == ("grasp", "hold", "cup", True)
    assert best.threshold == pytest.approx(0.6)
    assert commander.client.results == [], "the stream belongs to ~/goal"


def test_every_result_is_told_and_the_best_is_the_result(commander: Commander) -> None:
    goal = commander.send(frames=4)
    status, result = goal.result()
    assert (status, result.frames) == (SUCCEEDED, 4)
    commander.client.wait(lambda: len(goal.feedback) == 4, "all feedback")
    assert [one.frames for one in goal.feedback] == [1, 2, 3, 4]
    assert max(one.result.score for one in goal.feedback) == result.best.score
    taken = [one.result.header.stamp for one in goal.feedback]
    stamps = [(stamp.sec, stamp.nanosec) for stamp in taken]
    assert stamps == sorted(set(stamps)), "no image twice"


def test_nothing_found_is_a_result(commander: Commander) -> None:
    status, result = commander.send("pour").result()
    assert (status, result.best.found, result.best.action) == (SUCCEEDED, False, "pour")


def test_with_a_timeout_alone_a_goal_succeeds_when_it_is_over(commander: Commander) -> None:
    status, result = commander.send(timeout=0.5).result()
    assert (status, result.code) == (SUCCEEDED, Ground.Result.DONE)
    assert result.frames >= 1


def test_too_few_results_in_time_abort_with_the_best_so_far(commander: Commander) -> None:
    status, result = commander.send(frames=100_000, timeout=0.5).result()
    assert (status, result.code) == (ABORTED, Ground.Result.TIMED_OUT)
    assert result.best.found


def test_a_silent_camera_ends_a_goal(commander: Commander, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ground_action, "SILENCE", 0.2)
    status, result = commander.send().result(show=False)
    assert (status, result.code, result.frames) == (ABORTED, Ground.Result.TIMED_OUT, 0)
    assert "no image came" in result.message


@pytest.mark.parametrize(
    ("action", "fields", "reason", "closest"),
    [
        ("hald", {}, "closest: 'hold'", True),
        ("juggle", {}, "expected one of hold", False),
        ("", {}, "no action is asked for", False),
        ("hold; pour", {}, "expected one", False),
        ("hold\r", {}, "control characters", False),
        ("x" * 100_000, {}, "expected at most 256", False),
        ("hold", {"object_name": "\x1b[31m"}, "control characters", False),
        ("hold", {"threshold": float("inf")}, "threshold", False),
        ("hold", {"frames": 2**32 - 1}, "expected at most 100000", False),
        ("hold", {"timeout": float("nan")}, "timeout", False),
        ("hold", {"timeout": -1.0}, "timeout", False),
    ],
)
def test_a_goal_that_cannot_be_followed_is_rejected_and_the_reason_can_be_asked_for(
    commander: Commander, action: str, fields: dict[str, Any], reason: str, closest: bool
) -> None:
    assert not commander.send(action, **fields).handle.accepted
    said = commander.check(action, **fields)
    assert not said.accepted
    assert reason in said.reason
    assert said.reason.isprintable()
    assert bool(said.closest_names) == closest
    commander.client.wait(
        lambda: reason in commander.client.status()["last_error"], "the reason in the status"
    )
    assert commander.send().result()[0] == SUCCEEDED, "the next goal is followed"


def test_how_a_goal_would_be_understood_can_be_asked_without_anything_happening(
    commander: Commander,
) -> None:
    said = commander.check("grasp")
    assert (said.accepted, said.reason) == (True, "")
    assert [one.action for one in said.actions] == ["hold"]
    assert "alias" in said.actions[0].understood
    commander.client.wait_for_status("without a goal", message="waiting for a goal")


def test_a_goal_is_canceled_while_it_waits_for_an_image(commander: Commander) -> None:
    goal = commander.send()
    assert goal.cancel() == 1
    status, result = goal.result(show=False)
    assert (status, result.code, result.frames) == (CANCELED, Ground.Result.CANCELED, 0)


def test_a_goal_is_canceled_while_its_image_is_at_work(commander: Commander) -> None:
    runtime = commander.scene.runtime
    runtime.gate.clear()
    goal = commander.send(frames=2)
    calls = runtime.calls
    commander.client.wait(lambda: runtime.calls > calls, "an image at work", commander.client.show)
    assert goal.cancel() == 1
    assert goal.result(show=False)[0] == CANCELED
    runtime.gate.set()
    assert commander.send().result()[0] == SUCCEEDED
    assert goal.feedback == []


def test_a_goal_is_canceled_between_results_and_keeps_the_best(commander: Commander) -> None:
    goal = commander.send(frames=100_000)
    assert goal.handle.accepted
    commander.client.wait(lambda: goal.feedback, "feedback", commander.client.show)
    assert goal.cancel() == 1
    status, result = goal.result(show=False)
    assert (status, result.best.found) == (CANCELED, True)
    assert result.frames >= 1


def test_a_goal_that_is_over_cannot_be_canceled(commander: Commander) -> None:
    goal = commander.send()
    assert goal.result()[0] == SUCCEEDED
    assert goal.cancel() == 0


def test_a_newer_goal_takes_the_place_of_the_one_that_runs(commander: Commander) -> None:
    first = commander.send(frames=100_000)
    assert first.handle.accepted
    commander.client.wait(lambda: first.feedback, "feedback", commander.client.show)
    second = Goal(commander, action="cut with", frames=2)
    status, result = second.result()
    assert (status, result.best.action) == (SUCCEEDED, "cut_with")
    status, result = first.result(show=False)
    assert (status, result.code) == (ABORTED, Ground.Result.PREEMPTED)
    assert result.best.action == "hold"
    assert "cut_with" in result.message


def test_a_rejected_goal_leaves_the_one_that_runs_alone(commander: Commander) -> None:
    first = commander.send(frames=2)
    assert first.handle.accepted
    assert not commander.send("juggle").handle.accepted
    assert first.result()[0] == SUCCEEDED


def test_the_goal_of_the_topics_goes_on_beside_it(commander: Commander) -> None:
    client = commander.client
    client.command("cut with")
    goal = commander.send(frames=3)
    status, result = goal.result()
    assert (status, result.best.action) == (SUCCEEDED, "hold")
    client.wait(lambda: len(client.results) >= 2, "results of the stream", client.show)
    assert {one.action for one in client.results} == {"cut_with"}
    client.wait_for_status("with the goal of the topic", goal="cut with")


def test_deactivating_the_node_ends_a_goal_and_rejects_the_next(commander: Commander) -> None:
    goal = commander.send(frames=100_000)
    assert goal.handle.accepted
    commander.client.wait(lambda: goal.feedback, "feedback", commander.client.show)
    commander.scene.node.trigger_deactivate()
    status, result = goal.result(show=False)
    assert (status, result.code) == (ABORTED, Ground.Result.INTERRUPTED)
    assert "deactivated" in result.message
    assert not commander.send().handle.accepted
    assert "not active" in commander.check("hold").reason
    commander.scene.node.trigger_activate()
    assert commander.send().result()[0] == SUCCEEDED


def test_a_goal_whose_node_is_deactivated_as_it_is_accepted_ends(
    commander: Commander, monkeypatch: pytest.MonkeyPatch
) -> None:
    action = commander.scene.node._ground_action
    pipelines = iter([action._around.pipeline(), None])
    around = replace(action._around, pipeline=lambda: next(pipelines))
    monkeypatch.setattr(action, "_around", around)
    goal = commander.send()
    assert goal.handle.accepted
    status, result = goal.result(show=False)
    assert (status, result.code) == (ABORTED, Ground.Result.INTERRUPTED)
    assert "not active" in result.message


def test_goals_are_accepted_only_so_often(
    commander: Commander, monkeypatch: pytest.MonkeyPatch
) -> None:
    commander.scene.node._ground_action._rate = RateLimit(2, 60.0)
    assert [commander.send().handle.accepted for _ in range(3)] == [True, True, False]
    commander.client.wait(
        lambda: "less often" in commander.client.status()["last_error"], "the reason"
    )


def test_a_rate_limit_forgets_what_is_over() -> None:
    now = [0.0]
    limit = RateLimit(2, 10.0, lambda: now[0])
    assert [limit.allows() for _ in range(3)] == [True, True, False]
    now[0] = 10.0
    assert limit.allows()
