"""What a speaker takes back: "open the drawer, no wait, the cupboard" is "open the cupboard"."""

from __future__ import annotations

import re

from affordance_grounding_core.actions.phrases.english import ARTICLES, words_of
from affordance_grounding_core.actions.phrases.passives import VERBS
from affordance_grounding_core.actions.phrases.patterns import verb_forms
from affordance_grounding_core.actions.phrases.prohibitions import forbidding_word
from affordance_grounding_core.actions.phrases.things import word_set

_TAKEN_BACK = re.compile(
    r"[\s,.;-]+(?:oh |or |and |but )?(?:"
    r"(?:no|wait|sorry|oops|actually|hang on|hold on)(?:[\s,.]+(?:no|wait|sorry|actually|make "
    r"(?:it|that)|not that|hang on|hold on|i mean|i meant|oops|rather|better))+"
    r"|(?:well[\s,]+)?i mean|i meant|or rather|make that|scratch that|correction|my mistake"
    r"|oops|sorry|actually|wait|"
    r"no(?=[\s,]+(?:the|that|this|a|an|my|stop|leave|cancel|forget|wait|"
    r"hold|press|push|pull|turn|open|close|pour|cut|take|pick|grab|hit|give|get|use)\b)"
    r"|(?<=[,.;-]) *no(?=[,. ])"
    r")(?=[\s,.;-])[\s,.;-]*"
)
_WEAK = re.compile(r"[\s,.;-]*(?:actually|sorry|wait|no)[\s,.;-]*")
_FORMS = frozenset(form for verb in VERBS for form in verb_forms(verb))
_ENDING = word_set("stop cancel abort halt never nevermind leave forget quit enough do")
_ASKING = word_set("is are was were am do does did has had have who why when")
_INSTEAD = frozenset(ARTICLES | {"it"})


def settled(folded: str) -> str:
    """Leave out what was said and taken back.

    Args:
        folded: a command as `fold` spells it.

    Returns:
        The command that stands; the text as it is where nothing was taken back.
    """
    for match in _TAKEN_BACK.finditer(folded):
        head, tail = folded[: match.start()], folded[match.end() :]
        before, after = words_of(head), words_of(tail)
        if not before or not after or _FORMS.isdisjoint(before):
            continue
        if after[0] not in _ENDING and (forbidding_word(before) or before[0] in _ASKING):
            return folded
        if after[0] in _FORMS or after[0] in _ENDING:
            return settled(tail)
        if after[0] in _INSTEAD or not _WEAK.fullmatch(match[0]):
            return settled(" ".join([*_without_object(before), *after]))
    return folded


def _without_object(words: list[str]) -> list[str]:
    """Words up to the last noun phrase: "press" of "press the red button"."""
    places = [place for place, word in enumerate(words) if place and word in _INSTEAD]
    return words[: places[-1]] if places else words[:1]
