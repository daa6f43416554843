"""The metrics meet the numbers of the published code, and never answer NaN."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.typing import NDArray

from affordance_grounding_core.evaluation import metrics
from affordance_grounding_core.evaluation.protocols import PROTOCOLS

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


def plain_locate(predicted: NDArray[np.float64], true: NDArray[np.float64]) -> tuple[float, ...]:
    """LOCATE's three metrics with one loop over the pixels."""
    pixels = list(zip(predicted.ravel().tolist(), true.ravel().tolist(), strict=True))
    p_total = sum(p for p, _ in pixels) + 1e-12
    g_total = sum(g for _, g in pixels) + 1e-12
    kld = sim = 0.0
    for p, g in pixels:
        p, g = p / p_total, g / g_total
        kld += g * math.log(g / (p + 1e-12) + 1e-12)
        sim += min(p, g)
    mean = sum(p for p, _ in pixels) / len(pixels)
    deviation = math.sqrt(sum((p - mean) ** 2 for p, _ in pixels) / len(pixels))
    low, high = min(g for _, g in pixels), max(g for _, g in pixels)
    hot = [p for p, g in pixels if (g - low) / (high - low + 255e-12) > 0.1]
    total = sum((p - mean) / deviation for p in hot)
    return kld, sim, total / (len(hot) + len(pixels) * 1e-12)


def plain_plsp(predicted: NDArray[np.float64], true: NDArray[np.float64]) -> tuple[float, ...]:
    """WSAG-PLSP's three metrics with one loop over the pixels."""
    pixels = list(zip(predicted.ravel().tolist(), true.ravel().tolist(), strict=True))
    kld = sum(g * (math.log(g) - math.log(p + 1e-10)) for p, g in pixels if g > 0)
    sim = sum(min(pair) for pair in pixels)
    mean = sum(p for p, _ in pixels) / len(pixels)
    deviation = math.sqrt(sum((p - mean) ** 2 for p, _ in pixels) / (len(pixels) - 1))
    low, high = min(g for _, g in pixels), max(g for _, g in pixels)
    hot = [p for p, g in pixels if (g - low) / (high - low) >= 0.1]
    return kld, sim, sum((p - mean) / deviation for p in hot) / len(hot)


@pytest.mark.parametrize("zero_border", [0, 1, 4])
def test_both_evaluations_meet_a_plain_implementation(zero_border: int) -> None:
    random = np.random.default_rng(zero_border)
    predicted, true = random.random((2, 10, 9, 12))
    true[:, :zero_border] = true[:, :, :zero_border] = 0
    true[:, true.shape[1] - zero_border :] = 0
    predicted[3] *= 1e-6
    ours = metrics.locate_scores(predicted, true)
    for place in range(len(predicted)):
        expected = plain_locate(predicted[place], true[place])
        assert [float(score[place]) for score in ours] == pytest.approx(expected, rel=1e-9)
        shares = [values / values.sum() for values in (predicted[place], true[place])]
        found = [float(score) for score in metrics.plsp_scores(*shares)]
        assert found == pytest.approx(plain_plsp(*shares), rel=1e-9)


def test_a_nearly_flat_prediction_meets_the_plain_implementation() -> None:
    random = np.random.default_rng(2)
    predicted, true = 0.5 + 1e-6 * random.random((9, 12)), random.random((9, 12))
    found = [float(score) for score in metrics.locate_scores(predicted, true)]
    assert found == pytest.approx(plain_locate(predicted, true), rel=1e-7)
    shares = [values / values.sum() for values in (predicted, true)]
    found = [float(score) for score in metrics.plsp_scores(*shares)]
    assert found == pytest.approx(plain_plsp(*shares), rel=1e-7)


def test_a_large_batch_is_scored_like_its_maps_one_by_one() -> None:
    random = np.random.default_rng(3)
    predicted, true = random.random((2, 5, 150, 140))
    for place in range(5):  # each with a zero border of its own
        true[place, : 10 * place] = true[place, :, 100 + place :] = 0
    for scores in (metrics.locate_scores, metrics.plsp_scores):
        together = np.transpose(scores(predicted, true))
        alone = [scores(*pair) for pair in zip(predicted, true, strict=True)]
        np.testing.assert_allclose(together, alone, rtol=1e-12)


def test_all_at_once_are_the_metrics_one_by_one() -> None:
    predicted, true = np.random.default_rng(5).random((2, 3, 8, 8))
    for scores, parts in (
        (metrics.locate_scores, ALL[:3]),
        (metrics.plsp_scores, ALL[3:]),
    ):
        for together, alone in zip(scores(predicted, true), parts, strict=True):
            np.testing.assert_array_equal(together, alone(predicted, true))


def test_a_prepared_prediction_is_min_maxed_in_double_precision() -> None:
    heat = np.random.default_rng(6).random((224, 224), np.float32)
    given = heat.copy()
    prepared = PROTOCOLS["locate"].prepare_prediction(heat)
    low, high = np.float64(heat.min()), np.float64(heat.max())
    np.testing.assert_array_equal(prepared, (heat - low) / (high - low + 1e-10))
    np.testing.assert_array_equal(heat, given)
