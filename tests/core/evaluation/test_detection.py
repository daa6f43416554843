"""Precision, recall and AP of "found" meet a second, plain implementation and torchmetrics."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torchmetrics.functional.classification import binary_average_precision

from affordance_grounding_core.evaluation.detection import average_precision, precision_recall

Peaks = list[float]
PEAKS = st.lists(st.integers(0, 20).map(lambda step: step / 20), min_size=1, max_size=12)


def plain_average_precision(afforded: Peaks, others: Peaks) -> float:
    area, before = 0.0, 0.0
    for level in sorted(set(afforded + others), reverse=True):
        hits = len([peak for peak in afforded if peak >= level])
        alarms = len([peak for peak in others if peak >= level])
        recall = hits / len(afforded)
        area += (recall - before) * hits / (hits + alarms)
        before = recall
    return area


@given(PEAKS, PEAKS)
def test_average_precision_meets_the_plain_implementation(afforded: Peaks, others: Peaks) -> None:
    ours = average_precision(afforded, others)
    assert ours == pytest.approx(plain_average_precision(afforded, others))
    labels = torch.tensor([1] * len(afforded) + [0] * len(others))
    theirs = binary_average_precision(torch.tensor(afforded + others), labels)
    assert ours == pytest.approx(float(theirs), abs=1e-6)


@given(PEAKS, st.lists(st.integers(0, 20).map(lambda step: step / 20), max_size=12))
def test_the_curve_meets_the_plain_implementation(afforded: Peaks, others: Peaks) -> None:
    levels = np.array([0.0, 0.25, 0.5, 1.0, 1.1])
    curve = precision_recall(afforded, others, levels)
    for level, precision, recall in zip(levels, curve.precision, curve.recall, strict=True):
        hits = len([peak for peak in afforded if peak >= level])
        alarms = len([peak for peak in others if peak >= level])
        assert precision == pytest.approx(hits / (hits + alarms) if hits + alarms else 1)
        assert recall == pytest.approx(hits / len(afforded))


def test_a_perfect_order_has_an_average_precision_of_one() -> None:
    assert average_precision([0.9, 0.8], [0.3, 0.1]) == 1
    assert average_precision([0.9], []) == 1
    assert average_precision([0.1], [0.3, 0.9]) == pytest.approx(1 / 3)


def test_the_curve_is_plain_values() -> None:
    content = precision_recall([0.5], [0.4]).as_dict()
    assert len(content["levels"]) == len(content["precision"]) == len(content["recall"]) == 49
    assert content["levels"][0] == 0.02


def test_nothing_afforded_is_refused() -> None:
    with pytest.raises(ValueError, match="at least one afforded pair"):
        average_precision([], [0.4])
