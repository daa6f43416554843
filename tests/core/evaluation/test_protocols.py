"""What the protocols do to the maps before they compare them."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from affordance_grounding_core.evaluation.protocols import PROTOCOLS, LocateProtocol

GOLDEN = Path(__file__).parents[2] / "golden" / "data"


def test_locate_prepares_maps_as_published() -> None:
    golden = np.load(GOLDEN / "eval_locate.npz")
    locate = LocateProtocol(size=56)  # the size the golden maps have
    prediction = locate.prepare_prediction(golden["r0.pred14"])
    truth = locate.prepare_ground_truth(golden["r0.gt_uint8"].astype(np.float32) / 255)
    np.testing.assert_allclose(prediction, golden["r0.pred"], rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(truth, golden["r0.gt"], rtol=1e-4, atol=1e-5)
    score = locate.score(prediction, truth)
    assert score.kld == pytest.approx(float(golden["r0.kl"]), rel=1e-4)
    assert score.sim == pytest.approx(float(golden["r0.sim"]), rel=1e-4)
    assert score.nss == pytest.approx(float(golden["r0.nss"]), rel=1e-4)
    np.testing.assert_array_equal(
        locate.prepare_prediction(golden["nm_const.in"]), golden["nm_const.out56"]
    )


def test_plsp_compares_distributions() -> None:
    plsp = PROTOCOLS["plsp"]
    heat = np.random.default_rng(0).random((20, 30)).astype(np.float32)
    prepared = plsp.prepare_prediction(heat)
    assert prepared.shape == (224, 224)
    assert prepared.sum() == pytest.approx(1)
    resized = cv2.resize(heat, (224, 224), interpolation=cv2.INTER_LINEAR)
    softmax = np.exp(np.log(resized, dtype=np.float64))
    np.testing.assert_allclose(prepared, softmax / softmax.sum())


def test_plsp_ignores_a_factor_on_the_heat_and_takes_nothing_for_uniform() -> None:
    plsp = PROTOCOLS["plsp"]
    heat = np.random.default_rng(0).random((20, 30)).astype(np.float32)
    np.testing.assert_allclose(
        plsp.prepare_prediction(heat / 4), plsp.prepare_prediction(heat), rtol=1e-4
    )
    nothing = np.zeros((20, 30), np.float32)
    np.testing.assert_allclose(plsp.prepare_prediction(nothing), 1 / 224**2)
    np.testing.assert_allclose(plsp.prepare_ground_truth(nothing), 1 / 224**2)


@pytest.mark.parametrize("name", PROTOCOLS)
def test_the_truth_itself_is_the_best_answer(name: str) -> None:
    protocol = PROTOCOLS[name]
    assert protocol.name == name
    truth = np.zeros((40, 60), np.float32)
    truth[10:20, 30:50] = 1
    prepared = protocol.prepare_ground_truth(truth)
    same = protocol.score(protocol.prepare_prediction(truth), prepared)
    other = protocol.score(protocol.prepare_prediction(truth[::-1].copy()), prepared)
    assert same.kld == pytest.approx(0, abs=1e-4)
    assert same.sim == pytest.approx(1)
    assert other.kld > same.kld
    assert other.sim < same.sim
    assert other.nss < same.nss
