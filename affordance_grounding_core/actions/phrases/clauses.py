"""What a clause commands, without its courtesies: "could you please pour it" is "pour it"."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from affordance_grounding_core.actions.phrases.courtesies import (
    CLOSINGS,
    without_fillers,
    without_frame,
)
from affordance_grounding_core.actions.phrases.english import ARTICLES, AUXILIARIES, PRONOUNS
from affordance_grounding_core.actions.phrases.passives import VERBS, active
from affordance_grounding_core.actions.phrases.requests import thing_asked_for, tool_asked_for
from affordance_grounding_core.actions.phrases.things import word_set

_ENDING = word_set("stop quit cease end enough")
_BEFORE_VERB = word_set("using with in on from at inside under behind near by")
_QUESTIONS = AUXILIARIES | word_set("what who whom whose why when how which where")


@dataclass(frozen=True)
class Clause:
    """The words of one command.

    Attributes:
        words: lower case, without articles and possessives, the verb first if there is one.
        articles: article or possessive that stood before each of the words; mostly empty.
    """

    words: tuple[str, ...]
    articles: tuple[str, ...]

    @property
    def after_article(self) -> tuple[bool, ...]:
        """Whether an article or possessive stood before each of the words."""
        return tuple(bool(article) for article in self.articles)

    @property
    def is_noun_phrase(self) -> bool:
        """Whether it begins with an article, so that its first word is no verb."""
        return bool(self.articles[0])


def command_of(words: Sequence[str]) -> Clause | None:
    """Find the command in a clause.

    Args:
        words: of the clause, lower case.

    Returns:
        What is left without courtesies, perhaps no word; None where the clause is a question.
        "Where can I hold it" is taken for a command, as it is just what a grounder answers.
    """
    left = _asked_for(list(words))
    if left and (left[0] in _QUESTIONS or tuple(left[:2]) in _HAVE_QUESTIONS):
        return None
    while len(left) > 1 and left[-1] in CLOSINGS and left[-2] not in ARTICLES:
        left.pop()
    left = _instrument_last(left)
    kept: list[str] = []
    articles: list[str] = []
    pending = ""
    for word in left:
        if word in ARTICLES:
            pending = word
            continue
        kept.append(word)
        articles.append(pending)
        pending = ""
    return Clause(tuple(kept), tuple(articles))


_HAVE_QUESTIONS = frozenset(("have", pronoun) for pronoun in PRONOUNS)


def _asked_for(words: list[str]) -> list[str]:
    """The command in a request, of whatever kind that is."""
    words = active(without_fillers(words))
    return active(without_frame(thing_asked_for(tool_asked_for(words))))


def _instrument_last(words: list[str]) -> list[str]:
    """Bring "use the knife to cut it" and "cut it using the knife" to "cut it with the knife"."""
    if words and words[0] in ("use", "using", "with") and "to" in words:
        place = words.index("to")
        return [*words[place + 1 :], "with", *words[1:place]]
    if words and words[0] in _BEFORE_VERB:
        for place in range(2, len(words)):  # "with a knife cut the string"
            if words[place] in VERBS and words[place - 1] not in ARTICLES:
                before = ["with" if word == "using" else word for word in words[:place]]
                return [*words[place:], *before]
    if words and words[0] in _ENDING:
        return words
    return ["with" if word == "using" else word for word in words]
