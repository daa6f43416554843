"""From the published density to heat that a robot can use."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from affordance_grounding_core.evaluation.protocols import PROTOCOLS
from affordance_grounding_core.inference.heat_calibration import HeatCalibration
from affordance_grounding_core.methods.plsp.clip_encoder import ClipTokens
from affordance_grounding_core.methods.plsp.config import PlspNetworkConfig
from affordance_grounding_core.methods.plsp.heat_network import PlspHeatNetwork
from affordance_grounding_core.methods.plsp.network import PlspNetwork

SIZES = PlspNetworkConfig(
    actions=3,
    width=32,
    fuser_depth=2,
    fuser_heads=4,
    decoder_depth=2,
    decoder_heads=4,
    decoder_hidden=16,
    classifier_hidden=8,
)
PIXELS = torch.randn(1, 3, 64, 64, generator=torch.Generator().manual_seed(1))
ACTIONS = torch.arange(3)


def network(heat: HeatCalibration) -> PlspHeatNetwork:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        plain = PlspNetwork(SIZES, ClipTokens(64, 16, 32, 2, 4, 32))
        return PlspHeatNetwork(plain, torch.randn(3, 32), heat)


@pytest.mark.parametrize("scale", [0.01, 1.0, 8.0])
def test_heat_scores_as_the_published_density_however_weak_the_calibration(scale: float) -> None:
    """A slope near 0, as peaks that know nothing of presence give, once made heat nearly even."""
    made = network(HeatCalibration(scale, -0.1))
    with torch.inference_mode():
        heat = made(PIXELS, ACTIONS).numpy()
        logits = made.evaluation_maps(PIXELS, ACTIONS)["log_density"].numpy()
    for one, raw in zip(heat, logits, strict=True):
        published = np.exp(raw - raw.max())
        np.testing.assert_allclose(one / one.sum(), published / published.sum(), rtol=1e-4)
        prepare = PROTOCOLS["locate"].prepare_prediction
        np.testing.assert_allclose(prepare(one), prepare(published), atol=1e-4)


def test_peaks_compare_between_images_by_the_calibration() -> None:
    heat = HeatCalibration(3.0, -0.5)
    made = network(heat)
    with torch.inference_mode():
        peaks = made(PIXELS, ACTIONS).amax(dim=(1, 2))
        expected = heat(made.raw_maps(PIXELS, ACTIONS).amax(dim=(1, 2)))
    torch.testing.assert_close(peaks, expected)
    assert float(peaks.max()) <= 1.0
