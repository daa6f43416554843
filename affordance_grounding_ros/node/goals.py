"""The commanded actions: checked, resolved to the model's vocabulary, kept until the next."""

from __future__ import annotations

import math
import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import NamedTuple

from affordance_grounding_core.actions.phrases.stopping import is_stop
from affordance_grounding_core.actions.resolution import ActionResolution
from affordance_grounding_core.actions.resolver import resolve_action
from affordance_grounding_core.actions.similarity import ActionSimilarity
from affordance_grounding_core.actions.vocabulary import (
    MAXIMUM_ACTION_LENGTH,
    ActionVocabulary,
    abbreviate,
    normalize_action,
)
from affordance_grounding_core.errors import UnknownActionError
from affordance_grounding_ros.health.state import GoalStatus, UnderstoodGoalAction

ACTION_SEPARATOR = ";"
"""Between the actions of one goal that are grounded in turn."""

MAXIMUM_TIMEOUT = 86_400.0
"""Longest time a goal may ask to live without renewal, in seconds: a day."""

HOW_TO_STOP = '"" or "stop" stops'
"""End of every refusal of a goal: the goal before it goes on."""

_REMEMBERED_TEXTS = 64


class GoalError(ValueError):
    """A goal that cannot be followed; the message says why and what would work.

    Attributes:
        closest: names of the vocabulary most similar to what was asked, best first; empty unless
            the action is unknown.
    """

    def __init__(self, message: str, closest: tuple[str, ...] = ()) -> None:
        super().__init__(message)
        self.closest = closest


@dataclass(frozen=True)
class ActiveGoal:
    """A goal that was accepted.

    Attributes:
        text: the command as it was given.
        actions: entries of the vocabulary it means, in the order they are grounded in turn, one
            an image; at least one, none twice.
        object_name: object the command named; may be empty.
        threshold: heat threshold it brought, in (0, 1]; None: the node's.
        timeout: seconds without renewal after which it stops; 0: never.
        resolutions: how each of the actions was understood.
    """

    text: str
    actions: tuple[str, ...]
    object_name: str = ""
    threshold: float | None = None
    timeout: float = 0.0
    resolutions: tuple[ActionResolution, ...] = field(default=(), compare=False)

    @property
    def summary(self) -> str:
        """The actions in one line."""
        return "; ".join(self.actions)

    @property
    def understood(self) -> str:
        """How the actions were found and how sure that is, in one line."""
        return "; ".join(resolution.summary for resolution in self.resolutions)

    @property
    def report(self) -> str:
        """The actions, and how they were understood where they were not named as such."""
        if all(resolution.found == "exact" for resolution in self.resolutions):
            return f"'{self.summary}'"
        return f"'{self.summary}', from {abbreviate(self.text)}: {self.understood}"


def goal_status(goal: ActiveGoal | None, ended: str = "") -> GoalStatus:
    """The goal's part of the status.

    Args:
        goal: goal that is followed; None while there is none.
        ended: why the last goal ended by itself; empty if it did not.
    """
    if goal is None:
        return GoalStatus(ended=ended)
    found = {resolution.action: resolution for resolution in goal.resolutions}
    return GoalStatus(
        text=goal.text,
        actions=tuple(_understood_action(action, found.get(action)) for action in goal.actions),
        object_name=goal.object_name,
        timeout=goal.timeout,
        ended=ended,
    )


def _understood_action(action: str, resolution: ActionResolution | None) -> UnderstoodGoalAction:
    if resolution is None:
        return UnderstoodGoalAction(action)
    candidates = tuple((one.action, one.confidence) for one in resolution.candidates)
    return UnderstoodGoalAction(action, resolution.summary, candidates)


class Turn(NamedTuple):
    """Work on one image: the goal and its action.

    Attributes:
        goal: goal that is followed.
        action: action of the goal whose turn it is.
    """

    goal: ActiveGoal
    action: str


