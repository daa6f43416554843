"""The commanded action: checked, resolved to the model's vocabulary, and kept until the next."""

from __future__ import annotations

import math
import threading
from dataclasses import dataclass

from affordance_grounding_core.actions.vocabulary import (
    MAXIMUM_ACTION_LENGTH,
    ActionVocabulary,
    abbreviate,
)


class GoalError(ValueError):
    """A goal that cannot be followed; the message says why and what would work."""


@dataclass(frozen=True)
class ActiveGoal:
    """A goal that was accepted.

    Attributes:
        text: the command as it was given.
        action: entry of the vocabulary it means.
        object_name: object the command named; may be empty.
        threshold: heat threshold it brought, in (0, 1]; None: the node's.
    """

    text: str
    action: str
    object_name: str = ""
    threshold: float | None = None


class GoalKeeper:
    """Holds the last accepted goal. A refused goal changes nothing. Safe between threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._vocabulary: ActionVocabulary | None = None
        self._active: ActiveGoal | None = None

    @property
    def active(self) -> ActiveGoal | None:
        """The goal to follow; None: do no work."""
        with self._lock:
            return self._active

    def use(self, vocabulary: ActionVocabulary | None) -> None:
        """Start over with the vocabulary of another model, and without a goal.

        Args:
            vocabulary: of the model just loaded; None where there is none now.
        """
        with self._lock:
            self._vocabulary = vocabulary
            self._active = None

    def accept(
        self, text: str, object_name: str = "", threshold: float = 0.0
    ) -> tuple[ActiveGoal | None, bool]:
        """Replace the active goal.

        Args:
            text: name of an action, or free text that resolves to one; empty: stop.
            object_name: of the object the action is meant for; may be empty.
            threshold: heat threshold in (0, 1], or 0 for the node's.

        Returns:
            The goal active from now on, None after a stop; and whether that is a change.

        Raises:
            GoalError: text that is not printable or does not resolve, a name that is not
                printable or too long, or a threshold out of range. The active goal stays.
        """
        with self._lock:
            goal = self.resolve(text, object_name, threshold) if text else None
            changed = goal != self._active
            self._active = goal
            return goal, changed

    def resolve(self, text: str, object_name: str = "", threshold: float = 0.0) -> ActiveGoal:
        """Check a goal without making it the active one.

        Args:
            text: as in `accept`, not empty.
            object_name: as in `accept`.
            threshold: as in `accept`.

        Raises:
            GoalError: as in `accept`.
        """
        if self._vocabulary is None:
            raise GoalError("goal cannot be resolved without a model; configure the node first")
        _check_printable("action", text)
        _check_printable("object_name", object_name)
        if math.isnan(threshold) or not 0.0 <= threshold <= 1.0:
            raise GoalError(
                f"goal {abbreviate(text)} has threshold {threshold:g}; expected a number in "
                "(0, 1], or 0 for the node's own"
            )
        try:
            action = self._vocabulary.resolve(text)
        except ValueError as error:
            raise GoalError(str(error)) from error
        return ActiveGoal(text, action, object_name, threshold or None)


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
