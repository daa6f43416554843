"""What a clause commands, without its courtesies: "could you please pour it" is "pour it"."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from affordance_grounding_core.actions.phrases.english import ARTICLES
from affordance_grounding_core.actions.phrases.lexicon import GRASPABLE, INSTRUMENT, word_set

_FILLERS = word_set(
    "please kindly just now so ok okay hey hi hello robot well alright right quickly slowly "
    "carefully gently firmly simply first next finally again always go come also still maybe "
    "perhaps buddy mate pal friend"
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
        "mind",
        "be careful",
        "watch out",
        "we will need to",
        "would you be able to",
        "are you able to",
        "excuse me",
        "i wonder if you could",
        "i was wondering if you could",
        "reach out",
        "reach over",
        "you will need to",
        "somebody should",
        "someone should",
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
        "go on",
        "go over there",
        "come on",
        "come here",
        "come over here",
        "hurry",
        "hurry up",
        "get on with it",
        "do me a favor",
        "do me a favour",
        "be a dear",
        "be a darling",
        "be so kind",
        "be so kind as to",
        "be so good",
        "be so good as to",
        "be kind enough to",
        "would you be so kind",
        "would you be so kind as to",
        "would you be so good as to",
        "would you be kind enough to",
        "try",
        "show me",
        "tell me",
        "point to",
        "point at",
        "find",
        "locate",
        "try to",
        "feel free to",
        "you are free to",
        "i would appreciate it if you could",
        "it would be great if you could",
        "it would be nice if you could",
        "would it be possible to",
        "is it possible to",
        "i was hoping you could",
        "i am going to",
        "we are going to",
        "you are going to",
        "how about",
        "do you mind",
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
_THING_LEADS = tuple(
    tuple(lead.split())
    for lead in (
        "i need",
        "we need",
        "i want",
        "i would like",
        "i would like to have",
        "i will take",
        "i will have",
        "let me have",
        "may i have",
        "can i have",
        "could i have",
        "can i get",
        "could i get",
    )
)
_FETCHING = tuple(
    (verb, "me") for verb in ("give", "get", "find", "fetch", "bring", "hand", "pass", "lend")
)
_OFFERED = (("do", "you", "have"), ("is", "there"))
_TOOL_LEADS = word_set(
    "i we you do need want would like give get find hand fetch bring pass lend look looking for "
    "show me us a an some is there have has got any am are please can could kind of good sharp"
)
_DONE_AS_NOUN = word_set("sip swig gulp drink bite seat")
_AFTER_THING = word_set("of from with in on out by for at to off")
_PARTS = word_set("part parts end side bit place spot area")
_SOME_TOOL = word_set("something anything tool object thing item instrument utensil")
_ENDING = word_set("stop quit cease end enough")
_PLACES = word_set("from on in at into onto")
_NOT_DONE = word_set("me us him them you it here there left right")
_LONGEST_LEAD = 8
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
    left = _without_frame(_thing_asked_for(_tool_asked_for(list(words))))
    if left and (left[0] in _QUESTIONS or tuple(left[:2]) in _HAVE_QUESTIONS):
        return None
    while left and left[-1] in _CLOSINGS and len(left) > 1:
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


_HAVE_QUESTIONS = frozenset(("have", pronoun) for pronoun in _PRONOUNS)


def _without_frame(words: list[str]) -> list[str]:
    before = None
    while words and words != before:
        before = list(words)
        frame = max((f for f in _FRAMES if tuple(words[: len(f)]) == f), key=len, default=())
        if not frame and words[0] in _FILLERS:
            words = words[1:]
            continue
        words = words[len(frame) :]
        if len(words) > 1 and words[0] in _ONGOING and words[1].endswith("ing"):
            words = words[1:]
        words = _where_asked(words)
    return words


def _where_asked(words: list[str]) -> list[str]:
    if len(words) > 3 and words[0] in ("which", "what") and words[1] in _PARTS:
        words = ["where", *words[2:]]
    if len(words) < 3 or words[0] != "where":
        return words
    if words[1] == "to":
        return words[2:]
    asked = words[1] in _AUXILIARIES and words[2] in _PRONOUNS
    return words[3:] if asked and words[1] not in ("is", "are", "was", "were", "did") else words


def _tool_asked_for(words: list[str]) -> list[str]:
    """Bring "I need something to cut this rope" to "cut this rope with something"."""
    words = _without_fillers(words)
    for place, word in enumerate(words[:_LONGEST_LEAD]):
        is_thing = word in _SOME_TOOL and _TOOL_LEADS.issuperset(words[:place])
        if is_thing and (action := _purpose(words[place + 1 :])):
            return _done_with(action, INSTRUMENT)
    lead = _lead_of(words, (*_THING_LEADS, *_FETCHING, *_OFFERED))
    named = words[len(lead) :]
    if lead and "to" in named[1:_LONGEST_LEAD]:
        place = named.index("to", 1)
        tool, action = named[:place], named[place + 1 :]
        if tool[0] in _PRONOUNS:
            return words if tool[0] == "you" else action
        if action and action[0] not in ARTICLES and action[0] not in _NOT_DONE:
            return _done_with(action, *tool)
    if len(words) > 3 and words[0] in ("what", "which") and words[-1] == "with":
        asked = next((place for place, word in enumerate(words[:4]) if word in _AUXILIARIES), 0)
        if asked and words[asked + 1] in _PRONOUNS:
            return [*words[asked + 2 :], INSTRUMENT]
    asked_use = words[:1] == ["what"] and words[3:4] == ["use"] and words[1] in _AUXILIARIES
    if asked_use and words[2] in _PRONOUNS and (action := _purpose(words[4:])):
        return _done_with(action, INSTRUMENT)
    return words


def _without_fillers(words: list[str]) -> list[str]:
    while words and words[0] in _FILLERS and words[0] not in ("go", "come"):
        words = words[1:]
    return words


def _purpose(words: list[str]) -> list[str]:
    """What something is wanted for: of "to cut it", "for cutting it", "that can cut it"."""
    if words[:1] == ["to"] or (words[:1] == ["for"] and words[1:2] and words[1].endswith("ing")):
        return words[1:]
    return words[2:] if words[:2] in (["that", "can"], ["which", "can"]) else []


def _done_with(action: list[str], *tool: str) -> list[str]:
    if action[-1] == "with":
        return [*action, *tool]
    return action if action[-1] in _PLACES else [*action, "with", *tool]


def _thing_asked_for(words: list[str]) -> list[str]:
    """Bring "could I have the cup?" to "give me the cup", where the thing can be held.

    "I'd like a sip from the cup" is about the sip: it becomes "have a sip from the cup".
    """
    words = _without_fillers(words)
    lead = _lead_of(words, _THING_LEADS)
    named = words[len(lead) :]
    while named and named[-1] in _CLOSINGS:
        named = named[:-1]
    if not lead or not named:
        return words
    after = next((place for place, word in enumerate(named) if word in _AFTER_THING), len(named))
    if after and named[after - 1] in _DONE_AS_NOUN:
        return ["have", *named]
    whole = named[-1] in GRASPABLE or (after > 0 and named[after - 1] in GRASPABLE)
    return ["give", "me", *named] if whole else words


def _lead_of(words: list[str], leads: Sequence[tuple[str, ...]]) -> tuple[str, ...]:
    return max((lead for lead in leads if tuple(words[: len(lead)]) == lead), key=len, default=())


def _instrument_last(words: list[str]) -> list[str]:
    """Bring "use the knife to cut it" and "cut it using the knife" to "cut it with the knife"."""
    if words and words[0] in ("use", "using", "with") and "to" in words:
        place = words.index("to")
        return [*words[place + 1 :], "with", *words[1:place]]
    if words and words[0] in _ENDING:
        return words
    return ["with" if word == "using" else word for word in words]
