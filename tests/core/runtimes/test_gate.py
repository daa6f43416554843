"""The numeric gate lets equal answers through and names what is wrong with others."""

from __future__ import annotations

import itertools
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from affordance_grounding_core.runtimes.gate import (
    LIMITS,
    MINIMUM_FRAMES,
    GateFigures,
    compare,
    judge,
)

SIDE = 112


def bump(row: float, column: float, height: float = 0.9) -> NDArray[np.float32]:
    """A (1, 8, 8) map with one soft peak, in cells."""
    rows, columns = np.mgrid[:8, :8]
    squared = (rows - row) ** 2 + (columns - column) ** 2
    return (height * np.exp(-squared / 4))[None].astype(np.float32)


def frames(*maps: NDArray[np.float32]) -> list[NDArray[np.float32]]:
    return list(maps) * MINIMUM_FRAMES


def figures(one: list[NDArray[np.float32]], other: list[NDArray[np.float32]]) -> GateFigures:
    return compare(one, other, threshold=0.5, height=SIDE, width=SIDE)


@given(
    row=st.floats(1, 6),
    column=st.floats(1, 6),
    height=st.floats(0.01, 1),
    precision=st.sampled_from(sorted(LIMITS)),
)
def test_equal_answers_pass_at_every_precision(
    row: float, column: float, height: float, precision: str
) -> None:
    same = frames(bump(row, column, height))
    found = figures(same, [one.copy() for one in same])
    assert judge(found, LIMITS[precision]) == []
    assert found.max_abs == 0.0
    assert found.cosine == pytest.approx(1.0)


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_one_value_that_is_not_finite_fails(value: float) -> None:
    good = frames(bump(3, 3))
    bad = [one.copy() for one in good]
    bad[-1][0, 7, 7] = value
    assert judge(figures(good, bad), LIMITS["int8"]) == ["heat is not finite"]


def test_a_peak_elsewhere_is_measured_in_pixels_of_the_input() -> None:
    found = figures(frames(bump(3, 1)), frames(bump(3, 5)))
    assert found.argmax_shift == pytest.approx(4 * SIDE / 8, abs=2)
    assert found.mask_iou is not None
    assert found.mask_iou < 0.2
    failures = " ".join(judge(found, LIMITS["int8"]))
    assert "peak shift" in failures
    assert "mask IoU" in failures
    assert "cosine" in failures


def test_of_two_peaks_that_are_equally_hot_either_is_right() -> None:
    two = np.maximum(bump(2, 2, 0.9), bump(5, 5, 0.895))
    other = np.maximum(bump(2, 2, 0.895), bump(5, 5, 0.9))
    assert figures(frames(two), frames(other)).argmax_shift == 0.0
    lower = np.maximum(bump(2, 2, 0.9), bump(5, 5, 0.88))
    assert figures(frames(lower), frames(other)).argmax_shift == pytest.approx(59, abs=4)


def test_a_single_bad_frame_among_good_ones_fails() -> None:
    good = frames(bump(3, 3))
    bad = [*good[:-1], bump(6, 6)]
    assert any("cosine" in failure for failure in judge(figures(good, bad), LIMITS["int8"]))


def test_scaled_heat_fails_although_its_cosine_is_one() -> None:
    found = figures(frames(bump(3, 3)), frames(bump(3, 3, height=0.4)))
    assert found.cosine == pytest.approx(1.0)
    assert any("max |d|" in failure for failure in judge(found, LIMITS["int8"]))


def test_too_few_frames_fail() -> None:
    few = [bump(3, 3)] * (MINIMUM_FRAMES - 1)
    assert judge(figures(few, few), LIMITS["fp32"]) == [
        f"compared on {MINIMUM_FRAMES - 1} frames, needs {MINIMUM_FRAMES}"
    ]


def test_flat_maps_have_no_peak_to_shift() -> None:
    flat = np.full((1, 8, 8), 0.2, np.float32)
    noisy = flat + np.linspace(0, 1e-4, 64, dtype=np.float32).reshape(1, 8, 8)
    found = figures(frames(flat), frames(noisy))
    assert found.contrasted_maps == 0
    assert found.argmax_shift is None
    assert found.mask_iou is None
    assert judge(found, LIMITS["bf16"]) == []


def test_heat_where_the_reference_has_none_fails() -> None:
    empty = np.zeros((1, 8, 8), np.float32)
    assert figures(frames(empty), frames(bump(3, 3))).cosine == 0.0
    assert judge(figures(frames(empty), frames(empty)), LIMITS["fp32"]) == []


def test_another_shape_is_refused() -> None:
    with pytest.raises(ValueError, match=r"shape \(1, 8, 8\), the runtime gave \(1, 4, 4\)"):
        figures(frames(bump(3, 3)), frames(np.zeros((1, 4, 4), np.float32)))


def test_figures_survive_json() -> None:
    found = figures(frames(bump(3, 3)), frames(bump(3, 3.1)))
    assert GateFigures.from_dict(found.as_dict()) == found


def test_int8_that_only_just_passes_is_not_offered() -> None:
    passing = GateFigures(16, 48, True, 0.99, 0.995, 0.1, 0.9, 4.0, 48)
    assert judge(passing, LIMITS["int8"]) == []
    narrow = replace(passing, mask_iou=0.801)
    (failure,) = judge(narrow, LIMITS["int8"])
    assert failure == "mask IoU 0.801 is below 0.83, the limit with room"
    assert judge(narrow, replace(LIMITS["int8"], room=0.0)) == []
    assert judge(replace(passing, mask_iou=0.785), LIMITS["int8"]) == [
        "mask IoU 0.785 is below 0.8"
    ]


def test_limits_loosen_with_the_precision() -> None:
    order = [LIMITS[name] for name in ("fp32", "fp16", "bf16", "int8")]
    for strict, loose in itertools.pairwise(order):
        assert strict.cosine >= loose.cosine
        assert strict.max_abs <= loose.max_abs
        assert strict.mask_iou >= loose.mask_iou
        assert strict.argmax_shift <= loose.argmax_shift
    assert LIMITS["int8"].cosine >= 0.98
