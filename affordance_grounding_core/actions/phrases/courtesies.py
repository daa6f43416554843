"""What is said around a command: courtesies, fillers, "how do I" and "where can I"."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import product

from affordance_grounding_core.actions.phrases.english import ARTICLES
from affordance_grounding_core.actions.phrases.passives import DONE, VERBS
from affordance_grounding_core.actions.phrases.questions import asked_after
from affordance_grounding_core.actions.phrases.things import word_set

_FILLERS = word_set(
    "please kindly just now so ok okay hey hi hello robot well alright right quickly slowly "
    "carefully gently firmly simply first next finally again always go come also still maybe "
    "perhaps buddy mate pal friend yeah yes yep sure like basically actually literally oi "
    "alexa siri google computer machine assistant lovely great good cheers ta dear "
    "love man dude yo guys lastly meanwhile anyway"
)
CLOSINGS = word_set(
    "please now thanks again here there ta cheers mate robot buddy ok okay then yeah"
)


def _listed(text: str) -> tuple[tuple[str, ...], ...]:
    return tuple(tuple(frame.split()) for frame in text.split(","))


def _products(*choices: str) -> tuple[tuple[str, ...], ...]:
    """Every way to take one of each: "a|b, c|" are "a c", "a", "b c" and "b"."""
    ways = product(*(choice.split("|") for choice in choices))
    return tuple(tuple(" ".join(way).split()) for way in ways)


_FRAMES = frozenset(
    (
        *_listed(
            "can you, could you, will you, would you, would you mind, mind, be careful, watch out, "
            "we will need to, excuse me, reach out, reach over, you will need to, somebody should, "
            "someone should, you should, you must, you may, you can, you could, you have to, "
            "you need to, we should, we need to, we have to, we must, let me, let us, help me to, "
            "help me, help us, help us to, go ahead, go on, go over there, come on, come here, "
            "come over here, hurry, hurry up, get on with it, try, show me, tell me, point to, "
            "point at, find, locate, try to, feel free to, you are free to, how about, what about, "
            "do you mind, time to, to, start to, begin to, continue to, i think, i guess, i mean, "
            "you know, i say, what i want is to, what i need is to, all you have to do is, "
            "all i want is to, your job is to, your task is to, the task is to, "
            "the next step is to, the goal is to, the plan is to, it is your turn to, "
            "you had better, you better, "
            "you ought to, you are supposed to, i have to, i have got to, i must, i should"
        ),
        *_products("can|could|would|will", "somebody|someone|anybody|anyone|we"),
        *_products("would|will|are|might|may", "you", "be able to|able to"),
        *_products("i", "wonder|was wondering|am wondering", "if", "you", "could|can|would|might"),
        *_products(
            "i|we",
            "would like|would love|want|need|would like for|would prefer|would have|expect|am "
            "asking|ask|am telling|told|require",
            "you|that you",
            "to|",
        ),
        *_products(
            "i|we", "would like|would love|want|need|wish|am trying|am going|are going", "to"
        ),
        *_products("you", "are going", "to"),
        ("i", "would", "like"),
        *_products(
            "i",
            "would|will",
            "be|",
            "very|so|really|",
            "grateful|thankful|happy|glad|pleased|obliged|delighted|appreciate it|appreciate",
            "if",
            "you",
            "could|would|can|",
        ),
        *_products(
            "it",
            "would|will",
            "be",
            "great|nice|good|lovely|helpful|wonderful|kind|super|cool|"
            "useful|fantastic|a help|a great help|best",
            "if you|if you could|if you would|if you can|to",
        ),
        *_products("would it be|is it|will it be|would it", "possible", "for you|", "to"),
        *_products(
            "i was hoping|i am hoping|i hope|i was thinking|i think|i believe",
            "you|that you",
            "could|would|can|should|might",
        ),
        *_products("i|we", "beg|order|command|urge|implore|instruct|invite", "you", "to|"),
        *_products(
            "would it be|is it|would it",
            "too much trouble|too much|ok|okay|all right|alright|a problem|fine",
            "for you|if you|",
            "to|could",
        ),
        *_products("do|", "you", "think|reckon|suppose", "you|that you|we", "could|can|might"),
        *_products(
            "is there|have you|", "any chance", "you|that you|of you|we", "could|can|might|would|"
        ),
        *_products("is there any way|any way", "you|to", "could|can|"),
        *_products(
            "may|can|could|might",
            "i",
            "ask|trouble|bother|get|have|beg|persuade|bother",
            "you",
            "to|for",
        ),
        *_products("do|would you do", "me|us", "a|the", "favor|favour|kindness"),
        *_products(
            "would you|be", "be|", "so|as|", "kind|good|nice|sweet|helpful", "as to|enough to|and|"
        ),
        *_products("make", "sure|certain", "to|you|that you|we|that we"),
        *_products("be sure|be certain|remember|try|mind|see", "to|that you|you"),
        *_products("it is|", "time|high time|about time", "to|you|that you|we|for you to"),
        *_products("all|", "you", "need|have|are", "to"),
    )
)
"""What leads to a command and asks for nothing itself."""

_SIZES = sorted({len(frame) for frame in _FRAMES}, reverse=True)
_LONGEST_TITLE = 4
_WARNINGS = frozenset(
    (*lead, word)
    for lead in (("be", "careful"),)
    for word in ("with", "of", "about", "around", "when", "as")
)
_THIS = ARTICLES | {"it", "them"}
_ONGOING = word_set("start begin keep continue resume try")


def without_frame(words: list[str]) -> list[str]:
    """Leave out what asks for the command: "could you please", "how do I"."""
    before = None
    while words and words != before:
        before = list(words)
        if words[:2] in (["be", "a"], ["be", "an"]) and len(words) <= _LONGEST_TITLE:
            return []  # "be a darling and pour it"
        if tuple(words[:3]) in _WARNINGS:
            return []  # "be careful with the knife and hand it over"
        size = next((n for n in _SIZES if tuple(words[:n]) in _FRAMES), 0)
        if words[0] == "like" and "".join(words[1:2]).endswith(("to", "ing")):
            return words  # "would you like to pour"
        if not size and words[0] in _FILLERS:
            words = words[1:]
            continue
        if words[: size - 1 and size][-2:] == ["if", "you"]:
            words = [
                *words[:size],
                *(DONE.get(word, word) for word in words[size : size + 1]),
                *words[size + 1 :],
            ]
        words = words[size:]
        if words[:1] == ["you"] and len(words) > 2 and words[1] in VERBS and words[2] in _THIS:
            words = words[1:]  # "you hold this end"
        if len(words) > 1 and words[0] in _ONGOING and words[1].endswith("ing"):
            words = words[1:]
        words = asked_after(words)
    return words


def without_fillers(words: list[str]) -> list[str]:
    """Leave out what is said before a request: "okay, please"."""
    while words and words[0] in _FILLERS and words[0] not in ("go", "come"):
        words = words[1:]
    return words


def begins_request(words: Sequence[str]) -> bool:
    """Whether a clause begins as a request does: "you need to pour it"."""
    return any(tuple(words[:size]) in _FRAMES for size in _SIZES)
