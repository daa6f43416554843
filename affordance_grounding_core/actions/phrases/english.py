"""Bringing what somebody said into plain lower-case words, one list for each clause."""

from __future__ import annotations

import re
import unicodedata

from affordance_grounding_core.actions.phrases.things import word_set

QUOTED = "label"
"""Word that stands for what was said in quotation marks, the name on a button for example."""

ARTICLES = word_set("the a an this that these those my your its his her our their some any one")

PRONOUNS = word_set("i you we they he she it one anyone somebody someone people")
AUXILIARIES = word_set(
    "is are was were am do does did has had shall should may might must can could will would"
)

_QUOTES = str.maketrans({"\u201c": '"', "\u201d": '"', "\u201e": '"', "\u00ab": '"', "\u00bb": '"'})
_ALLOWED = re.compile(r"[\w\s.,;:!?'\"()\-]*")
_QUOTATION = re.compile(r"\"([^\"]{1,60})\"|(?<!\w)'([^']{1,60})'(?!\w)")
_EITHER = re.compile(r"(?<![\w/])([a-z]+)/([a-z]+)(?![\w/])")  # "start/stop"
_CONTRACTIONS = (
    (re.compile(r"\bcan't\b|\bcannot\b"), "can not"),
    (re.compile(r"\bwon't\b"), "will not"),
    (re.compile(r"n't\b|\b(?<=do)nt\b"), " not"),
    (re.compile(r"\bdont\b"), "do not"),
    (re.compile(r"'d\b"), " would"),
    (re.compile(r"\blet's\b"), "let us"),
    (re.compile(r"'ll\b"), " will"),
    (re.compile(r"'m\b"), " am"),
    (re.compile(r"'re\b"), " are"),
    (re.compile(r"'ve\b"), " have"),
    (re.compile(r"\b(it|that|what|where|who|how|there|he|she)'s\b"), r"\1 is"),
    (re.compile(r"\b(press|push|click|tap) and hold\b"), r"\1"),
    (re.compile(r"\bgimme\b"), "give me"),
    (re.compile(r"\blemme\b"), "let me"),
    (re.compile(r"\b(want|going|got|have|need|try) ?(?:na|ta)\b|\b(wan)na\b"), r"\1 to"),
)
_MOMENT = (
    r"(?:if|when|whenever|once|as soon as) (?:you (?:can|could|would|will|please|like|wish|want|"
    r"are ready|(?:get|have) (?:(?:a|the) )?(?:chance|moment|minute|second|time))|"
    r"(?:it is )?(?:possible|convenient))"
)
_ON = (
    r"(?:(?!\b(?:and|then|but|no|wait|never|actually|cancel|(?<!say )(?<!says )stop|"
    r"(?<!you )(?<!they )(?<!we )(?<!i )do not)\b)[^.,;!?])*"
)
"""How a subordinate clause goes on, up to a pause or to what takes the command back."""

