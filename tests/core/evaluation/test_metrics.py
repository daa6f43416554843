"""The metrics meet the numbers of the published code, and never answer NaN."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.typing import NDArray

from affordance_grounding_core.evaluation import metrics

GOLDEN = Path(__file__).parents[2] / "golden" / "data"
TOLERANCE = {"rtol": 1e-4, "atol": 1e-5}
ALL = [
    metrics.locate_kld,
    metrics.locate_sim,
    metrics.locate_nss,
    metrics.plsp_kld,
    metrics.plsp_sim,
    metrics.plsp_nss,
]
Metric = Callable[..., NDArray[np.float64]]


@pytest.mark.parametrize("case", ["r0", "same", "const_pred"])
def test_locate_meets_the_published_numbers(case: str) -> None:
    golden = np.load(GOLDEN / "eval_locate.npz")
    maps = golden[f"{case}.pred"], golden[f"{case}.gt"]
    np.testing.assert_allclose(metrics.locate_kld(*maps), golden[f"{case}.kl"], **TOLERANCE)
    np.testing.assert_allclose(metrics.locate_sim(*maps), golden[f"{case}.sim"], **TOLERANCE)
    if case == "const_pred":
        assert np.isnan(golden["const_pred.nss"])
        assert metrics.locate_nss(*maps) == 0
    else:
        np.testing.assert_allclose(metrics.locate_nss(*maps), golden[f"{case}.nss"], **TOLERANCE)


def test_plsp_meets_the_published_numbers() -> None:
    golden = np.load(GOLDEN / "plsp_metrics.npz")
    maps = golden["prob.pred"].reshape(3, 8, 8), golden["prob.gt"].reshape(3, 8, 8)
    kld = metrics.plsp_kld(*maps)
    np.testing.assert_allclose(kld, golden["prob.KLD_none"].sum(axis=1), **TOLERANCE)
    np.testing.assert_allclose(kld.mean(), golden["prob.KLD_batchmean"], **TOLERANCE)
    np.testing.assert_allclose(metrics.plsp_sim(*maps).mean(), golden["prob.SIM"], **TOLERANCE)
    np.testing.assert_allclose(metrics.plsp_nss(*maps).mean(), golden["prob.NSS"], **TOLERANCE)


@pytest.mark.parametrize("metric", ALL)
def test_a_batch_is_scored_like_its_maps(metric: Metric) -> None:
    random = np.random.default_rng(1)
    predicted, true = random.random((2, 3, 6, 5)), random.random((2, 3, 6, 5))
    batch = metric(predicted, true)
    assert batch.shape == (2, 3)
    assert batch[1, 2] == pytest.approx(float(metric(predicted[1, 2], true[1, 2])))


@pytest.mark.parametrize("metric", ALL)
@given(
    arrays(np.float32, (4, 3), elements=st.floats(0, 1, width=32)),
    arrays(np.float32, (4, 3), elements=st.floats(0, 1, width=32)),
)
def test_every_pair_of_maps_has_a_finite_score(
    metric: Metric, predicted: NDArray[np.float32], true: NDArray[np.float32]
) -> None:
    assert np.isfinite(metric(predicted, true))


@pytest.mark.parametrize("metric", [metrics.locate_nss, metrics.plsp_nss])
@pytest.mark.parametrize("value", [0.0, 0.3, 1.0])
def test_maps_without_contrast_prefer_no_place(metric: Metric, value: float) -> None:
    constant, spot = np.full((14, 14), value), np.eye(14)
    assert metric(constant, spot) == 0
    assert metric(spot, constant) == pytest.approx(0)


def test_an_empty_ground_truth_scores_as_published() -> None:
    empty, spot = np.zeros((5, 5)), np.eye(5)
    assert metrics.locate_kld(spot, empty) == 0
    assert metrics.locate_sim(spot, empty) == 0
    assert metrics.locate_nss(spot, empty) == 0


@pytest.mark.parametrize("metric", ALL)
@pytest.mark.parametrize(
    ("predicted", "true"),
    [
        (np.ones((3, 3)), np.ones((3, 4))),
        (np.ones(3), np.ones(3)),
        (-np.ones((3, 3)), np.ones((3, 3))),
        (np.ones((3, 3)), np.full((3, 3), np.nan)),
        (np.ones((0, 3)), np.ones((0, 3))),
    ],
)
def test_maps_that_cannot_be_compared_are_refused(
    metric: Metric, predicted: NDArray[np.float64], true: NDArray[np.float64]
) -> None:
    with pytest.raises(ValueError, match="must"):
        metric(predicted, true)
