from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from hypothesis import assume, example, given
from hypothesis import strategies as st

from affordance_grounding_core.inference.heat_calibration import (
    CalibratedHeat,
    HeatCalibration,
    fit_heat_calibration,
)

PEAKS = st.lists(st.floats(-1e3, 1e3), min_size=1, max_size=20)


def heat_of(calibration: HeatCalibration, value: float) -> float:
    return float(CalibratedHeat(calibration)(torch.tensor(value, dtype=torch.float64)))


def test_what_is_afforded_becomes_hotter_than_half_and_the_rest_colder() -> None:
    calibration = fit_heat_calibration([8.0, 9.0, 11.0, 10.0], [2.0, 3.0, 1.0, 2.5, 2.2])
    assert heat_of(calibration, 8.0) > 0.5 > heat_of(calibration, 3.0)


def test_many_absent_pairs_do_not_make_everything_cold() -> None:
    rng = np.random.default_rng(0)
    present, absent = rng.normal(1.0, 1.0, 50), rng.normal(-1.0, 1.0, 5000)
    calibration = fit_heat_calibration(present, absent)
    assert heat_of(calibration, 0.0) == pytest.approx(0.5, abs=0.1)
    assert calibration.scale == pytest.approx(2.0, rel=0.5)  # log odds of the two Gaussians


@given(PEAKS, PEAKS)
def test_heat_is_finite_and_rises_whatever_the_peaks(
    present: list[float], absent: list[float]
) -> None:
    calibration = fit_heat_calibration(present, absent)
    assert calibration.scale > 0
    maps = torch.linspace(-1e3, 1e3, 101, dtype=torch.float64)
    heat = CalibratedHeat(calibration)(maps)
    assert torch.isfinite(heat).all()
    assert (heat.diff() >= 0).all()


@given(PEAKS, PEAKS, st.floats(0.01, 100.0), st.floats(-100.0, 100.0))
@example([1.75], [1.75, 1.75], 3.3417989255380363, 0.0)  # equal peaks whose mean is another
def test_the_unit_of_the_map_does_not_matter(
    present: list[float], absent: list[float], factor: float, shift: float
) -> None:
    peaks = [*present, *absent]
    moved = factor * max(map(abs, peaks)) + abs(shift)
    width = factor * (max(peaks) - min(peaks))
    assume(width == 0 or width > 1e-3 * moved)  # finer is lost in the float32 of a calibration
    plain = fit_heat_calibration(present, absent)
    other = fit_heat_calibration(
        [factor * value + shift for value in present], [factor * value + shift for value in absent]
    )
    for value in peaks:
        assert heat_of(other, factor * value + shift) == pytest.approx(
            heat_of(plain, value), abs=2e-2
        )


@pytest.mark.parametrize(("present", "absent"), [([], [1.0]), ([1.0], []), ([math.nan], [0.0])])
def test_peaks_that_cannot_be_fitted_are_refused(present: list[float], absent: list[float]) -> None:
    with pytest.raises(ValueError, match="finite peaks of both kinds"):
        fit_heat_calibration(present, absent)


@pytest.mark.parametrize(
    ("scale", "offset"), [(0.0, 0.0), (-1.0, 0.0), (math.inf, 0.0), (1, math.nan)]
)
def test_a_calibration_that_does_not_rise_is_refused(scale: float, offset: float) -> None:
    with pytest.raises(ValueError, match="scale above 0"):
        HeatCalibration(scale, offset)