_ASIDES = (
    # Words that forbid elsewhere: "don't forget to pour", "why don't you pour", "can't you pour".
    (re.compile(r"\b(?:do not|never) (?:forget|hesitate|fail|neglect|be afraid) to\b"), "please"),
    (re.compile(r"\bwhy (?:do|does) not (?:you|we)\b|\bwhy not\b"), "please"),
    (re.compile(r"(?:^|(?<=[,.;!?]))\s*(?:can|could|will|would) (?:not you|you not)\b"), "please"),
    (
        re.compile(
            r"\bdo not (?:you )?worry\b(?: about (?:it|that))?|\bnever fear\b|\bnot a problem\b|"
            r"(?:^|(?<=[,.;!?]))\s*no (?:problem|worries|rush|hurry|pressure)\b"
        ),
        " ",
    ),
    (re.compile(r"^((?:what|which|where)\b.*) to stop (?:it|this|that)$"), r"\1 to end it"),
    (re.compile(r"\byou would not happen to have\b|\bdo you happen to have\b"), "do you have"),
    (re.compile(r"\bif you (?:do|would) not mind\b|\bif it is not too much\b( \w+)?"), " "),
    (re.compile(r"(?<=\w)[\s,]+(?:can|could|will|would)(?: not)? you(?: please)?[\s?!.]*$"), " "),
    (re.compile(r"\bon top of\b"), "onto"),
    (re.compile(r"(?<=\w) instead(?=\s*$)"), " "),
    # "What I need you to do is pour", "the first thing is to pour", "first of all, pour".
    (
        re.compile(
            r"^\W*(?:(?:so|ok|okay|right|well|and|now)\W+)*(?:what (?:i|we) (?:need|want|would "
            r"like)(?: you)?(?: to do)? is(?: for you)?(?: to)?|all (?:you|i)(?: (?:need|have|"
            r"want))?(?: you)?(?: to)? do is(?: to)?|the (?:first|next|only|last|other) (?:thing|"
            r"step)(?: to do| you (?:need|have) to do)? is(?: to)?|here is the thing|first of all|"
            r"one more time|once more|you know what|tell you what|after that|(?:as|like) i said|"
            r"this time|for now|in that case|before (?:that|you do anything(?: else)?))\b"
        ),
        " ",
    ),
    # What is said of the moment, and the reason.
    (
        re.compile(
            r"(?<=\w)[\s,]+(?:until|till) (?:i|it|you|we|he|she|they|the)\b"
            rf"{_ON}"
        ),
        " ",
    ),
    (re.compile(rf"(?:^|(?<=[.,;!?]))\s*{_MOMENT}(?! not)\b"), " "),
    (re.compile(rf"\s{_MOMENT}\s*(?=$|[.,;!?])"), " "),
    (
        re.compile(
            r"(?<=\w)[\s,]+(?:so that|so (?=it |you |they |we |i |nothing |nobody )|because|"
            r"so as not to|in order not to|to avoid|to prevent|otherwise|lest)\b"
            rf"{_ON}"
        ),
        " ",
    ),
)
"""What is said around a command, and what to put in its place, in this order."""
_HESITATION = re.compile(r"\b(?:u+[hm]+|e+r+m*|e+hm+|h*m{2,}|a+h+)\b,?")
_REPEATED = re.compile(r"\b(\w+(?: \w+)?)(?: \1\b)+")
_BREAKS = re.compile(r"[.,;:!?()\"]+|\b(?:and|then|but|or)\b")


def fold(text: str) -> str | None:
    """Spell a command as the lexicon does; None where it holds signs that nobody speaks.

    Args:
        text: a command.

    Returns:
        Lower case, contractions written out, quotations after other words replaced by `QUOTED`,
        without "um" and "uh".
    """
    folded = unicodedata.normalize("NFKC", text).casefold().strip().replace("_", " ")
    folded = re.sub(r"[\u2018\u2019`]", "'", folded.translate(_QUOTES))
    folded = _QUOTATION.sub(_quotation, folded)
    folded = _EITHER.sub(r"\1 \2", folded)
    if not _ALLOWED.fullmatch(folded):
        return None
    for pattern, replacement in _CONTRACTIONS:
        folded = pattern.sub(replacement, folded)
    folded = _HESITATION.sub(" ", folded)
    for pattern, replacement in _ASIDES:
        folded = pattern.sub(replacement, folded)
    once = _REPEATED.sub(r"\1", folded)
    return once if " " in once.strip() else folded  # "chop chop" is no "chop"


def clauses_of(folded: str) -> list[list[str]]:
    """Split a folded command at its punctuation and conjunctions; clauses may be empty."""
    return [words_of(part) for part in _BREAKS.split(folded)]


def words_of(folded: str) -> list[str]:
    """List the words of a folded text."""
    return re.findall(r"\w+", folded)


def _quotation(match: re.Match[str]) -> str:
    # What begins a command is the command itself, however it is quoted.
    before = match.string[: match.start()]
    said = match[1] or match[2]
    return f" {QUOTED} " if re.search(r"\w", before) else f" {said} "
