"""From what somebody says to an entry of a model's vocabulary, or an honest refusal.

Four steps, each tried where the one before found nothing: the very name, trained or taught, the
table of aliases, phrases of everyday English, and the vectors of a text encoder where a model
brings one. What was understood and is not in the vocabulary is refused at once, never bent to a
neighbour. A command to stop is no action, and is said to be one.
"""

from __future__ import annotations

from collections.abc import Sequence

from affordance_grounding_core.actions.phrases.reading import (
    PhraseRefusedError,
    Reading,
    read_phrase,
)
from affordance_grounding_core.actions.phrases.stopping import is_stop
from affordance_grounding_core.actions.resolution import ActionResolution, Candidate
from affordance_grounding_core.actions.similarity import ActionSimilarity
from affordance_grounding_core.actions.vocabulary import (
    ActionVocabulary,
    abbreviate,
    normalize_action,
)
from affordance_grounding_core.errors import StopWordError, UnknownActionError

MINIMUM_CONFIDENCE = 0.6
"""Least confidence of an accepted phrase."""


def resolve_action(
    text: str,
    vocabulary: ActionVocabulary,
    similarity: ActionSimilarity | None = None,
    *,
    minimum_confidence: float = MINIMUM_CONFIDENCE,
) -> ActionResolution:
    """Find the entry of a vocabulary that a command means.

    Args:
        text: a name ("cut_with"), another word ("grasp") or a phrase ("take a sip"), at most
            `MAXIMUM_ACTION_LENGTH` characters.
        vocabulary: of the model.
        similarity: asked last; None where there is no text encoder.
        minimum_confidence: least confidence of an accepted phrase, in [0, 1].

    Returns:
        The entry, how it was found, how sure that is, and what else it may mean.

    Raises:
        StopWordError: the command asks to stop, and for nothing else.
        UnknownActionError: no text, or nothing that the model can be asked for; the message
            gives the reason and the nearest entries.
    """
    if not vocabulary.is_readable(text):
        vocabulary.resolve(text)  # says what is wrong with it
    name = normalize_action(text)
    if name in vocabulary.names:
        return ActionResolution(text, (Candidate(name, 1.0),), "exact")
    if is_stop(text):
        raise StopWordError(
            f"action {abbreviate(text)} says to stop: that is understood, and asks for none of the "
            f"actions {vocabulary.listed()}"
        )
    action = vocabulary.find(text)
    if action is not None:
        return ActionResolution(text, (Candidate(action, 1.0),), "alias")
    phrase = _by_phrase(text, vocabulary, minimum_confidence)
    if phrase is not None:
        return phrase
    if similarity is not None:
        return similarity.resolve(text)
    raise _refused(
        text, vocabulary, f"is not in this model's vocabulary of {len(vocabulary.names)}"
    )


def _by_phrase(
    text: str, vocabulary: ActionVocabulary, minimum_confidence: float
) -> ActionResolution | None:
    try:
        readings = read_phrase(text, vocabulary.names)
    except PhraseRefusedError as refusal:
        raise _refused(text, vocabulary, str(refusal)) from None
    if not readings:
        return None
    first = readings[0]
    if first.entry is None:
        raise _refused(
            text,
            vocabulary,
            f"asks for {first.sense!r}, which is not in this model's vocabulary of "
            f"{len(vocabulary.names)} and was not taught",
            first.nearest,
        )
    if first.confidence < minimum_confidence:
        raise _refused(
            text,
            vocabulary,
            f"is not understood well enough: {_described(readings)}, expected a confidence of "
            f"{minimum_confidence:g}",
            [one.entry for one in readings if one.entry],
        )
    candidates = tuple(Candidate(one.entry, one.confidence) for one in readings if one.entry)
    return ActionResolution(text, candidates, "phrase")


def _described(readings: Sequence[Reading]) -> str:
    return ", ".join(f"{one.entry!r} ({one.confidence:.2f})" for one in readings[:3] if one.entry)


def _refused(
    text: str, vocabulary: ActionVocabulary, reason: str, nearest: Sequence[str] = ()
) -> UnknownActionError:
    closest = list(nearest) or vocabulary.closest(text)
    hint = f"; closest: {', '.join(map(repr, closest))}" if closest else ""
    return UnknownActionError(
        f"action {abbreviate(text)} {reason}{hint}; expected one of {vocabulary.listed()}", closest
    )
