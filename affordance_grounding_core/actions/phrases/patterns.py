"""Patterns of words: compiled once, looked up by their verb."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cache

from affordance_grounding_core.actions.phrases.lexicon import NOUN_VERBS, WORD_CLASSES, Sense
from affordance_grounding_core.actions.phrases.things import word_set

ENDS_NOUN = word_set(
    "to on in of by from at so because if for off up down around over out away back with through "
    "into onto toward towards now again immediately please quickly slowly carefully twice once "
    "left right here there still when until while before after regardless "
    "gently softly firmly completely fully clockwise anticlockwise counterclockwise against about "
    "during where together tight wide "
    "running"
)
"""Words that a noun phrase does not go on with."""

_GAP = ".."
_END = "$"
_LONGEST_GAP = 6
_VOWELS = frozenset("aeiou")


@dataclass(frozen=True)
class Pattern:
    """What the words of a clause must be; the notation is that of `lexicon`.

    Attributes:
        items: alternatives of one word each; an empty set is a gap.
        ends: whether the noun phrase must be over after the last of them.
    """

    items: tuple[frozenset[str], ...]
    ends: bool = False

    @classmethod
    def parse(cls, text: str) -> Pattern:
        """Compile a pattern of the lexicon."""
        items = text.split()
        ends = items[-1] == _END
        return cls(tuple(_alternatives(item) for item in items if item != _END), ends)

    @property
    def weight(self) -> float:
        """How specific the pattern is: its words, and a little for having no gap."""
        words = sum(bool(item) for item in self.items)
        whole = words == len(self.items)
        return words + (0.25 if whole else 0.0) + (0.125 if self.ends else 0.0)

    def matches(self, words: Sequence[str]) -> bool:
        """Whether words begin with this pattern."""
        return _matches(self.items, words, 0, self.ends)


class PatternIndex:
    """Finds the patterns that a clause begins with.

    Args:
        patterns: each with what it means; None for an idiom, which means nothing.
    """

    def __init__(self, patterns: Iterable[tuple[str, Sense | None]]) -> None:
        self._by_verb: dict[str, list[tuple[Pattern, Sense | None]]] = {}
        verbs: set[str] = set()
        for text, sense in patterns:
            pattern = Pattern.parse(text)
            rest = Pattern(pattern.items[1:], pattern.ends)
            if sense is not None:
                verbs |= pattern.items[0]
            for verb in sorted(pattern.items[0]):
                for form in verb_forms(verb):
                    self._by_verb.setdefault(form, []).append((rest, sense))
        self._plain_verbs = verbs - NOUN_VERBS

    def matches(self, words: Sequence[str]) -> list[tuple[float, Sense | None]]:
        """Find what a clause may mean.

        Args:
            words: of a clause, at least one, the verb first.

        Returns:
            Weight and meaning of every pattern that the words begin with.
        """
        return [
            (pattern.weight + 1, sense)
            for pattern, sense in self._by_verb.get(words[0], ())
            if pattern.matches(words[1:])
        ]

    def is_plain_verb(self, word: str) -> bool:
        """Whether a word begins commands and is hardly ever the name of a thing."""
        return word in self._plain_verbs


@cache
def verb_forms(verb: str) -> tuple[str, ...]:
    """List the forms in which a verb commands: "cut", "cutting"."""
    stem = verb
    if verb.endswith("ie"):
        stem = f"{verb[:-2]}y"
    elif verb.endswith("e") and not verb.endswith("ee"):
        stem = verb[:-1]
    elif _doubles_its_end(verb):
        stem = verb + verb[-1]
    return (verb, f"{stem}ing")


def _doubles_its_end(verb: str) -> bool:
    vowels = [letter in _VOWELS for letter in verb]
    return (
        sum(vowels) == 1
        and len(verb) > 2
        and vowels[-2]
        and not vowels[-1]
        and verb[-1] not in "wxy"
    )


def _alternatives(item: str) -> frozenset[str]:
    if item == _GAP:
        return frozenset()
    words: set[str] = set()
    for word in item.split("|"):
        words |= WORD_CLASSES.get(word, {word})
    return frozenset(words)


def _matches(items: Sequence[frozenset[str]], words: Sequence[str], start: int, ends: bool) -> bool:
    if not items:
        return not ends or start >= len(words) or words[start] in ENDS_NOUN
    if items[0]:
        return (
            start < len(words)
            and words[start] in items[0]
            and _matches(items[1:], words, start + 1, ends)
        )
    last = min(start + _LONGEST_GAP, len(words))
    return any(_matches(items[1:], words, place, ends) for place in range(start, last + 1))
