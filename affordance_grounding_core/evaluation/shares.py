"""Found, hit and precise: shares of evaluated pairs, as plain values."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from typing import Any, TypeVar

from affordance_grounding_core.evaluation.detection import average_precision, precision_recall
from affordance_grounding_core.evaluation.evaluate import Evaluation, RightPair, WrongPair
from affordance_grounding_core.evaluation.masks import MeanMaskScore, mean_mask_score
from affordance_grounding_core.evaluation.summary import group_by, mean_score

Pair = TypeVar("Pair", RightPair, WrongPair)


def found_share(pairs: Sequence[RightPair] | Sequence[WrongPair]) -> float | None:
    """Share of pairs that the grounder called found; None without pairs."""
    return sum(pair.found for pair in pairs) / len(pairs) if pairs else None


def peak_share(pairs: Sequence[RightPair]) -> float | None:
    """Share of pairs whose peak lies on the part, of those that can be judged."""
    return _judged_share([pair.peak_on_part for pair in pairs])


def peak_in_mask_share(pairs: Sequence[RightPair]) -> float | None:
    """Share of pairs whose peak lies in the part's mask, of those that have one."""
    return _judged_share([pair.peak_in_mask for pair in pairs])


def mask_means(pairs: Sequence[RightPair]) -> MeanMaskScore | None:
    """Published masks against those of the parts; None where no pair has one."""
    scores = [pair.mask for pair in pairs if pair.mask is not None]
    return mean_mask_score(scores) if scores else None


def detection_as_dict(evaluation: Evaluation, threshold: float) -> dict[str, Any]:
    """Return what was found of afforded and of other pairs, and how well peaks part the two.

    Args:
        evaluation: evaluation with at least one right pair.
        threshold: heat at or above which something counts as found.
    """
    right, wrong = evaluation.right, evaluation.wrong
    afforded = group_by(right, lambda pair: pair.result.image.action)
    return {
        "threshold": threshold,
        "right": {**_right_shares(right), "per_action": _each(_right_shares, afforded)},
        "wrong": {
            **_wrong_shares(wrong),
            "per_action": _each(_wrong_shares, group_by(wrong, lambda pair: pair.action)),
            "per_object": _each(_wrong_shares, group_by(wrong, lambda pair: pair.object_name)),
        },
        **precision_and_recall(evaluation),
    }


def precision_and_recall(evaluation: Evaluation) -> dict[str, Any]:
    """Return AP of all pairs and by action, the curve, and both figures at the threshold."""
    right = group_by(evaluation.right, lambda pair: pair.result.image.action)
    wrong = group_by(evaluation.wrong, lambda pair: pair.action)
    peaks = [pair.peak for pair in evaluation.right]
    others = [pair.peak for pair in evaluation.wrong]
    hits = sum(pair.found for pair in evaluation.right)
    found = hits + sum(pair.found for pair in evaluation.wrong)
    return {
        "average_precision": average_precision(peaks, others),
        "average_precision_per_action": {
            action: average_precision(
                [pair.peak for pair in group], [pair.peak for pair in wrong[action]]
            )
            for action, group in right.items()
            if action in wrong
        },
        "at_threshold": {
            "precision": hits / found if found else None,
            "recall": hits / len(evaluation.right),
        },
        "curve": precision_recall(peaks, others).as_dict(),
    }


def sources_as_dict(pairs: Sequence[RightPair]) -> dict[str, Any]:
    """Return heat, masks and found of every source of a test list; empty where none is named."""
    groups = group_by(pairs, lambda pair: pair.result.image.source)
    if not any(groups):
        return {}
    content = {}
    for name, group in groups.items():
        masks = mask_means(group)
        content[name or "-"] = {
            **asdict(mean_score([pair.result for pair in group])),
            **_right_shares(group),
            "masks": None if masks is None else asdict(masks),
        }
    return content


def _each(
    shares: Callable[[list[Pair]], dict[str, Any]], groups: Mapping[str, list[Pair]]
) -> dict[str, dict[str, Any]]:
    return {name: shares(group) for name, group in groups.items()}


def _right_shares(pairs: Sequence[RightPair]) -> dict[str, Any]:
    return {
        "pairs": len(pairs),
        "found": found_share(pairs),
        "peak_on_part": peak_share(pairs),
        "peak_in_mask": peak_in_mask_share(pairs),
    }


def _wrong_shares(pairs: Sequence[WrongPair]) -> dict[str, Any]:
    return {"pairs": len(pairs), "found": found_share(pairs)}


def _judged_share(outcomes: Sequence[bool | None]) -> float | None:
    known = [outcome for outcome in outcomes if outcome is not None]
    return sum(known) / len(known) if known else None