class GoalKeeper:
    """Holds the last accepted goal. A refused goal changes nothing. Safe between threads.

    Args:
        clock: seconds that never go back.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._vocabulary: ActionVocabulary | None = None
        self._similarity: ActionSimilarity | None = None
        self._remembered: OrderedDict[str, ActionResolution] = OrderedDict()
        self._active: ActiveGoal | None = None
        self._deadline = math.inf
        self._turns = 0
        self._ended = ""

    @property
    def active(self) -> ActiveGoal | None:
        """The goal to follow; None: do no work."""
        with self._lock:
            self._expire()
            return self._active

    @property
    def ended(self) -> str:
        """Why there is no goal, where time has ended the last one; empty otherwise."""
        with self._lock:
            self._expire()
            return self._ended

    @property
    def status(self) -> GoalStatus:
        """The goal's part of the status."""
        with self._lock:
            self._expire()
            return goal_status(self._active, self._ended)

    def turn(self) -> Turn | None:
        """Take the next turn: the actions of a goal follow each other, image by image.

        Returns:
            The goal and its action for the next image; None: do no work.
        """
        with self._lock:
            self._expire()
            goal = self._active
            if goal is None:
                return None
            action = goal.actions[self._turns % len(goal.actions)]
            self._turns += 1
            return Turn(goal, action)

    def use(
        self, vocabulary: ActionVocabulary | None, similarity: ActionSimilarity | None = None
    ) -> None:
        """Start over with the vocabulary of another model, and without a goal.

        Args:
            vocabulary: vocabulary of the model just loaded; None where there is none now.
            similarity: finds the action of free text; None where no text encoder is loaded.
        """
        with self._lock:
            self._vocabulary, self._similarity = vocabulary, similarity
            self._remembered.clear()
            self._active, self._ended = None, ""

    def change(self, vocabulary: ActionVocabulary) -> None:
        """Go on with a vocabulary that grew or shrank; a goal whose action is gone ends.

        Args:
            vocabulary: vocabulary of the same model.
        """
        with self._lock:
            self._vocabulary = vocabulary
            self._remembered.clear()
            goal = self._active
            gone = [one for one in goal.actions if one not in vocabulary.names] if goal else []
            if goal and gone:
                self._ended = f"goal {abbreviate(goal.text)} ended: {gone[0]!r} is not known now"
                self._active, self._deadline = None, math.inf

    def accept(
        self, text: str, object_name: str = "", threshold: float = 0.0, timeout: float = 0.0
    ) -> tuple[ActiveGoal | None, bool]:
        """Replace the active goal, or renew it where it is the same.

        Args:
            text: name of an action, or free text that resolves to one; several are separated
                by ";" and grounded in turn, one an image; empty, or a word for it: stop. What
                else a goal that stops says is not looked at.
            object_name: name of the object that the action is meant for; may be empty.
            threshold: heat threshold in (0, 1], or 0 for the node's.
            timeout: seconds without renewal after which the goal stops, or 0 for never.

        Returns:
            The goal active from now on, None after a stop; and whether that is a change.

        Raises:
            GoalError: text that is not printable or does not resolve, a name that is not
                printable or too long, or a threshold or timeout out of range; the message says
                how to stop. The active goal stays.
        """
        goal = None
        if not self.is_stop(text):
            # Outside the lock: encoding a text may take long, and the inference thread needs it.
            try:
                goal = self.resolve(text, object_name, threshold, timeout)
            except GoalError as error:
                raise GoalError(f"{error}; {HOW_TO_STOP}", error.closest) from error
        with self._lock:
            self._expire()
            changed = goal != self._active
            self._active, self._ended = goal, ""
            self._deadline = self._clock() + goal.timeout if goal and goal.timeout else math.inf
            if changed:
                self._turns = 0
            return goal, changed

    def is_stop(self, text: str) -> bool:
        """Whether a goal's text stops: no text, or words that say so ("never mind").

        An action of the vocabulary that has such a name is that action.
        """
        if not text:
            return True
        with self._lock:
            names = self._vocabulary.names if self._vocabulary else ()
        within = len(text) <= MAXIMUM_ACTION_LENGTH
        return within and normalize_action(text) not in names and is_stop(text)

    def resolve(
        self, text: str, object_name: str = "", threshold: float = 0.0, timeout: float = 0.0
    ) -> ActiveGoal:
        """Check a goal without making it the active one.

        Args:
            text: words, as in `accept`; not empty.
            object_name: name of the object, as in `accept`.
            threshold: heat, as in `accept`.
            timeout: seconds, as in `accept`.

        Raises:
            GoalError: as in `accept`.
        """
        _check_printable("action", text)
        _check_printable("object_name", object_name)
        if math.isnan(threshold) or not 0.0 <= threshold <= 1.0:
            raise GoalError(
                f"goal {abbreviate(text)} has threshold {threshold:g}; expected a number in "
                "(0, 1], or 0 for the node's own"
            )
        if math.isnan(timeout) or not 0.0 <= timeout <= MAXIMUM_TIMEOUT:
            raise GoalError(
                f"goal {abbreviate(text)} has timeout {timeout:g}; expected seconds in "
                f"(0, {MAXIMUM_TIMEOUT:g}], or 0 for the node's own"
            )
        parts = [part.strip() for part in text.split(ACTION_SEPARATOR) if part.strip()]
        found: dict[str, ActionResolution] = {}
        for part in parts or [text]:
            resolution = self._resolve_action(part)
            found.setdefault(resolution.action, resolution)
        return ActiveGoal(
            text, tuple(found), object_name, threshold or None, timeout, tuple(found.values())
        )

    def resolve_one(
        self, text: str, object_name: str = "", threshold: float = 0.0, timeout: float = 0.0
    ) -> ActiveGoal:
        """Check a request for one action; the active goal has nothing to do with it.

        Args:
            text: words, as in `accept`, but of one action.
            object_name: name of the object, as in `accept`.
            threshold: heat, as in `accept`.
            timeout: seconds, as in `accept`.

        Raises:
            GoalError: as in `accept`; and where no action is asked for, or several are.
        """
        if not text.strip():
            raise GoalError("no action is asked for; name one, for example of the vocabulary")
        goal = self.resolve(text, object_name, threshold, timeout)
        if len(goal.actions) > 1:
            raise GoalError(
                f"{abbreviate(text)} asks for {len(goal.actions)} actions; expected one: ask for "
                "each by itself, or send a goal on ~/goal, which takes several"
            )
        return goal

    def _resolve_action(self, text: str) -> ActionResolution:
        with self._lock:
            vocabulary, similarity = self._vocabulary, self._similarity
            remembered = self._remembered.get(text)
        if vocabulary is None:
            raise GoalError("goal cannot be resolved without a model; configure the node first")
        if remembered is not None:
            return remembered
        try:
            resolution = resolve_action(text, vocabulary, similarity)
        except UnknownActionError as error:
            raise GoalError(str(error), error.closest) from error
        except Exception as error:
            raise GoalError(
                f"goal {abbreviate(text)} is no name of an action, and comparing its meaning "
                f"failed with {type(error).__name__}: {error}; use a name of the vocabulary"
            ) from error
        with self._lock:
            # A goal that is renewed ten times a second is understood once.
            if self._vocabulary is vocabulary and self._similarity is similarity:
                self._remembered[text] = resolution
                if len(self._remembered) > _REMEMBERED_TEXTS:
                    self._remembered.popitem(last=False)
        return resolution

    def _expire(self) -> None:
        if self._active is not None and self._clock() >= self._deadline:
            self._ended = (
                f"goal {abbreviate(self._active.text)} ended: not renewed for "
                f"{self._active.timeout:g} s"
            )
            self._active, self._deadline = None, math.inf


def _check_printable(name: str, text: str) -> None:
    if len(text) > MAXIMUM_ACTION_LENGTH:
        raise GoalError(
            f"goal's {name} {abbreviate(text)} has {len(text)} characters; expected at most "
            f"{MAXIMUM_ACTION_LENGTH}: send a name only"
        )
    if not text.isprintable():
        raise GoalError(
            f"goal's {name} {abbreviate(text)} holds control characters; expected printable "
            "text on one line"
        )
