"""Which goals are followed, and which leave the one before."""

from __future__ import annotations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from ros_support import VOCABULARY

from affordance_grounding_core.actions.phrases.stopping import is_stop
from affordance_grounding_core.actions.resolution import ActionResolution, Candidate
from affordance_grounding_core.actions.vocabulary import ActionVocabulary
from affordance_grounding_core.errors import UnknownActionError
from affordance_grounding_ros.node.goals import ActiveGoal, GoalError, GoalKeeper


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


@pytest.mark.parametrize(
    "text", ["stop", "Cancel!", "halt", "never mind", "stop holding", "please stop now", "stop\n"]
)
def test_words_that_say_so_stop_whatever_else_the_goal_says(goals: GoalKeeper, text: str) -> None:
    goals.accept("hold")
    assert goals.accept(text, "\0", threshold=7.0, timeout=-1.0) == (None, True)
    assert goals.active is None
    goals.use(None)
    assert goals.accept(text) == (None, False)


@pytest.mark.parametrize(
    "text", ["juggle", "hold; stop", "don't hold it", "stop and pour", "x" * 300]
)
def test_a_refusal_says_how_to_stop(goals: GoalKeeper, text: str) -> None:
    before = goals.accept("hold")[0]
    with pytest.raises(GoalError, match=r'"" or "stop" stops$'):
        goals.accept(text)
    assert goals.active == before


def test_an_action_named_stop_is_an_action() -> None:
    goals = GoalKeeper()
    goals.use(ActionVocabulary(("hold", "stop")))
    goal, _ = goals.accept("stop")
    assert goal is not None
    assert goal.actions == ("stop",)
    assert goals.accept("never mind")[0] is None


def test_no_goal_is_accepted_without_a_model(goals: GoalKeeper) -> None:
    goals.accept("hold")
    goals.use(None)
    assert goals.active is None
    with pytest.raises(GoalError, match="configure the node first"):
        goals.accept("hold")


@given(st.text(min_size=1, max_size=300), st.text(max_size=300), st.floats())
@example("LEAVE IT BE", "", 0.0)
def test_any_goal_is_followed_or_stops_or_is_refused_in_one_printable_line(
    text: str, object_name: str, threshold: float
) -> None:
    goals = GoalKeeper()
    goals.use(VOCABULARY)
    before = goals.accept("hold")[0]
    goal, refusal = None, ""
    try:
        goal, _ = goals.accept(text, object_name, threshold)
    except GoalError as error:
        refusal = str(error)
    if refusal:
        assert goals.active == before
        assert refusal.isprintable()
        assert len(refusal) < 500
        return
    assert goals.active == goal
    if goal is None:
        assert is_stop(text) or not text.strip()
        return
    assert set(goal.actions) <= set(VOCABULARY.names)
    assert goal.threshold is None or 0.0 < goal.threshold <= 1.0
    assert object_name.isprintable()


class Clock:
    """A clock that a test sets."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


class Synonyms:
    """Knows one more word for each action, and counts how often it is asked."""

    def __init__(self) -> None:
        self.calls: list[str] = []
        self.failure: Exception | None = None

    def resolve(self, text: str) -> ActionResolution:
        self.calls.append(text)
        if self.failure:
            raise self.failure
        if text == "levitate":
            return ActionResolution(text, (Candidate("hold", 0.9),), "similarity")
        raise UnknownActionError(f"action {text!r} is like no action clearly enough")


def test_several_actions_follow_each_other(goals: GoalKeeper) -> None:
    goal, _ = goals.accept("hold; Cut with;grasp; ;hold")
    assert goal is not None
    assert goal.actions == ("hold", "cut_with"), "no action twice, no empty one"
    turns = [goals.turn() for _ in range(4)]
    assert [turn.action for turn in turns if turn] == ["hold", "cut_with", "hold", "cut_with"]
    goals.accept("hold; Cut with;grasp; ;hold")
    assert goals.turn().action == "hold"
    assert goals.turn().action == "cut_with", "renewing does not start over"
    goals.accept("pour")
    assert goals.turn().action == "pour"
    goals.accept("")
    assert goals.turn() is None


def test_one_unknown_action_refuses_all(goals: GoalKeeper) -> None:
    goals.accept("pour")
    with pytest.raises(GoalError, match="'juggle' is not in"):
        goals.accept("hold; juggle")
    assert goals.turn().action == "pour"
    with pytest.raises(GoalError, match="is not in this model's vocabulary"):
        goals.accept(" ; ;")


def test_a_goal_ends_unless_it_is_renewed() -> None:
    clock = Clock()
    goals = GoalKeeper(clock)
    goals.use(VOCABULARY)
    goals.accept("hold", timeout=2.0)
    clock.now += 1.9
    assert goals.accept("hold", timeout=2.0)[1] is False
    clock.now += 1.9
    assert goals.turn().action == "hold", "renewed"
    assert goals.ended == ""
    clock.now += 0.1
    assert goals.turn() is None
    assert goals.ended == "goal 'hold' ended: not renewed for 2 s"
    assert goals.accept("hold")[1] is True
    assert goals.ended == ""
    clock.now += 1e6
    assert goals.active is not None, "no timeout, no end"


@pytest.mark.parametrize("timeout", [float("nan"), -1.0, float("inf"), 86_401.0])
def test_a_bad_timeout_is_refused(goals: GoalKeeper, timeout: float) -> None:
    goals.accept("hold")
    with pytest.raises(GoalError, match="timeout"):
        goals.accept("pour", timeout=timeout)
    assert goals.turn().action == "hold"


def test_free_text_is_compared_by_meaning_once() -> None:
    synonyms = Synonyms()
    goals = GoalKeeper()
    goals.use(VOCABULARY, synonyms)
    assert goals.accept("grasp")[0].actions == ("hold",)
    assert synonyms.calls == [], "names and aliases need no encoder"
    for _ in range(3):
        assert goals.accept("levitate")[0].actions == ("hold",)
    assert synonyms.calls == ["levitate"]
    with pytest.raises(GoalError, match="like no action clearly enough"):
        goals.accept("juggle")
    for number in range(200):
        with pytest.raises(GoalError):
            goals.accept(f"juggle {number}")
    assert goals.active.actions == ("hold",)


def test_an_encoder_that_fails_refuses_the_goal() -> None:
    synonyms = Synonyms()
    goals = GoalKeeper()
    goals.use(VOCABULARY, synonyms)
    goals.accept("pour")
    synonyms.failure = MemoryError("no room")
    with pytest.raises(GoalError, match="MemoryError: no room; use a name"):
        goals.accept("levitate")
    assert goals.turn().action == "pour"
