from __future__ import annotations

import math

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
