"""What a clause commands, without its courtesies: "could you please pour it" is "pour it"."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from affordance_grounding_core.actions.lexicon import word_set

_ARTICLES = word_set("the a an this that these those my your its his her our their some any one")
_FILLERS = word_set(
    "please kindly just now so ok okay hey hi hello robot well alright right quickly slowly "
    "carefully gently firmly simply first next finally again always go come also still"
)
_CLOSINGS = word_set("please now thanks again here there")
_FRAMES = tuple(
    tuple(frame.split())
    for frame in (
        "can you",
        "could you",
        "will you",
        "would you",
        "would you mind",
        "i would like you to",
        "i would love you to",
        "i would like to",
        "i would love to",
        "i want you to",
        "i need you to",
        "i want to",
        "i need to",
        "i have to",
        "i would like",
        "you should",
        "you must",
        "you may",
        "you can",
        "you could",
        "you have to",
        "you need to",
        "we should",
        "we need to",
        "we have to",
        "we must",
        "let me",
        "let us",
        "help me to",
        "help me",
        "go ahead",
        "show me",
        "tell me",
        "try to",
        "be sure to",
        "make sure to",
        "make sure you",
        "remember to",
        "it is time to",
        "time to",
        "start to",
        "begin to",
        "continue to",
    )
)
_ONGOING = word_set("start begin keep continue resume try")
_PRONOUNS = word_set("i you we they he she it one anyone somebody someone people")
_AUXILIARIES = word_set(
    "is are was were am do does did has had shall should may might must can could will would"
)
_QUESTIONS = _AUXILIARIES | word_set("what who whom whose why when how which where")


@dataclass(frozen=True)
class Clause:
    """The words of one command.

    Attributes:
        words: lower case, without articles and possessives, the verb first if there is one.
        after_article: whether an article or possessive stood before each of the words.
    """

    words: tuple[str, ...]
    after_article: tuple[bool, ...]

    @property
    def is_noun_phrase(self) -> bool:
        """Whether it begins with an article, so that its first word is no verb."""
        return self.after_article[0]


def command_of(words: Sequence[str]) -> Clause | None:
    """Find the command in a clause.

    Args:
        words: of the clause, lower case.

    Returns:
        What is left without courtesies, perhaps no word; None where the clause is a question.
        "Where can I hold it" is taken for a command, as it is just what a grounder answers.
    """
    left = _without_frame(list(words))
    if left and (left[0] in _QUESTIONS or tuple(left[:2]) in _HAVE_QUESTIONS):
        return None
    while left and left[-1] in _CLOSINGS and len(left) > 1:
        left.pop()
    left = _instrument_last(left)
    kept: list[str] = []
    after: list[bool] = []
    pending = False
    for word in left:
        if word in _ARTICLES:
            pending = True
            continue
        kept.append(word)
        after.append(pending)
        pending = False
    return Clause(tuple(kept), tuple(after))


_HAVE_QUESTIONS = frozenset(("have", pronoun) for pronoun in _PRONOUNS)


def _without_frame(words: list[str]) -> list[str]:
    before = None
    while words and words != before:
        before = list(words)
        if words[0] in _FILLERS:
            words = words[1:]
            continue
        frame = max((f for f in _FRAMES if tuple(words[: len(f)]) == f), key=len, default=())
        words = words[len(frame) :]
        if len(words) > 1 and words[0] in _ONGOING and words[1].endswith("ing"):
            words = words[1:]
        words = _where_asked(words)
    return words


def _where_asked(words: list[str]) -> list[str]:
    if len(words) < 3 or words[0] != "where":
        return words
    if words[1] == "to":
        return words[2:]
    asked = words[1] in _AUXILIARIES and words[2] in _PRONOUNS
    return words[3:] if asked and words[1] not in ("is", "are", "was", "were", "did") else words


def _instrument_last(words: list[str]) -> list[str]:
    """Bring "use the knife to cut it" and "cut it using the knife" to "cut it with the knife"."""
    if words and words[0] in ("use", "using", "with") and "to" in words:
        place = words.index("to")
        return [*words[place + 1 :], "with", *words[1:place]]
    return ["with" if word == "using" else word for word in words]
