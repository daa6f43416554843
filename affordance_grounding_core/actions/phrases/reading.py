"""Everyday English that asks for an action: "could you grab the mug by its handle, please?".

A command is read clause by clause. What is no command to do one thing is refused rather than
guessed at: questions, negations, several actions at once, idioms.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from affordance_grounding_core.actions.phrases.clauses import Clause, command_of
from affordance_grounding_core.actions.phrases.context import commands_of, is_intention
from affordance_grounding_core.actions.phrases.english import fold
from affordance_grounding_core.actions.phrases.idioms import (
    IDIOMS,
    is_about_nothing_to_hold,
    is_about_the_robot,
    is_saying,
)
from affordance_grounding_core.actions.phrases.lexicon import HINTS, SENSES, THINGS, Sense
from affordance_grounding_core.actions.phrases.patterns import Pattern, PatternIndex, verb_forms
from affordance_grounding_core.actions.phrases.prohibitions import forbidding_word
from affordance_grounding_core.actions.phrases.things import OBJECTS, word_set

_FINITE = word_set("is are was were has had does did will would can could am be been")
_PRESSING = word_set("press click tap")
_NOMINAL = word_set("it them him her to for with on in of by from at so as because if")

_DIRECT, _SUBSTITUTE, _HINTED = 0.95, 0.85, 0.7
_PER_UNREAD_CLAUSE = 0.15
_UNKNOWN_THING = 0.1
_OWN_WORDS = 100.0  # Weight of a name of the vocabulary that is all that was said.


class PhraseRefusedError(ValueError):
    """A phrase that was understood well enough to know that it asks for no single action."""


@dataclass(frozen=True)
class Reading:
    """An entry that a phrase may mean.

    Attributes:
        sense: what was understood.
        entry: of the vocabulary; None where the vocabulary has none for it.
        confidence: in [0, 1].
        nearest: entries of the vocabulary that come next where it has none for it, the best
            first.
    """

    sense: str
    entry: str | None
    confidence: float
    nearest: tuple[str, ...] = ()


def read_phrase(text: str, names: Sequence[str]) -> list[Reading]:
    """Find the actions of a vocabulary that a phrase asks for.

    Args:
        text: a command of at most `MAXIMUM_ACTION_LENGTH` characters.
        names: entries of the vocabulary. Names that the lexicon lacks are known by their own
            words: "press the shutter" means "press_shutter".

    Returns:
        The most specific reading first; empty where nothing was understood.

    Raises:
        PhraseRefusedError: a question, a negation, several actions, an idiom, a command to the
            robot itself, or signs that no phrase has.
    """
    folded = fold(text)
    if folded is None:
        raise PhraseRefusedError("holds signs that no spoken command has")
    if is_saying(folded):
        raise _not_about_an_object(names)
    clauses = [clause for clause in _clauses(folded, names) if clause.words]
    if not clauses:
        return []
    first = clauses[0]
    readings = _read_clause(first, names)
    if readings is None:
        raise _not_about_an_object(names)
    if not readings:
        return []
    unread = 0
    for clause in clauses:
        if clause is first:
            continue
        others = _read_clause(clause, names)
        if others is None and is_about_the_robot(clause):
            raise _not_about_an_object(names)
        if others and others[0].entry != readings[0].entry:
            raise PhraseRefusedError(
                f"asks for several actions, {readings[0].sense!r} and {others[0].sense!r}: send "
                "one at a time"
            )
        unread += not others
    doubt = _PER_UNREAD_CLAUSE * unread
    return [replace(one, confidence=max(0.0, round(one.confidence - doubt, 4))) for one in readings]


def _not_about_an_object(names: Sequence[str]) -> PhraseRefusedError:
    return PhraseRefusedError(
        "is not about a part of an object (an idiom, or the robot itself), and is not in this "
        f"model's vocabulary of {len(names)}"
    )


def _clauses(folded: str, names: Sequence[str]) -> list[Clause]:
    commands = commands_of(folded)
    forbidding = next(filter(None, map(forbidding_word, commands)), None)
    if forbidding:
        raise PhraseRefusedError(f"says what not to do ({forbidding!r})")
    clauses = [command_of(words) for words in commands]
    if any(clause is None for clause in clauses):
        raise PhraseRefusedError("is a question, not a command")
    read = [clause for clause in clauses if clause is not None]
    asked = [
        clause
        for words, clause in zip(commands, read, strict=True)
        if not (is_intention(words) and clause.words and _read_clause(clause, names) == [])
    ]
    return asked or read


def _read_clause(clause: Clause, names: Sequence[str]) -> list[Reading] | None:
    """What a clause asks for, nothing where it is not understood; None for an idiom."""
    words = clause.words
    if clause.is_noun_phrase:
        return _read_hint(words, names)
    matches = _INDEX.matches(words)
    matches += _matches_of_names(words, names)
    if not matches:
        return _read_hint(words, names)
    matches.sort(key=lambda match: -match[0])
    best_weight, best = matches[0]
    lone = best_weight < 2.0  # no pattern reaches past the verb
    second = lone and words[0] not in _PRESSING and _is_second_verb(clause)
    says = len(words) > 1 and words[1] in _FINITE and not clause.after_article[1]
    if second or (says and tuple(words[1:]) != ("can",)):
        return []
    if best_weight < _OWN_WORDS:
        idiom = any(sense is None and weight >= best_weight for weight, sense in matches)
        if idiom or best is None or is_about_the_robot(clause):
            return None
        if is_about_nothing_to_hold(clause, best.name):
            return None
    senses = dict.fromkeys(sense for _, sense in matches if sense is not None)
    vague = lone and len(words) > 1 and THINGS.isdisjoint(words[1:])
    doubt = _UNKNOWN_THING if vague else 0.0
    return _readings(list(senses), names, _DIRECT - doubt, _SUBSTITUTE - doubt)


def _is_second_verb(clause: Clause) -> bool:
    if len(clause.words) < 2:
        return False
    word = clause.words[1]
    return not clause.after_article[1] and word not in _NOMINAL and _INDEX.is_plain_verb(word)


def _read_hint(words: Sequence[str], names: Sequence[str]) -> list[Reading]:
    of = next((place for place, word in enumerate(words) if place and word in ("of", "on")), None)
    words = words[:of]
    for pattern, sense in _HINTS:
        size = len(pattern.items)
        before = words[: len(words) - size]
        if (
            size <= len(words)
            and pattern.matches(words[len(words) - size :])
            and all(word in OBJECTS or _names_button(sense, word) for word in before)
        ):
            return _readings([sense], names, _HINTED, _HINTED)
    return []


def _names_button(sense: Sense, word: str) -> bool:
    return sense.name == "press" and word not in _FINITE and not _INDEX.is_plain_verb(word)


def _readings(
    senses: Sequence[Sense], names: Sequence[str], direct: float, substitute: float
) -> list[Reading]:
    readings: list[Reading] = []
    left = 1.0
    for sense in senses:
        entry = next((name for name in sense.entries if name in names), None)
        if readings and (entry is None or entry in {one.entry for one in readings}):
            continue
        sure = direct if entry == sense.entries[0] else substitute
        confidence = sure if not readings else left / 2
        nearest = tuple(name for name in sense.nearest if name in names)
        readings.append(Reading(sense.name, entry, round(confidence, 4), nearest))
        left = left - confidence
    return readings


def _matches_of_names(words: Sequence[str], names: Sequence[str]) -> list[tuple[float, Sense]]:
    """Understand entries by their own words: all that were said, or those the lexicon lacks."""
    matches: list[tuple[float, Sense]] = []
    for name in names:
        own = name.split("_")
        if list(words) == own:
            matches.append((_OWN_WORDS, Sense(name, (name,), ())))
        elif name not in _LISTED and _has_in_order(words, own):
            matches.append((name.count("_") + 1.5, Sense(name, (name,), ())))
    return matches


def _has_in_order(words: Sequence[str], wanted: Sequence[str]) -> bool:
    rest = iter(words[1:])
    return words[0] in verb_forms(wanted[0]) and all(word in rest for word in wanted[1:])


_LISTED = frozenset(entry for sense in SENSES for entry in sense.entries)
_INDEX = PatternIndex(
    [
        *((pattern, sense) for sense in SENSES for pattern in sense.patterns),
        *((pattern, None) for pattern in IDIOMS),
    ]
)
_HINTS = [(Pattern.parse(pattern), sense) for sense in HINTS for pattern in sense.patterns]
