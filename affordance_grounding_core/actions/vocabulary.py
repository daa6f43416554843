"""From the words of a command to an entry of a model's action vocabulary."""

from __future__ import annotations

import difflib
import re
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from affordance_grounding_core.errors import UnknownActionError

MAXIMUM_ACTION_LENGTH = 256
"""Longest command, in characters, that is looked at."""

_WORD_SEPARATORS = re.compile(r"[\s_\-]+")


def normalize_action(text: str) -> str:
    """Bring a command into the spelling of a vocabulary.

    Args:
        text: a command such as "Cut with " or "cut-with".

    Returns:
        Lower case, words joined by single underscores: "cut_with". Empty if there is no word.
    """
    folded = unicodedata.normalize("NFKC", text).casefold().strip().strip(".!\"'")
    return _WORD_SEPARATORS.sub("_", folded).strip("_")


def abbreviate(text: str, limit: int = 60) -> str:
    """Make a text from outside fit to be shown in a message: one line, printable, bounded."""
    shown = "".join(c if c.isprintable() else "?" for c in text[: limit + 1])
    return repr(shown if len(shown) <= limit else shown[:limit] + "...")


@dataclass(frozen=True)
class ActionVocabulary:
    """The actions a model knows and the other words for them.

    Attributes:
        names: entries in the order of the model's output channels, spelled as in AGD20K
            (lower case, underscores).
        aliases: other commands to the entry they mean ("grasp" -> "hold").

    Raises:
        ValueError: an entry that is empty, repeated or not normalised, or an alias to
            an entry that does not exist.
    """

    names: tuple[str, ...]
    aliases: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if not self.names:
            raise ValueError("an action vocabulary needs at least one action, got none")
        for name in (*self.names, *self.aliases):
            if not name or normalize_action(name) != name:
                raise ValueError(
                    f"action {name!r} must be lower case words joined by underscores, "
                    f"for example {normalize_action(name) or 'hold'!r}"
                )
        repeated = sorted({name for name in self.names if self.names.count(name) > 1})
        if repeated:
            raise ValueError(f"actions must be unique, got {repeated} more than once")
        dangling = {alias: name for alias, name in self.aliases.items() if name not in self.names}
        if dangling:
            raise ValueError(f"aliases must point to one of {list(self.names)}, got {dangling}")

    def index(self, name: str) -> int:
        """Channel of an entry of the vocabulary."""
        return self.names.index(name)

    def closest(self, text: str, count: int = 3) -> list[str]:
        """Entries spelled most like a text, best first; aliases count for their entry."""
        wanted = normalize_action(text[:MAXIMUM_ACTION_LENGTH])
        candidates = {name: name for name in self.names} | dict(self.aliases)
        found = difflib.get_close_matches(wanted, candidates, n=4 * count, cutoff=0.5)
        return list(dict.fromkeys(candidates[match] for match in found))[:count]

    def find(self, text: str) -> str | None:
        """Entry that a command names, or that one of its aliases means; None without either."""
        name = normalize_action(text)
        return name if name in self.names else self.aliases.get(name)

    def resolve(self, text: str) -> str:
        """Find the entry a command means: by its name, or else by an alias.

        Args:
            text: a command, in any case, with spaces, hyphens or underscores.

        Returns:
            An entry of `names`.

        Raises:
            UnknownActionError: no text, or nothing matches; the message lists what would.
        """
        if not isinstance(text, str):
            raise UnknownActionError(
                f"action must be a text, got {type(text).__name__}; expected one of {self.listed()}"
            )
        if len(text) > MAXIMUM_ACTION_LENGTH:
            raise UnknownActionError(
                f"action {abbreviate(text)} has {len(text)} characters; expected at most "
                f"{MAXIMUM_ACTION_LENGTH}: send the name of an action, one of {self.listed()}"
            )
        name = normalize_action(text)
        if not name:
            raise UnknownActionError(
                f"action {abbreviate(text)} names no action; expected one of {self.listed()}"
            )
        if (found := self.find(text)) is not None:
            return found
        closest = self.closest(text)
        hint = f"; closest: {', '.join(map(repr, closest))}" if closest else ""
        raise UnknownActionError(
            f"action {abbreviate(text)} is not in this model's vocabulary of "
            f"{len(self.names)}{hint}; expected one of {self.listed()}",
            closest,
        )

    def is_readable(self, text: str) -> bool:
        """Whether a command has words at all, and not too many characters."""
        return (
            isinstance(text, str)
            and len(text) <= MAXIMUM_ACTION_LENGTH
            and bool(normalize_action(text))
        )

    def listed(self, limit: int = 12) -> str:
        """Name the entries in a message, at most `limit` of them."""
        shown = ", ".join(self.names[:limit])
        return shown if len(self.names) <= limit else f"{shown}, ... ({len(self.names)} in all)"


def vocabulary_from_mapping(names: Sequence[str], aliases: Mapping[str, str]) -> ActionVocabulary:
    """Build a vocabulary, leaving out the aliases of actions it does not have."""
    kept = {alias: name for alias, name in aliases.items() if name in names and alias not in names}
    return ActionVocabulary(tuple(names), kept)
