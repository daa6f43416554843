"""Marks become the share of every patch that they cover, wherever the picture lies in the input."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from affordance_grounding_core.errors import TeachingError
from affordance_grounding_core.teaching.exemplars import summarise, unit
from affordance_grounding_core.teaching.marks import (
    mark_box,
    mark_click,
    mark_mask,
    patch_coverage,
)

SIDES = st.integers(1, 90)


@settings(deadline=None)
@given(height=SIDES, width=SIDES, data=st.data())
def test_a_box_covers_its_area_and_no_patch_outside(
    height: int, width: int, data: st.DataObject
) -> None:
    x = data.draw(st.integers(0, width - 1))
    y = data.draw(st.integers(0, height - 1))
    box_width = data.draw(st.integers(1, width - x))
    box_height = data.draw(st.integers(1, height - y))
    mark = mark_box(x, y, box_width, box_height, height, width)
    assert mark.mask.sum() == box_width * box_height
    rows, columns, patch = 4, 5, 14
    coverage = patch_coverage(
        mark.mask, (0, 0, rows * patch, columns * patch), rows, columns, patch
    )
    assert coverage.shape == (rows, columns)
    assert coverage.min() >= 0.0
    assert coverage.max() <= 1.0
    share = box_width * box_height / (height * width)
    if height >= rows * patch and width >= columns * patch:
        assert coverage.mean() == pytest.approx(share, abs=1e-3)
    for row in range(rows):
        for column in range(columns):
            margin = 1.0  # px of the picture, for the interpolation where it is enlarged
            above = (row + 1) * height / rows < y - margin
            below = row * height / rows > y + box_height + margin
            left = (column + 1) * width / columns < x - margin
            right = column * width / columns > x + box_width + margin
            if above or below or left or right:
                assert coverage[row, column] == 0.0


@settings(deadline=None)
@given(
    height=SIDES,
    width=SIDES,
    x=st.floats(0, 1, exclude_max=True),
    y=st.floats(0, 1, exclude_max=True),
    radius=st.floats(0.01, 200),
)
def test_a_click_marks_the_pixel_it_hits_and_none_beyond_its_radius(
    height: int, width: int, x: float, y: float, radius: float
) -> None:
    at_x, at_y = x * width - 0.5, y * height - 0.5
    if radius > 2 * (height + width):
        return
    mask = mark_click(at_x, at_y, radius, height, width).mask
    assert mask[min(height - 1, max(0, round(at_y))), min(width - 1, max(0, round(at_x)))]
    marked_rows, marked_columns = np.nonzero(mask)
    distance = np.hypot(marked_columns - at_x, marked_rows - at_y)
    assert distance.max() <= max(radius, 0.75)


def test_padding_around_the_picture_belongs_to_nothing() -> None:
    mask = np.ones((20, 40), np.bool_)
    coverage = patch_coverage(mask, (14, 0, 28, 56), 4, 4, 14)
    np.testing.assert_allclose(coverage, [[0] * 4, [1] * 4, [1] * 4, [0] * 4])


@pytest.mark.parametrize("box", [(-1, 0, 3, 3), (0, -1, 3, 3), (30, 0, 11, 3), (0, 10, 3, 11)])
def test_a_box_outside_the_picture_is_refused(box: tuple[int, int, int, int]) -> None:
    with pytest.raises(TeachingError, match="not inside the picture of 40 x 20 px"):
        mark_box(*box, 20, 40)


@pytest.mark.parametrize("size", [(0, 3), (3, 0), (-2, 3)])
def test_a_box_without_pixels_is_refused(size: tuple[int, int]) -> None:
    with pytest.raises(TeachingError, match="at least 1 px"):
        mark_box(3, 3, *size, 20, 40)


@pytest.mark.parametrize("point", [(-1.0, 3.0), (40.0, 3.0), (3.0, 20.0), (float("nan"), 3.0)])
def test_a_click_outside_the_picture_is_refused(point: tuple[float, float]) -> None:
    with pytest.raises(TeachingError, match="not inside the picture of 40 x 20 px"):
        mark_click(*point, None, 20, 40)


@pytest.mark.parametrize("radius", [0.0, -1.0, float("nan"), float("inf"), 1e9])
def test_a_radius_that_is_none_is_refused(radius: float) -> None:
    with pytest.raises(TeachingError, match="radius of a click"):
        mark_click(3.0, 3.0, radius, 20, 40)


def test_masks_that_do_not_fit_are_refused() -> None:
    for mask, message in (
        (np.zeros((20, 40), np.uint8), "the mask is empty"),
        (np.full((20, 40), 127, np.uint8), "the mask is empty"),
        (np.ones((10, 20), np.bool_), "20 x 10 px, the picture 40 x 20 px"),
        (np.ones((20, 40, 3), np.uint8), "must have shape"),
        (np.ones((20, 40), np.float32), "must have shape"),
    ):
        with pytest.raises(TeachingError, match=message):
            mark_mask(mask, 20, 40)
    half = np.zeros((20, 40), np.uint8)
    half[:10] = 128
    assert mark_mask(half, 20, 40).mask.sum() == 400


@settings(deadline=None)
@given(count=st.integers(1, 30), wanted=st.integers(1, 12), seed=st.integers(0, 99))
def test_few_features_stand_for_many(count: int, wanted: int, seed: int) -> None:
    features = unit(np.random.default_rng(seed).normal(size=(count, 6)).astype(np.float32))
    centres, share = summarise(features, wanted)
    assert len(centres) == len(share) <= min(count, wanted)
    assert share.sum() == pytest.approx(1.0, abs=1e-5)
    np.testing.assert_allclose(np.linalg.norm(centres, axis=1), 1.0, atol=1e-5)
    if wanted >= count:
        assert (features @ centres.T).max(axis=1).min() > 1.0 - 1e-5
