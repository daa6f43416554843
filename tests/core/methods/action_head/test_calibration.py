from __future__ import annotations

import pytest
import torch

from affordance_grounding_core.methods.action_head.calibration import (
    best_mask_threshold,
    fit_thresholds,
    mask_overlaps,
)
from affordance_grounding_core.methods.action_head.scenes import MASK_FULL, MASK_UNKNOWN


def pairs(
    present: list[list[float]], absent: list[list[float]]
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Peaks of two actions: for each, those of pictures that afford it and that do not."""
    rows, present_rows, absent_rows = [], [], []
    for action in range(2):
        for values, kind in ((present, present_rows), (absent, absent_rows)):
            for peak in values[action]:
                row = torch.full((2,), 0.5)
                row[action] = peak
                rows.append(torch.logit(row))
                flags = torch.zeros(2, 2, dtype=torch.bool)
                flags[0 if kind is present_rows else 1, action] = True
                present_rows.append(flags[0])
                absent_rows.append(flags[1])
    return torch.stack(rows), torch.stack(present_rows), torch.stack(absent_rows)


def test_one_threshold_serves_a_cold_and_a_hot_action() -> None:
    logits, present, absent = pairs([[0.9] * 200, [0.3] * 200], [[0.6] * 200, [0.05] * 200])
    fitted = fit_thresholds(logits, present, absent)
    heat = torch.sigmoid(logits + fitted.offsets)
    assert (heat[present] >= fitted.threshold).all()
    assert (heat[absent] < fitted.threshold).all()
    assert fitted.offsets[1] > fitted.offsets[0]


def test_a_wrong_find_is_worse_than_a_miss() -> None:
    """One in five is not found, lest one in seven be found where there is nothing."""
    present, absent = [0.9] * 80 + [0.3] * 20, [0.05] * 86 + [0.35] * 14
    fitted = fit_thresholds(*pairs([present, present], [absent, absent]))
    assert fitted.threshold > 0.35


def test_an_action_with_few_pairs_keeps_near_the_threshold_of_all() -> None:
    many, few = (
        fit_thresholds(*pairs([[0.9] * 100, [0.2] * n], [[0.4] * 100, [0.05] * n]))
        for n in (100, 1)
    )
    assert many.offsets[1] > few.offsets[1] >= 0


def test_an_action_without_a_pair_of_its_own_is_found_as_low_as_what_is_not_there_allows() -> None:
    """Six hundredths of heat are a find where what is not there stays below one."""
    absent = [[0.1] * 200, [0.005] * 5000]
    fitted = fit_thresholds(*pairs([[0.9] * 100 + [0.3] * 100, []], absent))
    heat = torch.sigmoid(torch.logit(torch.tensor([0.06, 0.004])) + fitted.offsets[1])
    assert (heat >= fitted.threshold).tolist() == [True, False]


def test_pairs_of_one_kind_alone_fit_nothing() -> None:
    logits, present, absent = pairs([[0.9], [0.8]], [[], []])
    fitted = fit_thresholds(logits, present, absent, fallback=0.4)
    assert fitted.threshold == 0.4
    assert not fitted.offsets.any()


def test_the_mask_threshold_is_where_masks_meet_parts_best() -> None:
    masks = torch.zeros(1, 10, 10, dtype=torch.uint8)
    masks[:, 2:6, 2:6] = MASK_FULL
    values = torch.full((1, 10, 10), 0.02)
    values[:, 1:7, 1:7] = 0.3
    values[:, 2:6, 2:6] = 0.6
    overlaps = mask_overlaps(torch.logit(values), masks)
    assert overlaps.max() == 1.0
    assert 0.3 < best_mask_threshold(overlaps) <= 0.6
    assert best_mask_threshold(torch.empty(0, 91), fallback=0.4) == 0.4


def test_unknown_cells_are_not_judged() -> None:
    masks = torch.full((1, 4, 4), MASK_UNKNOWN, dtype=torch.uint8)
    with pytest.raises(ValueError, match="unknown cells"):
        mask_overlaps(torch.zeros(1, 4, 4), masks)
