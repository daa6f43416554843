"""Requests for things, recast as commands: "I need something to cut this" is "cut this with it"."""

from __future__ import annotations

from collections.abc import Sequence

from affordance_grounding_core.actions.phrases.courtesies import CLOSINGS, without_fillers
from affordance_grounding_core.actions.phrases.english import ARTICLES, AUXILIARIES, PRONOUNS
from affordance_grounding_core.actions.phrases.lexicon import INSTRUMENT
from affordance_grounding_core.actions.phrases.things import GRASPABLE, word_set

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
        "can i take",
        "could i take",
        "may i take",
        "may i get",
        "could i get",
        "i could do with",
        "i could use",
        "we could use",
    )
)
_POLITE_LEADS = frozenset(
    (modal, "i", verb) for modal in ("can", "could", "may") for verb in ("have", "get", "take")
)
_POINTING = word_set("the that this these those")
_LONGEST_NAME = 4
_FETCHING = tuple(
    (verb, "me") for verb in ("give", "get", "find", "fetch", "bring", "hand", "pass", "lend")
)
_OFFERED = (("do", "you", "have"), ("is", "there"), ("have", "you", "got"))
_TOOL_LEADS = word_set(
    "i we you do need want would like give get find hand fetch bring pass lend look looking for "
    "show me us a an some is there have has got any am are please can could kind of good sharp"
)
_DONE_AS_NOUN = word_set("sip swig gulp drink bite seat")
_PORTIONS = word_set("slice piece bite bit drop share taste spoonful pinch portion")
_AFTER_THING = word_set("of from with in on out by for at to off")
_USING = word_set("use need want take")
_KIND = word_set(
    "sharp blunt heavy long pointed pointy flat soft hard clean big small thin strong good better "
    "else suitable useful handy stiff"
)
_ABLE = tuple(
    tuple(lead.split())
    for lead in (
        "that can", "which can", "i can", "we can", "you can", "that i can", "which i can",
        "that we can", "i could", "that i could", "for me to", "for us to", "that will", "that",
        "i might", "that is good for", "good for", "that you can",
    )
)  # fmt: skip
_SOMEWHERE = word_set("somewhere anywhere place spot")
_SOME_TOOL = word_set("something anything tool object thing item instrument utensil")

_PLACES = word_set("from on in at into onto")
_NOT_DONE = word_set("me us him them you it here there left right")
_LONGEST_LEAD = 8


def tool_asked_for(words: list[str]) -> list[str]:
    """Bring "I need something to cut this rope" to "cut this rope with something"."""
    words = without_fillers(words)
    for place, word in enumerate(words[:_LONGEST_LEAD]):
        is_thing = word in _SOME_TOOL and _TOOL_LEADS.issuperset(words[:place])
        if is_thing and (action := _purpose(words[place + 1 :])):
            return _done_with(action, INSTRUMENT)
        is_place = word in _SOMEWHERE and _TOOL_LEADS.issuperset(words[:place])
        if is_place and (action := _purpose(words[place + 1 :])):
            return action
    lead = _lead_of(words, (*_THING_LEADS, *_FETCHING, *_OFFERED))
    named = words[len(lead) :]
    if lead and "to" in named[1:_LONGEST_LEAD]:
        place = named.index("to", 1)
        tool, action = named[:place], named[place + 1 :]
        if tool[0] in PRONOUNS:
            return words if tool[0] == "you" else action
        if action and action[0] not in ARTICLES and action[0] not in _NOT_DONE:
            return _done_with(action, *tool)
    if len(words) > 3 and words[0] in ("what", "which") and words[-1] == "with":
        asked = next((place for place, word in enumerate(words[:4]) if word in AUXILIARIES), 0)
        if asked and words[asked + 1] in PRONOUNS:
            return [*words[asked + 2 :], INSTRUMENT]
    action = _tool_in_question(words)
    return _done_with(action, INSTRUMENT) if action else words


def _tool_in_question(words: list[str]) -> list[str]:
    """What is to be done in "what do I use to cut it", "which tool do I need to cut it"."""
    if words[:1] not in (["what"], ["which"]):
        return []
    rest = words[2:] if words[1:2] and words[1] in _SOME_TOOL else words[1:]
    if rest[:1] and rest[0] in AUXILIARIES and rest[1:2] and rest[1] in PRONOUNS:
        if rest[2:3] and rest[2] in _USING:
            return _purpose(rest[3:])
        if len(rest) > 3 and rest[-1] in _PLACES:
            return rest[2:]
    return []


def _purpose(words: list[str]) -> list[str]:
    """What something is wanted for: of "to cut it", "for cutting it", "that can cut it"."""
    while words and words[0] in _KIND:
        words = words[1:]
    if words[:1] == ["to"] or (words[:1] == ["for"] and words[1:2] and words[1].endswith("ing")):
        return words[1:]
    return next((words[len(lead) :] for lead in _ABLE if tuple(words[: len(lead)]) == lead), [])


def _done_with(action: list[str], *tool: str) -> list[str]:
    if action[-1] == "with":
        return [*action, *tool]
    return action if action[-1] in _PLACES else [*action, "with", *tool]


def thing_asked_for(words: list[str]) -> list[str]:
    """Bring "could I have the cup?" to "give me the cup", where the thing can be held.

    "I'd like a sip from the cup" is about the sip: it becomes "have a sip from the cup".
    """
    words = without_fillers(words)
    lead = _lead_of(words, _THING_LEADS)
    named = words[len(lead) :]
    while named and named[-1] in CLOSINGS:
        named = named[:-1]
    if not lead or not named or "you" in named[:2] or named[0] == "to":
        return words
    after = next((place for place, word in enumerate(named) if word in _AFTER_THING), len(named))
    if after and named[after - 1] in _DONE_AS_NOUN:
        return ["have", *named]
    if after and named[after - 1] in _PORTIONS:
        return words
    pointed = lead in _POLITE_LEADS and named[0] in _POINTING and len(named) <= _LONGEST_NAME
    whole = pointed or named[-1] in GRASPABLE or (after > 0 and named[after - 1] in GRASPABLE)
    return ["give", "me", *named] if whole else words


def _lead_of(words: list[str], leads: Sequence[tuple[str, ...]]) -> tuple[str, ...]:
    return max((lead for lead in leads if tuple(words[: len(lead)]) == lead), key=len, default=())
