"""Bringing what somebody said into plain lower-case words, one list for each clause."""

from __future__ import annotations

import re
import unicodedata

from affordance_grounding_core.actions.phrases.lexicon import word_set

QUOTED = "label"
"""Word that stands for what was said in quotation marks, the name on a button for example."""

ARTICLES = word_set("the a an this that these those my your its his her our their some any one")

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
)
_HESITATION = re.compile(r"\b(?:u+[hm]+|e+r+m*|e+hm+|h*m{2,}|a+h+)\b,?")
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
    return _HESITATION.sub(" ", folded)


def clauses_of(folded: str) -> list[list[str]]:
    """Split a folded command at its punctuation and conjunctions; clauses may be empty."""
    return [re.findall(r"\w+", part) for part in _BREAKS.split(folded)]


def _quotation(match: re.Match[str]) -> str:
    # What begins a command is the command itself, however it is quoted.
    before = match.string[: match.start()]
    said = match[1] or match[2]
    return f" {QUOTED} " if re.search(r"\w", before) else f" {said} "
