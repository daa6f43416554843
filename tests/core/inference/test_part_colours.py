"""A part ends where the picture's colours say, near to where its mask does."""

from __future__ import annotations

from dataclasses import replace

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from affordance_grounding_core.inference.part_colours import colour_thresholds
from affordance_grounding_core.inference.regions import RegionConfig, extract_regions

CONFIG = RegionConfig(threshold=0.3, mask_threshold=0.4)


def handle(scale: int = 1) -> tuple[NDArray[np.uint8], NDArray[np.bool_]]:
    """A red handle on a grey noisy table, and its pixels."""
    generator = np.random.default_rng(3)
    image = generator.normal(130, 8, (120, 160, 3))
    part = np.zeros((120, 160), np.bool_)
    part[50:62, 40:110] = True
    image[part] = generator.normal((170, 60, 50), 8, (part.sum(), 3))
    picture = image.clip(0, 255).astype(np.uint8)
    picture, part = (array.repeat(scale, 0).repeat(scale, 1) for array in (picture, part))
    return picture, part


def drawn(part: NDArray[np.bool_], blur: float, shift: int) -> NDArray[np.float32]:
    """A mask of it on a coarse grid: blurred, and a little beside it."""
    moved = np.roll(part.astype(np.float32), (shift, -shift), (0, 1))
    return np.asarray(cv2.GaussianBlur(moved, (0, 0), blur), np.float32)


def overlap(one: NDArray[np.bool_], other: NDArray[np.bool_]) -> float:
    return float((one & other).sum() / (one | other).sum())


@pytest.mark.parametrize("scale", [1, 4])
def test_colours_say_where_the_part_ends(scale: int) -> None:
    image, part = handle(scale)
    mask = drawn(part, 5.0 * scale, 4 * scale)
    heat = mask / mask.max()
    plain = extract_regions(heat, CONFIG, mask, image)[1]
    regions, sharp = extract_regions(heat, replace(CONFIG, colour_weight=1.5), mask, image)
    assert overlap(plain, part) < 0.65
    assert overlap(sharp, part) > 0.85
    assert len(regions) == 1


def test_one_colour_changes_nothing() -> None:
    _, part = handle()
    mask = drawn(part, 3.0, 2)
    image = np.full((*part.shape, 3), 90, np.uint8)
    plain = extract_regions(mask, CONFIG, mask, image)
    np.testing.assert_array_equal(
        extract_regions(mask, replace(CONFIG, colour_weight=1.5), mask, image)[1], plain[1]
    )


def test_a_part_is_not_followed_to_things_of_its_colour_far_away() -> None:
    image, part = handle()
    image[5:20, 120:150] = image[52:60, 50:60].mean(axis=(0, 1))
    mask = drawn(part, 4.0, 0)
    sharp = extract_regions(mask, replace(CONFIG, colour_weight=1.5), mask, image)[1]
    assert not sharp[5:20, 120:150].any()


def test_a_reflection_makes_no_hole() -> None:
    image, part = handle()
    image[54:58, 70:76] = 255
    mask = drawn(part, 4.0, 0)
    (region,), sharp = extract_regions(mask, replace(CONFIG, colour_weight=1.5), mask, image)
    assert sharp[54:58, 70:76].all()
    assert region.area == sharp.sum()


def test_the_last_good_region_stays_where_colours_leave_none() -> None:
    image, part = handle()
    config = replace(CONFIG, minimum_area=0.03, colour_weight=50.0)
    mask = np.where(part, 0.41, 0.0).astype(np.float32)
    mask[40:75, 35:115] = np.maximum(mask[40:75, 35:115], 0.405)
    heat = np.ones_like(mask)
    regions, published = extract_regions(heat, config, mask, image)
    assert regions
    assert published.any()


@given(
    st.integers(1, 40),
    st.integers(1, 40),
    st.integers(0, 2**32 - 1),
    st.floats(0.05, 0.95),
    st.floats(0.0, 20.0),
)
@settings(deadline=None, max_examples=60)
def test_thresholds_are_values_a_mask_can_have(
    height: int, width: int, seed: int, threshold: float, weight: float
) -> None:
    generator = np.random.default_rng(seed)
    image = generator.integers(0, 256, (height, width, 3), np.uint8)
    mask = generator.choice([0.0, 0.3, 1.0], (height, width)).astype(np.float32)
    part = np.zeros((height, width), np.bool_)
    part[generator.integers(height), generator.integers(width)] = True
    place, needed = colour_thresholds(image, mask, part, threshold, weight)
    assert needed.shape == part[place].shape
    assert needed.dtype == np.float32
    assert np.isfinite(needed).all()
    assert needed.min() >= 0.0
    assert needed.max() <= 1.0
    assert part[place].any()


@pytest.mark.parametrize("weight", [-1.0, float("nan"), float("inf")])
def test_impossible_weights_are_refused(weight: float) -> None:
    with pytest.raises(ValueError, match="colour_weight must be finite and not negative"):
        RegionConfig(colour_weight=weight)
