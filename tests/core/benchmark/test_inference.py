"""The inference benchmark on a small model: same heat, honest rows."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from affordance_grounding_core.actions.vocabulary import ActionVocabulary
from affordance_grounding_core.benchmark.inference import (
    eager_runtime,
    measure_inference,
)
from affordance_grounding_core.benchmark.machine import Machine, Rates
from affordance_grounding_core.errors import RuntimeUnavailableError
from affordance_grounding_core.inference.grounder import Grounder, ModelInformation
from affordance_grounding_core.inference.network import GroundingNetwork
from affordance_grounding_core.inference.preprocess import Preprocess, PreprocessConfig
from affordance_grounding_core.inference.regions import RegionConfig
from affordance_grounding_core.runtimes.base import Candidate
from affordance_grounding_core.runtimes.eager import EagerRuntime

MACHINE = Machine(1, 1, "cpu", {"fp32": 100.0, "bf16": 100.0})


class KnownRates(Rates):
    """Rates that are known, and how often they were asked to be measured."""

    def __init__(self) -> None:
        self.measured = 0

    def measure(self, repeats: int = 1) -> None:
        self.measured += 1

    def machine(self) -> Machine:
        return MACHINE


class Edges(GroundingNetwork):
    """Heat for two actions from one convolution over patches."""

    answers_all_at_once = True

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.patches = nn.Conv2d(3, 2, 14, stride=14)

    def forward(self, pixels: torch.Tensor, actions: torch.Tensor) -> torch.Tensor:
        return torch.sigmoid(self.raw_maps(pixels, actions))

    def raw_maps(self, pixels: torch.Tensor, actions: torch.Tensor) -> torch.Tensor:
        return self.patches(pixels)[0].index_select(0, actions)

    def settings(self) -> dict[str, object]:
        return {}


@pytest.fixture
def grounder() -> Grounder:
    return Grounder(
        EagerRuntime(Edges(), "cpu"),
        Preprocess(PreprocessConfig(size=56, multiple=14)),
        ActionVocabulary(("hold", "hit"), {}),
        RegionConfig(),
        ModelInformation("edges", "drawn", "0" * 64),
    )


def test_rows_of_a_small_model(grounder: Grounder, tmp_path: Path) -> None:
    candidates = [Candidate("onnx", "fp32")]
    rates = KnownRates()
    rows = measure_inference(
        grounder, candidates, rates, size=56, rounds=2, store=tmp_path / "engines"
    )
    assert rates.measured == 2, "in turns with the runs"
    published, eager, onnx = rows
    assert (published.runtime, published.ratio, published.gate) == (
        "published-eager",
        1.0,
        "reference",
    )
    assert (eager.runtime, eager.precision, eager.max_error) == ("eager", "fp32", 0.0)
    assert onnx.max_error is not None
    assert onnx.max_error < 1e-4
    assert onnx.gate.startswith("passed, cosine 1.0000")
    operations = 2 * 16 * 2 * 3 * 14 * 14  # places, channels, taps
    assert eager.roofline_ms == pytest.approx(operations / 100e6)


def test_a_runtime_that_cannot_be_built_has_a_row_without_times(
    grounder: Grounder, tmp_path: Path
) -> None:
    (*_, tensorrt) = measure_inference(
        grounder, [Candidate("tensorrt", "fp16")], KnownRates(), size=56, rounds=1, store=tmp_path
    )
    assert tensorrt.median_ms is None
    assert tensorrt.gate.startswith("none: ")


def test_only_plain_pytorch_is_a_reference(colour_grounder: Grounder) -> None:
    with pytest.raises(RuntimeUnavailableError, match="plain PyTorch"):
        eager_runtime(colour_grounder)


def test_heat_of_the_reference_is_the_grounders(grounder: Grounder) -> None:
    pixels = np.zeros((3, 56, 56), np.float32)
    heat = eager_runtime(grounder).run(pixels, [1])
    assert heat.shape == (1, 4, 4)
