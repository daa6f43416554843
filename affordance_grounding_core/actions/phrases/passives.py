"""What is to be done to a thing, said of the thing: "the door needs opening" is "open the door"."""

from __future__ import annotations

from collections.abc import Sequence

from affordance_grounding_core.actions.phrases.english import ARTICLES
from affordance_grounding_core.actions.phrases.lexicon import SENSES
from affordance_grounding_core.actions.phrases.patterns import ENDS_NOUN, verb_forms
from affordance_grounding_core.actions.phrases.things import word_set

VERBS = frozenset(
    verb for sense in SENSES for pattern in sense.patterns for verb in pattern.split()[0].split("|")
)
"""Verbs that commands begin with."""

_IRREGULAR = {
    "hold": "held", "take": "taken", "get": "gotten", "bring": "brought", "give": "given",
    "lend": "lent", "hang": "hung", "drink": "drunk", "cut": "cut", "saw": "sawn", "hit": "hit",
    "strike": "struck", "beat": "beaten", "drive": "driven", "spin": "spun", "shut": "shut",
    "write": "written", "sit": "sat", "lie": "lain", "throw": "thrown", "catch": "caught",
    "eat": "eaten", "bite": "bitten", "ride": "ridden", "make": "made", "shoot": "shot",
    "put": "put", "set": "set", "let": "let", "send": "sent", "speak": "spoken", "find": "found",
    "stick": "stuck", "swing": "swung", "draw": "drawn", "keep": "kept", "go": "gone",
}  # fmt: skip


def _participle(verb: str) -> str:
    if verb in _IRREGULAR:
        return _IRREGULAR[verb]
    if verb.endswith("y") and verb[-2] not in "aeo":
        return f"{verb[:-1]}ied"
    return verb_forms(verb)[1].removesuffix("ing") + "ed"


DONE = {_participle(verb): verb for verb in sorted(VERBS)}
"""Participle of each of them to the verb."""

_DOING = {verb_forms(verb)[1]: verb for verb in sorted(VERBS)}
_NEEDS = (
    ("needs",), ("need",), ("wants",), ("requires",), ("require",), ("could", "do", "with"),
    ("could", "use"),
)  # fmt: skip
_TO_BE = tuple(
    tuple(lead.split())
    for lead in (
        "needs to be", "need to be", "has to be", "have to be", "has got to be", "ought to be",
        "is to be", "are to be", "should be", "must be", "is ready to be", "are ready to be",
        "wants to be", "had better be", "is supposed to be",
    )
)  # fmt: skip
_LEADING = frozenset(lead[0] for lead in (*_NEEDS, *_TO_BE))
_NEED_NOUNS = word_set("stir turn twist spin push press whack mix brush knock bang shake kick")
_DEGREES = word_set("a an some good quick little bit of gentle proper hard quarter half another")
_SUBJECTS = word_set("i you we they he she who what which there nobody someone somebody")
_ORDERED = frozenset(
    tuple(lead.split())
    for lead in (
        "get", "have", "i want", "i need", "we need", "we want", "i would like", "let us have",
        "i want to have", "i would like to have", "i need to have", "can i have", "could i have",
        "can we have", "could we have", "can we get", "i want to get", "make sure", "see that",
        "make sure that", "see to it that", "i would love", "may i have", "can i get",
    )
)  # fmt: skip
_COPULAS = word_set("is are gets")
_NO_PART = word_set("to that i you and for help")
_TAIL = word_set("please now for already first properly")
_LONGEST_NOUN = 8


def active(words: Sequence[str]) -> list[str]:
    """Bring a clause that names a thing before what is to be done to it into a command.

    Args:
        words: of one clause, lower case, articles included.

    Returns:
        "open the door" for "the door needs opening", "the door should be opened", "can the door
        be opened", "have the door opened" and "i want the door opened"; other words as they are.
    """
    words = list(words)
    return _of_subject(words) or _asked_of_subject(words) or _ordered(words) or words


def _of_subject(words: list[str]) -> list[str] | None:
    if not words or words[0] in _SUBJECTS:
        return None
    for place in range(1, min(len(words), _LONGEST_NOUN)):
        if words[place] not in _LEADING:
            continue
        for lead in _TO_BE:
            if tuple(words[place : place + len(lead)]) == lead:
                return _done_to(words[:place], words[place + len(lead) :], DONE)
        for lead in _NEEDS:
            if tuple(words[place : place + len(lead)]) == lead:
                rest = words[place + len(lead) :]
                while rest and rest[0] in _DEGREES:
                    rest = rest[1:]
                if rest and rest[0] in _NEED_NOUNS:
                    return ["give", *words[:place], rest[0]]
                return _done_to(words[:place], rest, _DOING)
    return None


def _asked_of_subject(words: list[str]) -> list[str] | None:
    if words[:1] and words[0] in ("can", "could", "may", "will", "would") and "be" in words[2:]:
        place = words.index("be", 2)
        if words[1] not in _SUBJECTS and place <= _LONGEST_NOUN:
            return _done_to(words[1:place], words[place + 1 :], DONE)
    return None


def _ordered(words: list[str]) -> list[str] | None:
    lead = next((lead for n in (6, 5, 4, 3, 2, 1) if (lead := tuple(words[:n])) in _ORDERED), ())
    named = words[len(lead) :]
    if not lead or not named or named[0] in _SUBJECTS:
        return None
    first = 2 if named[0] in ARTICLES and len(named) > 2 else 1
    for place in range(first, min(len(named), _LONGEST_NOUN)):
        after = named[place + 1 :]
        ends = not after or after[0] in ENDS_NOUN or after[0] in _TAIL
        doing = named[place] in _DOING and lead[-1] in ("need", "want") and not after
        if ends and (named[place] in DONE or doing):
            thing = named[:place]
            while len(thing) > 1 and (thing[-1] in _COPULAS or thing[-2:] == ["to", "be"]):
                thing = thing[:-1] if thing[-1] in _COPULAS else thing[:-2]
            return _done_to(thing, named[place:], {**_DOING, **DONE})
    return None


def _done_to(thing: list[str], rest: list[str], verbs: dict[str, str]) -> list[str] | None:
    if rest and rest[0] in verbs and thing and _NO_PART.isdisjoint(thing[1:]):
        return [verbs[rest[0]], *thing, *rest[1:]]
    return None
