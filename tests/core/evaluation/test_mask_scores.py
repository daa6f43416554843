from __future__ import annotations

import numpy as np
import pytest

from affordance_grounding_core.evaluation.mask_scores import (
    MaskOverlap,
    compare_masks,
    mask_score,
)


def test_masks_of_another_resolution_are_compared_in_the_pixels_of_the_answer() -> None:
    part = np.zeros((10, 10), np.bool_)
    part[:5] = True
    mask = np.zeros((40, 20), np.bool_)
    mask[:10] = True
    overlap = compare_masks(mask, part)
    assert overlap == MaskOverlap(intersection=200, union=400)
    assert overlap.iou == 0.5


def test_a_part_without_pixels_is_not_judged() -> None:
    assert compare_masks(np.ones((4, 4), np.bool_), np.zeros((4, 4), np.bool_)) is None
    assert mask_score([]) is None


def test_means_count_pairs_and_sums_count_pixels() -> None:
    score = mask_score([MaskOverlap(90, 100), MaskOverlap(0, 300)])
    assert score is not None
    assert score.giou == pytest.approx(0.45)
    assert score.ciou == pytest.approx(0.225)
    assert score.p50 == 0.5
