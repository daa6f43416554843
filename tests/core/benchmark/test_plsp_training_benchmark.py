"""WSAG-PLSP's plain path is slower than ours, not another method: answers and losses agree."""

from __future__ import annotations

import pytest
import torch

from affordance_grounding_core.actions.datasets import AGD20K_SEEN
from affordance_grounding_core.benchmark.machine import Machine
from affordance_grounding_core.benchmark.published_plsp import (
    PlainEncoder,
    plain_network,
)
from affordance_grounding_core.benchmark.training_plsp import (
    PlspTrainingBenchmark,
    random_plsp_batch,
)
from affordance_grounding_core.methods.plsp.attention import ImageReadsTokens, TokensReadImage
from affordance_grounding_core.methods.plsp.config import PlspNetworkConfig
from affordance_grounding_core.methods.plsp.encoders import ClipTokens
from affordance_grounding_core.methods.plsp.network import PlspNetwork


@pytest.fixture
def network() -> PlspNetwork:
    torch.manual_seed(0)
    config = PlspNetworkConfig(
        actions=len(AGD20K_SEEN),
        width=32,
        fuser_depth=2,
        fuser_heads=4,
        decoder_heads=4,
        decoder_hidden=16,
        classifier_hidden=8,
    )
    made = PlspNetwork(config, ClipTokens(64, 16, 32, 2, 4, 32))
    for name, value in made.named_parameters():
        if name.endswith("bias"):  # zeros would hide a bias that is left out
            torch.nn.init.normal_(value, std=0.1)
    return made


def test_ordinary_layers_answer_the_same(network: PlspNetwork) -> None:
    network.eval()
    plain = plain_network(network)
    assert isinstance(plain.encoder, PlainEncoder)
    kinds = {type(module) for module in plain.modules()}
    assert not kinds & {ImageReadsTokens, TokensReadImage}, "none of our short cuts is left"
    pixels, actions = torch.randn(2, 3, 64, 80), torch.randn(2, 32)
    with torch.no_grad():
        ours, theirs = network(pixels, actions), plain(pixels, actions)
    for name in ("logits", "affordance", "noun", "part"):
        torch.testing.assert_close(getattr(theirs, name), getattr(ours, name), rtol=1e-3, atol=1e-5)


def test_the_plain_network_has_weights_of_its_own(network: PlspNetwork) -> None:
    plain = plain_network(network)
    own = {value.data_ptr() for value in network.parameters()}
    assert not own & {value.data_ptr() for value in plain.parameters()}
    assert sum(p.numel() for p in plain.parameters()) == sum(
        p.numel() for p in network.parameters()
    )


def test_first_losses_agree(network: PlspNetwork) -> None:
    batch = random_plsp_batch(samples=3, size=64, width=32)
    losses = PlspTrainingBenchmark(batch, network).first_losses()
    assert losses["eager fp32"] == pytest.approx(losses["published-eager"], rel=1e-4)
    assert losses["eager bf16"] == pytest.approx(losses["published-eager"], rel=2e-2)


def test_rows(network: PlspNetwork) -> None:
    batch = random_plsp_batch(samples=2, size=64, width=32)
    rows = PlspTrainingBenchmark(batch, network).run(1, Machine(1, 1, "cpu", {"fp32": 1.0}))
    assert [(row.runtime, row.precision) for row in rows] == [
        ("published-eager", "fp32"),
        ("eager", "fp32"),
        ("eager", "bf16"),
    ]
    assert rows[0].ratio == 1.0


def test_another_encoder_has_no_published_path(network: PlspNetwork) -> None:
    network.encoder = None
    with pytest.raises(TypeError, match="the published encoder is CLIP"):
        plain_network(network)
