"""Words that forbid, and the same words as the names of things: "press the stop button"."""

from __future__ import annotations

from collections.abc import Sequence

from affordance_grounding_core.actions.phrases.english import ARTICLES
from affordance_grounding_core.actions.phrases.things import word_set

_FORBIDDING = word_set(
    "not no never nothing none nobody neither nor stop avoid refuse unless instead forbid quit "
    "cease prevent undo myself"
)
_NOUNS = word_set("stop quit undo")
_PRESSING = word_set("press push hit tap click touch pressing pushing hitting tapping clicking")
_SETTING = word_set("turn set switch rotate twist")
_PRESSED = word_set("stop quit undo no")
_BEFORE_STOP = word_set(
    "emergency e door bus safety machine end hard full limit big red quick truck tab master main"
)
_LABELLED = word_set(
    "button buttons key keys switch switches sign signs icon label lever knob valve cock light "
    "lamp box door bell handle pedal bar field option cover plate tag sticker"
)
_CALLED = word_set("called labelled labeled named marked saying reading says reads titled")
_LONGEST_LABEL = 5
_LONGEST_NAME = 2


def forbidding_word(words: Sequence[str]) -> str | None:
    """Find what says not to do something.

    Args:
        words: of one clause, lower case, articles included.

    Returns:
        The word; None where there is none, or only as the name of a thing.
    """
    for place, word in enumerate(words):
        if word in _FORBIDDING and not _is_name(words, place):
            return word
    return None


def _is_name(words: Sequence[str], place: int) -> bool:
    word = words[place]
    start = place - 1 if word == "not" and words[place - 1 : place] == ["do"] else place
    if start == 0:
        return False
    before = words[start - 1]
    after = words[place + 1 : place + 1 + _LONGEST_LABEL]
    if not _CALLED.isdisjoint(words[max(0, place - _LONGEST_NAME) : start]):
        return True
    if before in ARTICLES:
        return word in _NOUNS or not _LABELLED.isdisjoint(after)
    if word in _NOUNS and before == "to" and words[0] in _SETTING:
        return True
    if word in _PRESSED and before in _PRESSING:
        return True
    return word in _NOUNS and (before in _BEFORE_STOP or not _LABELLED.isdisjoint(after[:1]))
