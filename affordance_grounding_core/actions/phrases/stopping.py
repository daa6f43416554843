"""Commands that ask for nothing but to stop: "stop", "never mind", "stop holding the cup"."""

from __future__ import annotations

from affordance_grounding_core.actions.phrases.clauses import Clause, command_of
from affordance_grounding_core.actions.phrases.context import is_statement, spoken_clauses
from affordance_grounding_core.actions.phrases.english import fold
from affordance_grounding_core.actions.phrases.lexicon import SENSES
from affordance_grounding_core.actions.phrases.patterns import verb_forms
from affordance_grounding_core.actions.phrases.things import word_set

_VERBS = word_set(
    "stop disregard ignore cancel halt abort quit cease desist freeze enough nevermind whoa"
)
_ENDING = word_set("stop quit cease cancel abort halt end enough")
_TAIL = _VERBS | word_set(
    "it that this there here now right immediately instantly already everything all thing "
    "things at once current goal task action job command order request robot arm gripper motion "
    "movement please instead thanks thank you mission operation process plan execution actions "
    "tasks goals commands for grounding today tonight last previous my ever folks "
    "guys everyone what one moment second minute sec bit while i said say really "
    "yet then"
)
_PHRASES = tuple(
    tuple(phrase.split())
    for phrase in (
        "never mind",
        "never mind about",
        "scratch that",
        "hold it right there",
        "do not bother",
        "no more",
        "finished",
        "that is enough",
        "forget",
        "forget it",
        "forget about",
        "forget about it",
        "is enough",
        "enough of",
        "will do",
        "is all",
        "knock it off",
        "cut it out",
        "call it off",
        "stand down",
        "leave it",
        "leave it alone",
        "leave alone",
        "leave it be",
        "leave be",
        "let it be",
        "give it up",
        "emergency stop",
        "come to stop",
        "make it stop",
        "do nothing",
        "never you mind",
        "call it day",
        "call it quits",
        "do not do anything",
        "do not do it",
        "do not do that",
        "do not do this",
        "end this",
        "end that",
        "that is it",
        "is it",
        "end it",
        "end goal",
        "end task",
        "clear goal",
        "clear action",
        "we are done",
        "i am done",
        "we are finished",
        "all done",
        "stop with",
        "that will be all",
        "will be all",
        "that will be it",
        "you have done enough",
        "you are done",
    )
)
_DOING = frozenset(
    verb_forms(verb)[1]
    for sense in SENSES
    for pattern in sense.patterns
    for verb in pattern.split()[0].split("|")
)
_NO_DOING = word_set("anything something nothing thing ring king string ceiling building railing")
_COURTESIES = frozenset(
    tuple(courtesy.split())
    for courtesy in (
        "no",
        "yes",
        "thanks",
        "thank you",
        "oh",
        "sorry",
        "robot",
        "hey",
        "ok",
        "okay",
        "wait",
    )
)
_LEADS = tuple(
    tuple(lead.split())
    for lead in (
        "oh",
        "ah",
        "ok",
        "okay",
        "right",
        "all right",
        "alright",
        "good",
        "great",
        "fine",
        "yeah",
        "yes",
        "cheers",
        "thanks",
        "thank you",
        "please",
        "so",
        "and",
        "no",
        "well",
        "wait",
        "hey there",
        "hey",
        "actually",
        "i said",
        "wait a second",
        "wait a minute",
        "wait a moment",
        "hold up",
        "hold on",
        "hang on",
        "just",
    )
)


def is_stop(text: str) -> bool:
    """Whether a command asks to stop, and for nothing else.

    Args:
        text: a command.

    Returns:
        True for "stop", other words for it, and the end of an action ("stop pouring the tea").
        False for things that are to be stopped ("stop the water"), for what is not to be done
        ("don't touch it") and where something else is asked for as well ("stop and pour").
    """
    folded = fold(text)
    if folded is None:
        return False
    stops = False
    for words in spoken_clauses(folded):
        if tuple(words) in _COURTESIES:
            continue
        words = _without_leads(words)
        if tuple(words) in _PHRASES:
            stops = True
            continue
        clause = command_of(words)
        if clause is not None and clause.words and _stops(clause):
            stops = True
            continue
        if is_statement(words):
            continue
        if clause is None or clause.words:
            return False
    return stops


def _without_leads(words: list[str]) -> list[str]:
    """What is left of "no, wait, actually stop": "stop"."""
    while words[:2] != ["no", "more"]:
        leads = (lead for lead in _LEADS if tuple(words[: len(lead)]) == lead)
        lead = max(leads, key=len, default=())
        if not lead:
            break
        words = words[len(lead) :]
    return words


def _stops(clause: Clause) -> bool:
    words = clause.words
    if words[0] in _VERBS and _TAIL.issuperset(words):
        return True
    phrase = max((one for one in _PHRASES if words[: len(one)] == one), key=len, default=())
    rest = words[len(phrase) :]
    if phrase and _TAIL.issuperset(rest):
        return True
    if words[0] in _ENDING and words[1:2] and words[1] in ("what", "whatever"):
        return words[2:3] == ("you",)  # "are doing"
    return _ends_doing(clause)


def _ends_doing(clause: Clause) -> bool:
    """Whether what is to end is something that is being done: "no more cutting"."""
    words = clause.words
    if words[:2] == ("no", "more") or words[:2] == ("leave", "off"):
        place = 2
    elif words[0] in _ENDING:
        place = 1
    else:
        return False
    if place >= len(words) or not words[place].endswith("ing") or words[place] in _NO_DOING:
        return False
    return words[place] in _DOING or not clause.after_article[place]
