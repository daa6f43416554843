"""Scores of published masks meet a second, plain implementation, pixel by pixel."""

from __future__ import annotations

from dataclasses import asdict

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.typing import NDArray

from affordance_grounding_core.evaluation.masks import (
    PRECISION_LEVELS,
    MaskScore,
    hot_region,
    mask_overlaps,
    masks_as_dict,
    mean_mask_score,
    score_hot_region,
    score_mask,
)

Mask = NDArray[np.bool_]


def plain_overlap(published: Mask, part: Mask) -> tuple[int, int]:
    both = either = 0
    for one, other in zip(published.tolist(), part.tolist(), strict=True):
        for left, right in zip(one, other, strict=True):
            both += left and right
            either += left or right
    return both, either


def plain_means(pairs: list[tuple[Mask, Mask]]) -> dict[str, float]:
    overlaps = [plain_overlap(*pair) for pair in pairs]
    ious = [both / either if either else 1.0 for both, either in overlaps]
    total = sum(either for _, either in overlaps)
    precisions = []
    for step in range(10):
        level = (50 + 5 * step) / 100
        precisions.append(len([iou for iou in ious if iou > level]) / len(ious))
    return {
        "giou": sum(ious) / len(ious),
        "ciou": sum(both for both, _ in overlaps) / total if total else 1.0,
        "p50": precisions[0],
        "p50_95": sum(precisions) / len(precisions),
        "n": len(ious),
    }


@given(st.data())
def test_means_meet_the_plain_implementation(data: st.DataObject) -> None:
    shape = data.draw(st.tuples(st.integers(1, 6), st.integers(1, 6)))
    masks = arrays(np.bool_, shape)
    pairs = data.draw(st.lists(st.tuples(masks, masks), min_size=1, max_size=6))
    means = asdict(mean_mask_score([score_mask(*pair) for pair in pairs]))
    assert means == pytest.approx(plain_means(pairs))


def test_a_batch_is_counted_like_its_masks() -> None:
    published, parts = np.random.default_rng(0).random((2, 3, 4, 5, 6)) > 0.5
    both, either = mask_overlaps(published, parts)
    assert both.shape == either.shape == (3, 4)
    assert (both[2, 1], either[2, 1]) == plain_overlap(published[2, 1], parts[2, 1])


def test_large_parts_count_more_in_ciou_alone() -> None:
    means = mean_mask_score([MaskScore(0, 10), MaskScore(900, 990)])
    assert means.giou == pytest.approx((0 + 900 / 990) / 2)
    assert means.ciou == pytest.approx(900 / 1000)


def test_precision_asks_for_more_than_the_level() -> None:
    assert mean_mask_score([MaskScore(50, 100)]).p50 == 0
    assert mean_mask_score([MaskScore(51, 100)]).p50 == 1
    assert mean_mask_score([MaskScore(72, 100)]).p50_95 == pytest.approx(0.5)
    assert PRECISION_LEVELS == (0.5, 0.55, 0.6, 0.65, 0.7, 0.75, 0.8, 0.85, 0.9, 0.95)


def test_nothing_published_where_nothing_is_counts_as_right() -> None:
    empty = np.zeros((3, 4), bool)
    assert score_mask(empty, empty).iou == 1
    assert mean_mask_score([score_mask(empty, empty)]).ciou == 1
    assert score_mask(empty, ~empty).iou == 0


def test_the_region_of_a_heatmap_is_what_exceeds_a_tenth_of_its_range() -> None:
    truth = np.full((224, 224), 0.2, np.float32)
    truth[:10], truth[10:20] = 1.0, 0.27
    region = hot_region(truth)
    assert region[:10].all()
    assert not region[10:].any()
    assert not hot_region(np.full((5, 5), 0.3, np.float32)).any()
    published = np.zeros((448, 112), bool)
    published[:20] = True
    assert score_hot_region(published, truth).iou == 1


def test_the_region_of_a_heatmap_is_the_same_in_float32_and_float64() -> None:
    random = np.random.default_rng(0)
    for _ in range(20):
        truth = random.random((224, 224), np.float32)
        truth[0, :3] = 0.0, 1.0, np.float32(0.1)
        low, high = float(truth.min()), float(truth.max())
        plain = truth.astype(np.float64) > low + 0.1 * (high - low)
        np.testing.assert_array_equal(hot_region(truth), plain)


def test_actions_are_scored_apart() -> None:
    content = masks_as_dict([("hold", MaskScore(1, 2)), ("cut", MaskScore(0, 2))])
    assert content["per_action"]["hold"]["giou"] == 0.5
    assert content["per_action"]["cut"]["n"] == 1
    assert content["overall"]["giou"] == 0.25
    assert masks_as_dict([]) == {}


def test_what_is_no_pair_of_masks_is_refused() -> None:
    mask = np.zeros((3, 4), bool)
    with pytest.raises(ValueError, match=r"one shape.*\(3, 4\) and \(4, 3\)"):
        mask_overlaps(mask, mask.T)
    with pytest.raises(ValueError, match="must be bool, got bool and uint8"):
        mask_overlaps(mask, mask.astype(np.uint8))
    with pytest.raises(ValueError, match="at least one image"):
        mean_mask_score([])
