"""Precision, recall and AP of "found": how well peak heat tells afforded actions from others.

docs/train/metrics.md has the definitions and where they come from.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

CURVE_LEVELS = np.round(np.arange(0.02, 1.0, 0.02), 2)
"""Thresholds at which a report shows precision and recall."""


@dataclass(frozen=True)
class PrecisionRecall:
    """What is found at each of some thresholds.

    Attributes:
        levels: (L,) thresholds of the peak heat.
        precision: (L,) share of afforded actions among those found; 1 where nothing is found.
        recall: (L,) share of afforded actions that are found.
    """

    levels: NDArray[np.float64]
    precision: NDArray[np.float64]
    recall: NDArray[np.float64]

    def as_dict(self) -> dict[str, list[float]]:
        """Return plain values, four digits each."""
        columns = {"levels": self.levels, "precision": self.precision, "recall": self.recall}
        return {
            name: [round(float(value), 4) for value in values] for name, values in columns.items()
        }


def precision_recall(
    afforded: Sequence[float],
    others: Sequence[float],
    levels: NDArray[np.float64] = CURVE_LEVELS,
) -> PrecisionRecall:
    """Count what is found at given thresholds.

    Args:
        afforded: peak heat of pairs of an image and an action its object affords; at least one.
        others: peak heat of pairs whose action is not afforded.
        levels: thresholds; a peak that reaches one is found.

    Raises:
        ValueError: no afforded pair.
    """
    right, wrong = _sorted(afforded), np.sort(np.asarray(others, np.float64))
    hits = right.size - np.searchsorted(right, levels, side="left")
    alarms = wrong.size - np.searchsorted(wrong, levels, side="left")
    found = hits + alarms
    precision = np.divide(hits, found, out=np.ones(len(levels)), where=found > 0)
    return PrecisionRecall(np.asarray(levels, np.float64), precision, hits / right.size)


def average_precision(afforded: Sequence[float], others: Sequence[float]) -> float:
    """Area under precision over recall: the mean precision at the peaks of afforded pairs.

    Every distinct peak is a threshold, and recall grows in steps: nothing is interpolated.

    Args:
        afforded: peak heat of pairs of an image and an action its object affords; at least one.
        others: peak heat of pairs whose action is not afforded; without any, the answer is 1.

    Raises:
        ValueError: no afforded pair.
    """
    right = _sorted(afforded)
    levels, counts = np.unique(right, return_counts=True)
    precision = precision_recall(afforded, others, levels).precision
    return float((precision * counts).sum() / right.size)


def _sorted(afforded: Sequence[float]) -> NDArray[np.float64]:
    if not len(afforded):
        raise ValueError("precision and recall need at least one afforded pair, got none")
    return np.sort(np.asarray(afforded, np.float64))
