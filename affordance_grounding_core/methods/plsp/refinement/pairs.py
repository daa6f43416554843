"""Chooses the pairs of action and object that are refined."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from pathlib import Path

import yaml

from affordance_grounding_core.errors import DatasetError
from affordance_grounding_core.labelling.part_names import Pair

PAIR_FILE = Path(__file__).with_name("ambiguous_pairs.yaml")
"""The package's lists."""


def ambiguous_pairs(split: str | None) -> frozenset[Pair]:
    """Read the published list of a split of AGD20K.

    Args:
        split: "Seen" or "Unseen"; None for both together.

    Returns:
        Pairs; the action "*" stands for all.
    """
    lists = yaml.safe_load(PAIR_FILE.read_text(encoding="utf-8"))
    chosen = lists if split is None else {split.lower(): lists[split.lower()]}
    return frozenset(
        (action, name)
        for actions in chosen.values()
        for action, names in actions.items()
        for name in names
    )


def choose_pairs(
    present: Collection[Pair], split: str | None, given: Iterable[str] = ()
) -> frozenset[Pair]:
    """Choose the pairs of a data set that are refined.

    Args:
        present: pairs of the data.
        split: split whose published list is taken where none are given.
        given: "ACTION/OBJECT" or "all", of the command line; they replace the list.

    Returns:
        A part of `present`, never empty.

    Raises:
        DatasetError: a given pair is not in the data, or nothing of the list is.
    """
    texts = list(given)
    if "all" in texts:
        return frozenset(present)
    if texts:
        pairs = {(text.partition("/")[0], text.partition("/")[2]) for text in texts}
        if missing := sorted("/".join(pair) for pair in pairs - set(present)):
            raise DatasetError(
                f"pairs {missing} are not in the data; expected ACTION/OBJECT, some of "
                f"{sorted('/'.join(pair) for pair in present)}, or all"
            )
        return frozenset(pairs)
    listed = ambiguous_pairs(split)
    chosen = {pair for pair in present if pair in listed or ("*", pair[1]) in listed}
    if not chosen:
        raise DatasetError(
            "the data has none of the pairs whose labels are known to be ambiguous (see "
            "docs/train/part_labels.md); name yours with --pair ACTION/OBJECT, or --pair all"
        )
    return frozenset(chosen)
