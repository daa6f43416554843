"""Table of part names: the words for the part of an object that affords an action.

The table of the package is `part_names.yaml`; users add to it with a file of their own and
with entries such as "open/jar=jar lid". Every mistake is reported with its file and line.
"""

from __future__ import annotations

import difflib
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import yaml

from affordance_grounding_core.actions.vocabulary import abbreviate, normalize_action
from affordance_grounding_core.errors import PartNameError

Pair = tuple[str, str]
"""An action and an object class, both spelled as in AGD20K: ("hold", "wine_glass")."""

Style = Literal["agd20k", "robot"]
"""Whose conventions: AGD20K lights a hammer's handle for "hit", a robot hits with its head."""

PACKAGED_FILE = Path(__file__).with_name("part_names.yaml")
"""The table of the package."""


@dataclass(frozen=True)
class PartName:
    """What an entry of a table says.

    Attributes:
        phrases: what a segmenter is asked for; the masks of several are united.
        source: where it was said, for messages: "part_names.yaml:41" or "--part".
    """

    phrases: tuple[str, ...]
    source: str


@dataclass(frozen=True)
class PartNames:
    """Part names by action and object.

    Attributes:
        entries: phrase by (action, object).
        actions: all actions that may be named: of these entries, and those that the caller
            knows, for example because the data has a folder of that name.
        origin: what to call the table in messages.
    """

    entries: Mapping[Pair, PartName]
    actions: frozenset[str]
    origin: str = field(default="the table")

    def phrases(self, action: str, object_name: str) -> tuple[str, ...]:
        """Say what to look for.

        Args:
            action: for example "hold".
            object_name: for example "wine_glass".

        Returns:
            One or more phrases, for example ("wine glass neck",).

        Raises:
            PartNameError: the pair has no entry.
        """
        self.require([(action, object_name)])
        return self.entries[action, object_name].phrases

    def is_whole_object(self, action: str, object_name: str) -> bool:
        """Whether the answer to a pair is the whole object.

        Raises:
            PartNameError: the pair has no entry.
        """
        return self.phrases(action, object_name) == (object_phrase(object_name),)

    def require(self, pairs: Iterable[Pair]) -> None:
        """Check that pairs have entries.

        Args:
            pairs: for example all of a data set.

        Raises:
            PartNameError: some have none; the message names each one, the place in the table
                where its action stands, and how to add them.
        """
        missing = sorted(set(pairs) - set(self.entries))
        if not missing:
            return
        named = ", ".join(f"{action}/{name}{self._place(action)}" for action, name in missing[:8])
        more = f", ... ({len(missing)} in all)" if len(missing) > 8 else ""
        action, name = missing[0]
        raise PartNameError(
            f"no part name for {named}{more} in {self.origin}; add it on the command line "
            f'(--part "{action}/{name}=PHRASE") or in a YAML file ({action}: {{{name}: PHRASE}})'
        )

    def extended(self, entries: Mapping[Pair, PartName], origin: str) -> PartNames:
        """Return a table in which other entries are added or replace those of the same pair."""
        merged = {**self.entries, **entries}
        actions = self.actions | {action for action, _ in entries}
        return PartNames(merged, actions, f"{self.origin} and {origin}")

    def _place(self, action: str) -> str:
        sources = [entry.source for (known, _), entry in self.entries.items() if known == action]
        return f" (action {action!r} is at {sources[0]})" if sources else f" (no {action!r} at all)"


def object_phrase(object_name: str) -> str:
    """Turn an object class into words: "wine_glass" -> "wine glass"."""
    return object_name.replace("_", " ")


def load_part_names(
    style: Style = "agd20k",
    file: Path | None = None,
    parts: Iterable[str] = (),
    actions: Collection[str] = (),
) -> PartNames:
    """Put together the table of a run.

    Args:
        style: which of the package's conventions.
        file: the user's own table, which adds to and overrides the package's.
        parts: entries such as "open/jar=jar lid", which override both.
        actions: further actions that may be named, for example those of the data.

    Raises:
        PartNameError: a table or an entry is malformed, or names an unknown action.
    """
    sections = _read_packaged()
    if style not in sections:
        raise PartNameError(f"style must be one of {sorted(sections)}, got {style!r}")
    known = frozenset(action for entries in sections.values() for action, _ in entries)
    known |= frozenset(actions)
    names = PartNames(
        {**sections["agd20k"], **(sections["robot"] if style == "robot" else {})},
        known,
        f"the package's table (style {style})",
    )
    if file is not None:
        names = names.extended(read_part_names(file, names.actions), file.name)
    given = parse_parts(parts, names.actions)
    return names.extended(given, "--part") if given else names


def read_part_names(file: Path, actions: Collection[str]) -> dict[Pair, PartName]:
    """Read a user's table.

    Args:
        file: YAML of the form `ACTION: {OBJECT: phrase}` or `ACTION: {OBJECT: [phrase, ...]}`.
        actions: actions that may be named.

    Returns:
        Its entries by (action, object).

    Raises:
        PartNameError: the file cannot be read, is malformed, names an action that is not
            known, or has an empty or a repeated entry; with file and line.
    """
    root = _compose(file)
    if root is None:
        raise PartNameError(f"{file}: no entry; expected ACTION: {{OBJECT: phrase}}")
    return _read_section(root, str(file), frozenset(actions))


