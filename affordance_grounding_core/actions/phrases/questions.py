"""Questions that a grounder answers: "how do I open it" asks for the part that opens it."""

from __future__ import annotations

from affordance_grounding_core.actions.phrases.english import AUXILIARIES, PRONOUNS
from affordance_grounding_core.actions.phrases.passives import DONE, VERBS
from affordance_grounding_core.actions.phrases.things import word_set

_PARTS = word_set("part parts end side bit place spot area")
_WAYS = word_set("way place spot point somewhere anywhere")
_BEST = word_set("the a an best right good proper correct safe safest easiest better is there any")
_MAY = AUXILIARIES - word_set("is are was were did am does has had")
_SPEAKERS = word_set("i we you one")
_DOERS = word_set("i we one")
_MEANT = word_set("supposed meant")
_LONGEST_THING = 8


def asked_after(words: list[str]) -> list[str]:
    """Find what somebody wants to do who asks where or how to do it.

    Args:
        words: of one clause, lower case, articles included.

    Returns:
        "hold it" for "where can I hold it", "how to hold it", "the best way to hold it" and
        "which end do I hold it by"; other words as they are.
    """
    if words[:2] in (["what", "is"], ["where", "is"]) and _way(words[2:]) != words[2:]:
        return _way(words[2:])
    if len(words) < 3 or words[0] not in ("where", "how", "which", "what"):
        return _way(words)
    if words[1] == "to" and words[0] in ("where", "how"):
        return words[2:]
    if words[0] == "how" and (others := _how_of_thing(words)):
        return others
    asked = next(
        (
            place
            for place in range(1, min(len(words) - 2, _LONGEST_THING))
            if (words[place] in _MAY | {"am", "are"} and words[place + 1] in PRONOUNS)
            or words[place : place + 2] == ["does", "one"]
        ),
        0,
    )
    rest = words[asked + 2 :]
    if words[asked] in ("am", "are"):
        is_meant = rest[0] in _MEANT and rest[1:2] == ["to"]
        return rest[2:] if asked and is_meant else words
    if asked:
        return _asked_of(words[:asked], words[asked + 1], rest) or words
    if words[1] in PRONOUNS and words[2] in _MAY:  # "tell me how I can open it"
        return words[3:]
    return _done_by_others(words) or words


def _asked_of(question: list[str], who: str, action: list[str]) -> list[str]:
    """What is to be done in "which knob / do I / turn", without the question."""
    word, thing = question[0], question[1:]
    if word in ("where", "how"):
        return [] if word == "how" and "your" in action else action  # "how do you take your tea"
    if thing and thing[0] in _PARTS:
        thing = thing[2:] if thing[1:2] == ["of"] else []
        return [*action, *thing] if len(action) == 1 else action
    if word == "which" and thing and who in _SPEAKERS:
        return [*action, *thing] if len(action) == 1 else action
    if word == "what" and not thing and who in _DOERS and "to" in action[1:]:
        return action[:1]  # "what do I press to start it"
    return []


def _how_of_thing(words: list[str]) -> list[str]:
    """Bring "how does this bottle open" and "how is it opened" to "open it"."""
    verb = words[-1]
    if words[1] in ("is", "are") and verb in DONE:
        return [DONE[verb], *words[2:-1]]
    does = words[1] in ("do", "does") and words[2] not in _SPEAKERS and verb in VERBS
    return [verb, *words[2:-1]] if does and len(words) > 3 else []


def _done_by_others(words: list[str]) -> list[str]:
    """What is to be done in "where can grandma sit"."""
    if words[0] != "where" or words[1] not in ("can", "could", "should"):
        return []
    place = next((place for place in range(3, min(len(words), 6)) if words[place] in VERBS), 0)
    return words[place:] if place else []


def _way(words: list[str]) -> list[str]:
    place = 0
    while place < len(words) and words[place] in _BEST:
        place += 1
    if place < len(words) and words[place] in _WAYS and words[place + 1 : place + 2] == ["to"]:
        return words[place + 2 :]
    return words
