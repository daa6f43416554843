"""The overlay draws on any image, changes no input and leaves cold pixels alone."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from affordance_grounding_core.errors import InvalidImageError
from affordance_grounding_core.inference.overlay import (
    OverlayConfig,
    blend_heat,
    draw_caption,
    draw_overlay,
)
from affordance_grounding_core.inference.regions import RegionConfig, extract_regions
from affordance_grounding_core.inference.result import GroundingResult


def answer(heatmap: np.ndarray) -> GroundingResult:
    regions, mask = extract_regions(heatmap, RegionConfig(minimum_area=0))
    score = float(heatmap.max())
    return GroundingResult(heatmap, mask, regions, "hold", score, 0.5, bool(regions), 0.0)


def grey_image(height: int, width: int) -> np.ndarray:
    return np.full((height, width, 3), 100, np.uint8)


def hot_square(height: int, width: int) -> np.ndarray:
    heatmap = np.zeros((height, width), np.float32)
    heatmap[height // 2 : height * 3 // 4, width // 2 : width * 3 // 4] = 0.9
    return heatmap


@settings(deadline=None, max_examples=60)
@given(st.integers(1, 90), st.integers(1, 90), st.integers(0, 2**32 - 1))
def test_images_of_any_size_are_drawn_and_kept(height: int, width: int, seed: int) -> None:
    random = np.random.default_rng(seed)
    image = random.integers(0, 256, (height, width, 3), np.uint8)
    result = answer(random.random((height, width), np.float32))
    kept_image, kept_heat, kept_mask = image.copy(), result.heatmap.copy(), result.mask.copy()
    picture = draw_overlay(image, result)
    assert picture.shape == image.shape
    assert picture.dtype == np.uint8
    assert not np.shares_memory(picture, image)
    np.testing.assert_array_equal(image, kept_image)
    np.testing.assert_array_equal(result.heatmap, kept_heat)
    np.testing.assert_array_equal(result.mask, kept_mask)


def test_colour_grows_with_heat_and_cold_pixels_stay() -> None:
    heatmap = np.linspace(0, 1, 50, dtype=np.float32)[None].repeat(50, axis=0)
    blended = blend_heat(grey_image(50, 50), heatmap)
    assert (blended[:, 0] == 100).all()
    change = np.abs(blended[0].astype(int) - 100).sum(axis=1)
    assert change[-1] > change[25] > change[5] > 0
    assert (blend_heat(grey_image(50, 50), heatmap, OverlayConfig(opacity=0)) == 100).all()


def test_regions_are_outlined_at_their_place() -> None:
    image, result = grey_image(200, 200), answer(hot_square(200, 200))
    heat = blend_heat(image, result.heatmap, bright_from=result.threshold)
    drawn = draw_overlay(image, result, OverlayConfig(caption=False, boxes=False))
    rows, columns = np.nonzero((drawn != heat).any(axis=2))
    assert 93 <= rows.min() <= 101
    assert 148 <= rows.max() <= 156
    assert 93 <= columns.min() <= 101
    plain = draw_overlay(image, result, OverlayConfig(contours=False, boxes=False, caption=False))
    np.testing.assert_array_equal(plain, heat)


def test_colours_are_bright_from_the_threshold_up() -> None:
    heatmap = np.array([[0.1, 0.24, 0.6]], np.float32)
    pale = blend_heat(np.zeros((1, 3, 3), np.uint8), heatmap, OverlayConfig(opacity=1))
    bright = blend_heat(
        np.zeros((1, 3, 3), np.uint8), heatmap, OverlayConfig(opacity=1), bright_from=0.24
    )
    assert (bright.sum(axis=2) >= pale.sum(axis=2)).all()
    assert bright[0, 1].sum() > 2 * pale[0, 1].sum()


@pytest.mark.parametrize("top", [0, 60, 140])
def test_the_score_stands_beside_the_box_and_not_on_it(top: int) -> None:
    heatmap = np.zeros((200, 200), np.float32)
    heatmap[top : top + 60, 60:140] = 0.9
    image, result = grey_image(200, 200), answer(heatmap)
    heat = blend_heat(image, heatmap, bright_from=result.threshold)
    drawn = draw_overlay(image, result, OverlayConfig(caption=False))
    changed = (drawn != heat).any(axis=2)
    assert not changed[top + 6 : top + 54, 66:134].any()
    outside = changed.copy()
    outside[max(0, top - 5) : top + 65, 55:145] = False
    assert outside.sum() > 50


def test_the_caption_tells_found_from_not_found() -> None:
    image = grey_image(240, 320)
    found, cold = answer(hot_square(240, 320)), answer(np.zeros((240, 320), np.float32))
    corner = (slice(0, 40), slice(0, 150))
    upper, lower = draw_overlay(image, found)[corner], draw_overlay(image, cold)[corner]
    assert (upper != 100).any()
    assert (lower != 100).any()
    assert (upper != lower).any()
    assert (draw_overlay(image, cold)[60:] == 100).all()


def test_long_captions_are_shrunk_to_the_image() -> None:
    picture = np.full((60, 60, 3), 100, np.uint8)
    draw_caption(picture, "a very long action name that is too long: not found (0.12)")
    assert (picture[40:] == 100).all()
    assert picture.max() > 100


def test_a_result_of_another_image_is_refused() -> None:
    with pytest.raises(ValueError, match="one size"):
        draw_overlay(grey_image(10, 20), answer(hot_square(20, 10)))
    with pytest.raises(InvalidImageError, match="uint8"):
        draw_overlay(np.zeros((10, 20)), answer(hot_square(10, 20)))


@pytest.mark.parametrize("options", [{"opacity": 1.5}, {"colormap": "jet"}])
def test_options_outside_their_range_are_refused(options: dict[str, object]) -> None:
    with pytest.raises(ValueError, match=next(iter(options))):
        OverlayConfig(**options)
