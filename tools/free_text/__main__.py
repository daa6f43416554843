"""Resolve the narrations of EPIC-KITCHENS-100 and count what is right.

    python -m tools.free_text EPIC_100_validation.csv EPIC_100_verb_classes.csv

The two files are those of github.com/epic-kitchens/epic-kitchens-100-annotations (CC BY-NC 4.0);
nothing of them is kept here.
"""

from __future__ import annotations

import csv
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Annotated

import typer

from affordance_grounding_core.actions.aliases import ALIASES
from affordance_grounding_core.actions.phrases.things import word_set
from affordance_grounding_core.actions.resolver import resolve_action
from affordance_grounding_core.actions.vocabulary import (
    ActionVocabulary,
    vocabulary_from_mapping,
)
from affordance_grounding_core.errors import UnknownActionError

ENTRIES = MappingProxyType(
    {
        "take": "hold",
        "hold": "hold",
        "lift": "hold",
        "carry": "hold",
        "open": "open",
        "cut": "cut_with",
        "turn-on": "turn",
        "turn-off": "turn",
        "turn": "turn",
        "pour": "pour",
        "fill": "pour",
        "mix": "stir",
        "press": "press",
        "drink": "drink_with",
        "brush": "brush_with",
        "mark": "write",
    }
)
"""Verb class to the one entry it asks for; the classes that are not here ask for none."""

LEFT_OUT = word_set(
    "remove pull scrub serve empty unscrew uncover flip turn-down increase lower switch "
    "transition unlock screw"
)
"""Classes that may ask for several entries, or for one of them and something else."""

HOUSEHOLD = vocabulary_from_mapping(
    sorted(
        word_set("hold drink_with cut_with hit pour open turn press stir brush_with write sit_on")
    ),
    ALIASES,
)


def narrations(validation: Path, classes: Path) -> Iterator[tuple[str, str | None]]:
    """Every distinct narration with the entry it asks for; None for something else.

    Args:
        validation: narrations with the number of their verb class.
        classes: numbers and names of the verb classes.
    """
    with classes.open(encoding="utf-8", newline="") as file:
        names = {row["id"]: row["key"] for row in csv.DictReader(file)}
    said: dict[str, set[str]] = {}
    with validation.open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            text = row["narration"].replace("-", " ").strip()
            said.setdefault(text, set()).add(names[row["verb_class"]])
    for text, verbs in said.items():
        if len(verbs) == 1 and LEFT_OUT.isdisjoint(verbs):
            yield text, ENTRIES.get(next(iter(verbs)))


def count(
    rows: Iterable[tuple[str, str | None]], vocabulary: ActionVocabulary
) -> Mapping[tuple[bool, str], int]:
    """Number of rows by whether they ask for an entry, and "right", "refused" or "wrong"."""
    counts: Counter[tuple[bool, str]] = Counter()
    for text, entry in rows:
        try:
            answer: str | None = resolve_action(text, vocabulary).action
        except UnknownActionError:
            answer = None
        refused = answer is None and entry is not None
        outcome = "refused" if refused else "right" if answer == entry else "wrong"
        counts[entry is not None, outcome] += 1
    return counts


def main(
    validation: Annotated[Path, typer.Argument(help="EPIC_100_validation.csv")],
    classes: Annotated[Path, typer.Argument(help="EPIC_100_verb_classes.csv")],
) -> None:
    """Print the table of docs/use/free_text.md."""
    counts = count(narrations(validation, classes), HOUSEHOLD)
    typer.echo("| | n | right | refused | wrong |\n|---|---|---|---|---|")
    for asks, name in ((True, "asks for an entry"), (False, "asks for something else")):
        found = {kind: counts.get((asks, kind), 0) for kind in ("right", "refused", "wrong")}
        n = sum(found.values())
        shares = {kind: f"{100 * value / max(n, 1):.1f} %" for kind, value in found.items()}
        refused = shares["refused"] if asks else shares["right"]
        typer.echo(f"| {name} | {n:,} | {shares['right']} | {refused} | {shares['wrong']} |")


if __name__ == "__main__":
    typer.run(main)
