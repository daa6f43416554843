"""Evaluation of a grounder on a test list of images, actions or sentences, and ground truths."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import lru_cache
from itertools import groupby
from pathlib import Path

from tqdm import tqdm

from affordance_grounding_core.data.agd20k import EvaluationImage
from affordance_grounding_core.data.evaluation_manifest import ManifestRow, read_manifest
from affordance_grounding_core.errors import DatasetError, UnknownActionError
from affordance_grounding_core.evaluation.evaluate import (
    Evaluation,
    Tally,
    evaluate_picture,
    wrong_actions,
)
from affordance_grounding_core.evaluation.protocols import EvaluationProtocol
from affordance_grounding_core.inference.grounder import Grounder

REFUSALS_KEPT = 20
"""How many of the refused sentences a report shows."""


def evaluate_manifest(
    grounder: Grounder,
    manifest: str | Path,
    protocol: EvaluationProtocol,
    *,
    show_progress: bool = False,
) -> Evaluation:
    """Ground every picture of a test list with what is asked for, and with what it lacks.

    The file is read twice: once to learn which actions each class of objects appears with, and
    to refuse a bad line before hours of work; then row by row. Rows of one picture that follow
    each other are grounded together. A sentence is resolved as a robot's command is, and is scored
    under the action that it resolves to; one that is refused is counted, never guessed.

    Args:
        grounder: grounder to evaluate.
        manifest: path of the list; see `read_manifest`.
        protocol: evaluation protocol that scores the maps.
        show_progress: whether to draw a progress bar, where stderr is a terminal.

    Returns:
        One entry a pair, in the order of the list. Rows without an object have no wrong pairs.

    Raises:
        DatasetError: a list that cannot be read, or of which no row could be scored.
    """
    asked = _Asked(grounder)
    affordances, total = _survey(manifest, asked)
    tally, refused = Tally(), _Refused()
    rows = tqdm(
        read_manifest(manifest),
        desc="evaluate",
        unit="row",
        total=total,
        disable=None if show_progress else True,
    )
    for (_, object_name), group in groupby(rows, lambda row: (row.image, row.object_name)):
        items = list(_items(group, asked, refused))
        if items:
            lacking = wrong_actions(grounder, affordances[object_name]) if object_name else []
            evaluate_picture(grounder, protocol, items, lacking, tally)
    if not tally.right:
        raise DatasetError(_nothing_scored(manifest, total, refused, tally))
    return Evaluation(
        tuple(tally.right),
        tuple(tally.wrong),
        0,
        dict(sorted(refused.names.items())),
        tuple(tally.unreadable),
        {name: tuple(scores) for name, scores in tally.raw_maps.items()},
        refused.sentences,
        tuple(refused.reasons),
    )


class _Asked:
    """Finds the vocabulary's entry for what a row asks."""

    def __init__(self, grounder: Grounder) -> None:
        # Sentences of a template come again and again; a bound keeps memory even for a million.
        self.resolve = lru_cache(maxsize=4096)(self._resolve)
        self._grounder = grounder

    def _resolve(self, text: str, is_sentence: bool) -> tuple[str | None, str]:
        """Return the entry, or None and why."""
        try:
            if is_sentence:
                return self._grounder.resolve(text).action, ""
            return self._grounder.vocabulary.resolve(text), ""
        except UnknownActionError as error:
            return None, str(error)


@dataclass
class _Refused:
    """Rows whose question the model cannot be asked."""

    names: Counter[str] = field(default_factory=Counter)
    sentences: int = 0
    reasons: list[str] = field(default_factory=list)

    def add(self, row: ManifestRow, reason: str) -> None:
        if not row.is_sentence:
            self.names[row.asked] += 1
            return
        self.sentences += 1
        if len(self.reasons) < REFUSALS_KEPT:
            self.reasons.append(f"line {row.line}: {reason}")


def _survey(manifest: str | Path, asked: _Asked) -> tuple[dict[str, set[str]], int]:
    """Collect the actions that each class of objects appears with, and count the rows."""
    affordances: dict[str, set[str]] = {}
    total = 0
    for row in read_manifest(manifest):
        total += 1
        action, _ = asked.resolve(row.asked, row.is_sentence)
        actions = affordances.setdefault(row.object_name, set())
        if action is not None:
            actions.add(action)
    return affordances, total


def _items(
    rows: Iterator[ManifestRow], asked: _Asked, refused: _Refused
) -> Iterator[EvaluationImage]:
    for row in rows:
        action, reason = asked.resolve(row.asked, row.is_sentence)
        if action is None:
            refused.add(row, reason)
            continue
        yield EvaluationImage(row.image, action, row.object_name, row.heatmap, row.mask, row.source)


def _nothing_scored(manifest: str | Path, total: int, refused: _Refused, tally: Tally) -> str:
    first = next(iter([*tally.unreadable, *refused.reasons]), "")
    return (
        f"none of the {total} rows of manifest {str(manifest)!r} could be scored: "
        f"{len(tally.unreadable)} cannot be read, {refused.sentences} sentences are refused, the "
        f"model does not know the actions {sorted(refused.names)}"
        + (f"; first: {first}" if first else "")
    )
