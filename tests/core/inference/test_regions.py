from __future__ import annotations

import math
from dataclasses import replace

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from affordance_grounding_core.inference.regions import RegionConfig, extract_regions

ANY = RegionConfig(minimum_area=0.0, maximum_regions=1000)


def bar(angle: float, length: int = 80, width: int = 16) -> np.ndarray:
    """A bar of heat 0.8 at an angle (rad, towards +y) around the centre of 200 x 200 px."""
    corners = cv2.boxPoints(((100.0, 100.0), (float(length), float(width)), math.degrees(angle)))
    heat = np.zeros((200, 200), np.float32)
    cv2.fillPoly(heat, [np.round(corners).astype(np.int32)], 0.8)
    return heat


@pytest.mark.parametrize("degrees", [-80, -45, -10, 0, 20, 45, 70, 90])
def test_oriented_box_follows_a_bar(degrees: int) -> None:
    (region,), _ = extract_regions(bar(math.radians(degrees)), ANY)
    box = region.oriented_box
    difference = (box.angle - math.radians(degrees) + math.pi / 2) % math.pi - math.pi / 2
    assert abs(difference) < math.radians(3)
    assert (box.center_x, box.center_y) == pytest.approx((100, 100), abs=1.5)
    assert (box.length, box.width) == pytest.approx((81, 17), abs=3)
    assert region.score == pytest.approx(0.8)
    assert region.centroid == pytest.approx((100, 100), abs=1)


@settings(deadline=None)
@given(st.integers(0, 2**32 - 1), st.floats(0.05, 0.9), st.sampled_from([0.0, 0.01]))
def test_every_region_has_its_own_pixels(seed: int, filled: float, smallest: float) -> None:
    heat = (np.random.default_rng(seed).random((24, 31)) < filled).astype(np.float32)
    regions, mask = extract_regions(heat, RegionConfig(minimum_area=smallest))
    union = np.zeros(mask.shape, np.int64)
    for region in regions:
        box = region.box
        assert region.mask.shape == (box.height, box.width)
        assert np.count_nonzero(region.mask) == region.area
        union[box.y : box.y + box.height, box.x : box.x + box.width] += region.mask
    np.testing.assert_array_equal(union, mask)


@settings(deadline=None, max_examples=150)
@given(
    heat=arrays(
        np.float32,
        st.tuples(st.integers(1, 24), st.integers(1, 24)),
        elements=st.floats(0, 1, width=32),
    ),
    threshold=st.floats(0.01, 1.0),
)
def test_regions_are_exactly_the_hot_pixels(heat: np.ndarray, threshold: float) -> None:
    regions, mask = extract_regions(heat, ANY.with_threshold(threshold))
    np.testing.assert_array_equal(mask, heat >= np.float32(threshold))
    assert sum(region.area for region in regions) == mask.sum()
    assert [r.score for r in regions] == sorted((r.score for r in regions), reverse=True)
    for region in regions:
        box, oriented = region.box, region.oriented_box
        assert box.x >= 0
        assert box.y >= 0
        assert box.x + box.width <= heat.shape[1]
        assert box.y + box.height <= heat.shape[0]
        assert box.x <= region.centroid[0] + 1e-6
        assert region.centroid[0] <= box.x + box.width - 1 + 1e-6
        assert box.y <= region.centroid[1] + 1e-6
        assert region.centroid[1] <= box.y + box.height - 1 + 1e-6
        assert threshold <= region.score + 1e-6
        assert oriented.length >= oriented.width > 0
        assert -math.pi / 2 < oriented.angle <= math.pi / 2
        assert oriented.length * oriented.width >= region.area * 0.99


def test_single_pixel_has_a_box_of_one_pixel() -> None:
    heat = np.zeros((5, 7), np.float32)
    heat[3, 4] = 1.0
    (region,), mask = extract_regions(heat, ANY)
    assert (region.box.x, region.box.y, region.box.width, region.box.height) == (4, 3, 1, 1)
    assert region.centroid == (4.0, 3.0)
    assert region.oriented_box.length == pytest.approx(1.0)
    assert mask.sum() == 1


def test_small_weak_and_surplus_regions_leave_the_mask_too() -> None:
    heat = np.zeros((100, 100), np.float32)
    heat[10:30, 10:30] = 0.9
    heat[50:70, 50:70] = 0.6
    heat[80:99, 5:25] = 0.7
    heat[5, 90] = 1.0
    config = RegionConfig(minimum_area=0.001, minimum_score=0.65, maximum_regions=1)
    regions, mask = extract_regions(heat, config)
    assert [region.score for region in regions] == [pytest.approx(0.9)]
    assert mask.sum() == 400


def test_nothing_hot_is_no_region() -> None:
    regions, mask = extract_regions(np.full((9, 9), 0.49, np.float32), RegionConfig())
    assert regions == []
    assert not mask.any()


@pytest.mark.parametrize("threshold", [0.0, -1.0, 1.5, math.nan])
def test_impossible_thresholds_are_refused(threshold: float) -> None:
    with pytest.raises(ValueError, match="threshold must lie in"):
        RegionConfig().with_threshold(threshold)


def two_blobs() -> tuple[np.ndarray, np.ndarray]:
    """Soft heat with peaks .8 and .3, and a part mask of a thin bar through each."""
    rows, columns = np.mgrid[:100, :100].astype(np.float32)
    heat = 0.8 * np.exp(-((rows - 30) ** 2 + (columns - 30) ** 2) / 200)
    heat = np.maximum(heat, 0.3 * np.exp(-((rows - 70) ** 2 + (columns - 70) ** 2) / 200))
    part = np.zeros((100, 100), np.float32)
    part[28:33, 20:41] = 0.9
    part[68:73, 60:81] = 0.9
    return heat, part


def test_the_region_is_the_part_and_not_the_blur_around_it() -> None:
    heat, part = two_blobs()
    regions, mask = extract_regions(heat, replace(ANY, threshold=0.5), part)
    assert len(regions) == 1
    assert regions[0].score == pytest.approx(0.8)
    expected = np.zeros_like(mask)
    expected[28:33, 20:41] = True
    np.testing.assert_array_equal(mask, expected)
    assert (regions[0].oriented_box.length, regions[0].oriented_box.width) == (21, 5)
    both, _ = extract_regions(heat, replace(ANY, threshold=0.25), part)
    assert [round(region.score, 2) for region in both] == [0.8, 0.3]


def test_heat_below_the_threshold_finds_no_part() -> None:
    heat, part = two_blobs()
    regions, mask = extract_regions(heat, replace(ANY, threshold=0.9), part)
    assert not regions
    assert not mask.any()


def test_heat_answers_where_no_part_is_drawn() -> None:
    heat, part = two_blobs()
    config = replace(ANY, threshold=0.5)
    plain, plain_mask = extract_regions(heat, config)
    regions, mask = extract_regions(heat, config, np.zeros_like(part))
    assert regions == plain
    np.testing.assert_array_equal(mask, plain_mask)


def test_the_mask_threshold_says_where_a_part_ends() -> None:
    heat, part = two_blobs()
    part[27:34, 19:42] = np.maximum(part[27:34, 19:42], 0.4)
    sizes = [
        extract_regions(heat, replace(ANY, mask_threshold=level), part)[0][0].area
        for level in (0.3, 0.6)
    ]
    assert sizes == [7 * 23, 5 * 21]
