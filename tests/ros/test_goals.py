"""Which goals are followed, and which leave the one before."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from ros_support import VOCABULARY

from affordance_grounding_ros.goals import ActiveGoal, GoalError, GoalKeeper


@pytest.fixture
def goals() -> GoalKeeper:
    keeper = GoalKeeper()
    keeper.use(VOCABULARY)
    return keeper


def test_the_last_goal_is_active(goals: GoalKeeper) -> None:
    assert goals.active is None
    assert goals.accept("hold") == (ActiveGoal("hold", ("hold",)), True)
    assert goals.accept("Cut-with", "bread", 0.5)[0] == ActiveGoal(
        "Cut-with", ("cut_with",), "bread", 0.5
    )
    assert goals.active == ActiveGoal("Cut-with", ("cut_with",), "bread", 0.5)


def test_the_same_goal_again_is_no_change(goals: GoalKeeper) -> None:
    goals.accept("hold", "cup")
    assert goals.accept("hold", "cup") == (ActiveGoal("hold", ("hold",), "cup"), False)


def test_an_empty_action_stops(goals: GoalKeeper) -> None:
    goals.accept("hold")
    assert goals.accept("") == (None, True)
    assert goals.active is None
    assert goals.accept("") == (None, False)


def test_no_goal_is_accepted_without_a_model(goals: GoalKeeper) -> None:
    goals.accept("hold")
    goals.use(None)
    assert goals.active is None
    with pytest.raises(GoalError, match="configure the node first"):
        goals.accept("hold")


@given(st.text(min_size=1, max_size=300), st.text(max_size=300), st.floats())
def test_any_goal_is_followed_or_refused_in_one_printable_line(
    text: str, object_name: str, threshold: float
) -> None:
    goals = GoalKeeper()
    goals.use(VOCABULARY)
    before = goals.accept("hold")[0]
    refusal = ""
    try:
        goal, _ = goals.accept(text, object_name, threshold)
    except GoalError as error:
        goal, refusal = None, str(error)
    if goal is None:
        assert goals.active == before
        assert refusal
        assert refusal.isprintable()
        assert len(refusal) < 500
        return
    assert set(goal.actions) <= set(VOCABULARY.names)
    assert goal.threshold is None or 0.0 < goal.threshold <= 1.0
    assert object_name.isprintable()
