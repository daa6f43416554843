"""The blur of AGD20K's ground truth."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from affordance_grounding_core.data.blur import blur_kernel_size, blur_mask


@given(st.integers(1, 4000), st.integers(1, 4000))
def test_the_kernel_is_odd_and_a_third_of_the_side(height: int, width: int) -> None:
    size = blur_kernel_size(height, width)
    assert size % 2 == 1
    assert 0 <= size - int((height * width) ** 0.5 / 3) <= 1


def test_the_rule_at_the_size_of_the_rendered_pictures() -> None:
    mask = np.zeros((320, 320), np.uint8)
    mask[100:180, 60:90] = 255
    expected = cv2.GaussianBlur((mask > 0).astype(np.float32), (107, 107), 0)
    np.testing.assert_array_equal(blur_mask(mask), expected)


@given(st.integers(1, 40), st.integers(1, 40), st.integers(0, 2**32 - 1))
def test_a_label_lies_between_0_and_1_for_any_size(height: int, width: int, seed: int) -> None:
    mask = np.random.default_rng(seed).random((height, width)) > 0.5
    label = blur_mask(mask)
    assert label.shape == (height, width)
    assert label.dtype == np.float32
    assert label.min() >= 0
    assert label.max() <= 1 + 1e-5


def test_full_and_empty_masks_stay_what_they_are() -> None:
    np.testing.assert_allclose(blur_mask(np.ones((30, 40), np.bool_)), 1, rtol=1e-5)
    assert not blur_mask(np.zeros((30, 40), np.bool_)).any()


@pytest.mark.parametrize(
    "mask",
    [np.zeros((3, 3), np.float32), np.zeros((3, 3, 3), np.uint8), np.zeros((0, 3), np.bool_)],
)
def test_what_is_no_mask_is_refused(mask: np.ndarray) -> None:
    with pytest.raises(ValueError, match="part mask"):
        blur_mask(mask)
