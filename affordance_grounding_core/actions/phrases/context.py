"""What is said beside a command: "it's dark in here, switch the light on"."""

from __future__ import annotations

from collections.abc import Sequence

from affordance_grounding_core.actions.phrases.corrections import settled
from affordance_grounding_core.actions.phrases.courtesies import begins_request
from affordance_grounding_core.actions.phrases.english import (
    ARTICLES,
    AUXILIARIES,
    PRONOUNS,
    clauses_of,
)
from affordance_grounding_core.actions.phrases.lexicon import NOUN_VERBS
from affordance_grounding_core.actions.phrases.passives import VERBS, active
from affordance_grounding_core.actions.phrases.prohibitions import forbidding_word
from affordance_grounding_core.actions.phrases.things import word_set

_FINITE = word_set("is are was were am has have had looks seems feels smells got s need needs")
_PAST = word_set(
    "ran broke lost found put made spilt fell left forgot bought heard saw took came went did "
    "thought felt kept"
)
_NOT_PAST = word_set("need red bed feed speed shed sled")
_REASONS = (("since",), ("now", "that"), ("seeing",), ("given", "that"))
_SUBJECTS = PRONOUNS | word_set("there that this these those")
_UNABLE = tuple(
    tuple(lead.split())
    for lead in ("i can not", "we can not", "i could not", "we could not", "i am not able to")
)
_LETTING = word_set("let allow have permit")
_NAMED = word_set("it them this that these those one")
_BEFORE_VERB = (PRONOUNS - {"one"}) | AUXILIARIES | word_set(
    "to not never who which what that how where when if and or please just help let me us it "
    "before after without by for of with the a an my your no"
)  # fmt: skip
_LOOKING = (
    ("see",),
    ("you", "know"),
    ("you", "see"),
    ("do", "you", "see"),
    ("can", "you", "see"),
    ("look", "at"),
)
_INTENDING = tuple(
    (*who, *what.split(), "to")
    for who in (("i",), ("we",))
    for what in ("want", "need", "have", "would like", "am going", "are going", "am trying")
)
_HALTING = word_set("stop halt cancel")
_BEFORE_HALT = word_set("emergency bus full hard door e red")
_ASKING = frozenset(
    (("you", "can"), ("can", "you"), ("could", "you"), ("would", "you"), ("will", "you"))
)
_LONGEST_STATEMENT = 7


def spoken_clauses(folded: str) -> list[list[str]]:
    """Split a folded text into the clauses that stand, pauses or not; none is empty."""
    return [part for words in clauses_of(settled(folded)) for part in sentences_of(words) if part]


def commands_of(folded: str) -> list[list[str]]:
    """Split a folded text into its clauses, without those that only say what it is about.

    Args:
        folded: as `fold` spells it.

    Returns:
        Words of each clause; all of them where none is a command.
    """
    clauses = spoken_clauses(folded)
    commands = [
        words
        for place, words in enumerate(clauses)
        if not is_statement(words) and not is_topic(words, *clauses[place + 1 : place + 2])
    ]
    return commands or clauses


def is_statement(words: Sequence[str]) -> bool:
    """Whether a clause only says how things are: "the kettle has boiled", "i can't open it"."""
    if any(tuple(words[: len(lead)]) == lead for lead in _UNABLE):
        return _LETTING.isdisjoint(words)
    return _says(words) and not forbidding_word(words)


def _says(words: Sequence[str]) -> bool:
    gives_reason = False
    for lead in _REASONS:
        if tuple(words[: len(lead)]) == lead:
            words, gives_reason = words[len(lead) :], True
    if not words or not (words[0] in ARTICLES or words[0] in _SUBJECTS) or begins_request(words):
        return False
    if active(words) != list(words) or (
        words[0] == "you" and not gives_reason and "see" not in words[:3]
    ):
        return False
    happened = words[0] in _SUBJECTS and any(
        word in _PAST or (word.endswith("ed") and word not in _NOT_PAST) for word in words[1:3]
    )
    return happened or not _FINITE.isdisjoint(words[1:_LONGEST_STATEMENT])


def is_intention(words: Sequence[str]) -> bool:
    """Whether a clause says what somebody is about to do: "I want to hang a picture"."""
    return any(tuple(words[: len(lead)]) == lead for lead in _INTENDING)


def is_topic(words: Sequence[str], following: Sequence[str] = ()) -> bool:
    """Whether a clause names the thing that the next one is about: "the blue mug, pick it up"."""
    named = bool(words) and words[0] in ARTICLES
    plain = named and _FINITE.isdisjoint(words) and AUXILIARIES.isdisjoint(words)
    return (plain or _looks(words)) and any(
        following[place] in VERBS and following[place + 1] in _NAMED
        for place in range(min(len(following) - 1, 4))
    )


def sentences_of(words: Sequence[str]) -> list[list[str]]:
    """Part a statement, or what is looked at, from the command that goes on without a pause.

    Args:
        words: of one clause: "there is a cup on the table pick it up".

    Returns:
        The clause, or what comes before the command and the command.
    """
    says = _says(words)
    if says or _looks(words) or (words and words[0] in ARTICLES):
        for place in range(2, len(words) - 1):
            verb, after, before = words[place], words[place + 1], words[place - 1]
            begins = after in _NAMED and (after not in ARTICLES or place + 2 == len(words))
            begins = begins or (
                says and (after in ARTICLES or after in ("me", "us")) and verb not in NOUN_VERBS
            )
            if says and verb == "so":
                return [list(words[:place]), list(words[place + 1 :])]
            halts = verb in _HALTING and before not in _BEFORE_HALT and before not in _BEFORE_VERB
            if says and (halts or (verb, after) in _ASKING):
                return [list(words[:place]), list(words[place:])]
            if verb in VERBS and begins and before not in _BEFORE_VERB:
                return [list(words[:place]), list(words[place:])]
    return [list(words)]


def _looks(words: Sequence[str]) -> bool:
    return any(tuple(words[: len(lead)]) == lead for lead in _LOOKING)