def parse_parts(parts: Iterable[str], actions: Collection[str]) -> dict[Pair, PartName]:
    """Read entries of the command line.

    Args:
        parts: each "ACTION/OBJECT=PHRASE"; phrases of one entry are separated by semicolons.
        actions: actions that may be named.

    Raises:
        PartNameError: an entry of another form, of an unknown action, or given twice.
    """
    entries: dict[Pair, PartName] = {}
    for text in parts:
        pair, _, phrases = text.partition("=")
        action, slash, name = pair.strip().partition("/")
        where = f"--part {abbreviate(text)}"
        if not slash or not name or not phrases.strip():
            raise PartNameError(
                f'{where}: expected ACTION/OBJECT=PHRASE, for example "open/jar=jar lid"'
            )
        key = _checked_action(action, where, actions), _checked_name(name, where)
        if key in entries:
            raise PartNameError(f"{where}: {action}/{name} is given twice; keep one of them")
        words = [phrase for phrase in phrases.split(";") if phrase.strip()]
        entries[key] = PartName(tuple(_checked_phrase(w, where) for w in words), "--part")
    return entries


def _read_packaged() -> dict[str, dict[Pair, PartName]]:
    root = _compose(PACKAGED_FILE)
    sections = dict(_items(root, PACKAGED_FILE.name)) if root is not None else {}
    return {
        name.value: _read_section(node, PACKAGED_FILE.name, None) for name, node in sections.items()
    }


def _compose(file: Path) -> yaml.Node | None:
    try:
        return yaml.compose(file.read_text(encoding="utf-8"), Loader=yaml.SafeLoader)
    except OSError as error:
        raise PartNameError(
            f"part names {str(file)!r} cannot be read: {error.strerror or error}; expected a "
            "YAML file of ACTION: {OBJECT: phrase}"
        ) from error
    except UnicodeDecodeError as error:
        raise PartNameError(
            f"part names {str(file)!r} are not UTF-8 text ({error.reason} at byte {error.start}); "
            "save the file as UTF-8"
        ) from error
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line = f":{mark.line + 1}" if mark else ""
        raise PartNameError(f"{file}{line}: not YAML: {error.problem or error.context}") from error
    except yaml.YAMLError as error:
        raise PartNameError(f"{file}: not YAML: {error}") from error


def _read_section(
    root: yaml.Node, file: str, actions: frozenset[str] | None
) -> dict[Pair, PartName]:
    entries: dict[Pair, PartName] = {}
    for action_node, objects in _items(root, file):
        where = _where(action_node, file)
        action = _checked_action(action_node.value, where, actions)
        for name_node, phrases in _items(objects, file):
            name = _checked_name(name_node.value, _where(name_node, file))
            texts = phrases.value if isinstance(phrases, yaml.SequenceNode) else [phrases]
            if not texts:
                raise PartNameError(f"{_where(phrases, file)}: {action}/{name} has no phrase")
            entries[action, name] = PartName(
                tuple(_checked_phrase(_text(text, file), _where(text, file)) for text in texts),
                _where(name_node, file),
            )
    return entries


def _items(node: yaml.Node, file: str) -> list[tuple[yaml.ScalarNode, yaml.Node]]:
    """Keys and values of a mapping; YAML itself would let a repeated key win silently."""
    if not isinstance(node, yaml.MappingNode):
        raise PartNameError(
            f"{_where(node, file)}: expected a mapping (ACTION: {{OBJECT: phrase}}), got "
            f"{abbreviate(str(node.value)) if isinstance(node, yaml.ScalarNode) else 'a list'}"
        )
    lines: dict[str, int] = {}
    for key, _ in node.value:
        name = _text(key, file)
        line = key.start_mark.line + 1
        if name in lines:
            raise PartNameError(
                f"{file}:{line}: {name!r} stands here and at line {lines[name]}; keep one of them"
            )
        lines[name] = line
    return list(node.value)


def _text(node: yaml.Node, file: str) -> str:
    if not isinstance(node, yaml.ScalarNode):
        raise PartNameError(f"{_where(node, file)}: expected words, got a list or a mapping")
    if node.tag not in ("tag:yaml.org,2002:str", "tag:yaml.org,2002:null"):
        kind = node.tag.rpartition(":")[2]
        raise PartNameError(
            f"{_where(node, file)}: expected words, YAML reads {node.value!r} as a {kind}; put "
            "it in quotes"
        )
    return "" if node.tag.endswith(":null") else str(node.value)


def _where(node: yaml.Node, file: str) -> str:
    return f"{file}:{node.start_mark.line + 1}"


def _checked_action(action: str, where: str, actions: Collection[str] | None) -> str:
    _checked_name(action, where)
    if actions is not None and action not in actions:
        close = difflib.get_close_matches(action, actions, n=3, cutoff=0.5)
        raise PartNameError(
            f"{where}: unknown action {abbreviate(action)}; expected one of "
            f"{len(actions)} known actions"
            + (f", closest: {', '.join(map(repr, close))}" if close else f": {sorted(actions)}")
        )
    return action


def _checked_name(name: str, where: str) -> str:
    # A name becomes a folder, so it must be the spelling of a vocabulary and nothing else.
    if not name or normalize_action(name) != name or not name.replace("_", "").isalnum():
        raise PartNameError(
            f"{where}: {abbreviate(name)} must be lower case words joined by underscores, as the "
            f"folders of the data are named, for example {'wine_glass'!r}"
        )
    return name


def _checked_phrase(phrase: str, where: str) -> str:
    words = " ".join(phrase.split())
    if not words:
        raise PartNameError(f"{where}: empty phrase; say what to look for, for example 'jar lid'")
    if len(words) > 100 or not words.isprintable() or set(".;") & set(words):
        # The full stop separates phrases in the prompts of grounding detectors.
        raise PartNameError(
            f"{where}: phrase {abbreviate(words)} must be at most 100 printable characters "
            "without full stops and semicolons"
        )
    return words
