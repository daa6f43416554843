"""Attention without projecting the image, positions, and the network around them."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch.nn import functional

from affordance_grounding_core.evaluation.protocols import PROTOCOLS
from affordance_grounding_core.inference.heat_calibration import CalibratedHeat, HeatCalibration
from affordance_grounding_core.methods.plsp.attention import (
    ImageReadsTokens,
    TokenAttention,
    TokensReadImage,
    read_image,
    sine_cosine_positions,
    split_heads,
)
from affordance_grounding_core.methods.plsp.config import PlspLossConfig, PlspNetworkConfig
from affordance_grounding_core.methods.plsp.decoder import HeatDecoder
from affordance_grounding_core.methods.plsp.encoders import ClipTokens
from affordance_grounding_core.methods.plsp.network import PlspHeatNetwork, PlspNetwork

SMALL = PlspNetworkConfig(
    actions=3,
    width=32,
    fuser_depth=2,
    fuser_heads=4,
    decoder_depth=2,
    decoder_heads=4,
    decoder_hidden=16,
    classifier_hidden=8,
)


@pytest.fixture
def network() -> PlspNetwork:
    torch.manual_seed(0)
    return PlspNetwork(SMALL, ClipTokens(48, 16, 32, 2, 4, 32)).eval()


@pytest.mark.parametrize(
    ("kind", "queries", "keys"), [(TokensReadImage, 3, 50), (ImageReadsTokens, 50, 3)]
)
def test_folded_attention_is_ordinary_attention(
    kind: type[TokenAttention], queries: int, keys: int
) -> None:
    torch.manual_seed(1)
    folded, plain = kind(24, 12, 4).double(), TokenAttention(24, 12, 4).double()
    plain.load_state_dict(folded.state_dict())
    asked = torch.randn(2, queries, 24, dtype=torch.float64, requires_grad=True)
    seen, values = (torch.randn(2, keys, 24, dtype=torch.float64) for _ in range(2))
    weights = torch.randn(2, queries, 24, dtype=torch.float64)
    answers = [module(asked, seen, values) for module in (folded, plain)]
    torch.testing.assert_close(answers[0], answers[1])
    parameters = [[asked, *(p for p in m.parameters() if p.requires_grad)] for m in (folded, plain)]
    gradients = [
        torch.autograd.grad((answer * weights).sum(), wanted)
        for answer, wanted in zip(answers, parameters, strict=True)
    ]
    torch.testing.assert_close(gradients[0], gradients[1])


def test_one_image_is_read_for_many_queries() -> None:
    torch.manual_seed(2)
    query = split_heads(torch.randn(5, 1, 16), 4)
    image = torch.randn(1, 9, 16)
    weights = torch.randn(16, 16), torch.randn(16, 16), torch.randn(16)
    together = read_image(query, image, image, *weights)
    each = [read_image(one[None], image, image, *weights) for one in query]
    torch.testing.assert_close(together, torch.cat(each))


def test_positions_say_row_then_column() -> None:
    table = sine_cosine_positions(2, 3, 8).reshape(2, 3, 8)
    assert torch.equal(table[:, 0, :4], table[:, 2, :4])  # rows are the same along a row
    assert torch.equal(table[0, :, 4:], table[1, :, 4:])
    assert not torch.equal(table[0, 0, :4], table[1, 0, :4])
    with pytest.raises(ValueError, match="width that 4 divides, got 6"):
        sine_cosine_positions(2, 2, 6)


def test_the_network_of_the_paper_has_the_tensors_of_its_checkpoint() -> None:
    with torch.device("meta"):
        network = PlspNetwork(PlspNetworkConfig(actions=36), ClipTokens())
    tensors = network.state_dict()
    assert len(tensors) == 351
    assert sum(value.numel() for value in network.parameters()) == pytest.approx(112.5e6, rel=2e-3)
    for name, shape in (
        ("encoder.positional_embedding", (197, 768)),
        ("verb_fuser.rd_pos_embed", (1, 198, 512)),
        ("pred_decoder.pe_layer.positional_encoding_gaussian_matrix", (2, 256)),
        ("exo_cls.2.weight", (36, 256)),
        ("reason.0.weight", (512, 1024)),
    ):
        assert tuple(tensors[name].shape) == shape


def test_actions_in_one_image_are_those_of_separate_images(network: PlspNetwork) -> None:
    pixels, actions = torch.randn(1, 3, 48, 48), torch.randn(4, 32)
    with torch.no_grad():
        tokens, rows, columns = network.encode(pixels)
        together = network.ground(tokens, actions, rows, columns)
        each = network(pixels.expand(4, -1, -1, -1), actions)
    torch.testing.assert_close(together.logits, each.logits)
    torch.testing.assert_close(together.part, each.part)
    assert together.logits.shape == (4, 1, 12, 12)


def test_any_grid_of_patches_is_grounded(network: PlspNetwork) -> None:
    with torch.no_grad():
        answer = network(torch.randn(2, 3, 32, 80), torch.randn(2, 32))
    assert answer.logits.shape == (2, 1, 8, 20)
    assert torch.isfinite(answer.logits).all()
    with pytest.raises(ValueError, match="multiples of 16, got 40 x 48"):
        network.encode(torch.zeros(1, 3, 40, 48))


def test_the_noun_does_not_pull_at_the_encoder(network: PlspNetwork) -> None:
    answer = network(torch.randn(1, 3, 48, 48), torch.randn(1, 32))
    answer.noun.sum().backward()
    assert all(p.grad is None or not p.grad.any() for p in network.encoder.parameters())


def test_without_reasoning_the_part_does_not_matter(network: PlspNetwork) -> None:
    from dataclasses import replace

    plain = PlspNetwork(replace(SMALL, reasoning=False), ClipTokens(48, 16, 32, 2, 4, 32)).eval()
    plain.load_state_dict(network.state_dict())
    pixels, actions = torch.randn(1, 3, 48, 48), torch.randn(1, 32)
    with torch.no_grad():
        before = plain(pixels, actions).logits
        for parameter in plain.reason.parameters():
            parameter.zero_()
        torch.testing.assert_close(plain(pixels, actions).logits, before)


def test_every_parameter_that_learns_gets_a_gradient(network: PlspNetwork) -> None:
    network.train()
    answer = network(torch.randn(2, 3, 48, 48), torch.randn(2, 32))
    people, _, _ = network.encode(torch.randn(2, 3, 48, 48))
    loss = answer.logits.square().sum() + answer.part.sum() + answer.affordance.sum()
    (loss + network.classify(people[:, 1]).square().sum()).backward()
    without = [n for n, p in network.named_parameters() if p.requires_grad and p.grad is None]
    assert without == []


def test_the_decoder_works_without_a_query() -> None:
    decoder = HeatDecoder(32, 1, 4, 16).eval()
    functional_input = torch.randn(2, 1 + 6, 32)
    assert decoder(functional_input, None, 2, 3).shape == (2, 1, 8, 12)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"actions": 0}, "actions must be at least 1, got 0"),
        ({"width": 20}, "width must be a positive multiple of 8"),
        ({"fuser_heads": 5}, "fuser_heads must divide width 32, got 5"),
        ({"decoder_heads": 3}, "decoder_heads must divide half of width 32, got 3"),
        ({"drop_path": 1.0}, r"drop_path must lie in \[0, 1\), got 1.0"),
        ({"decoder_depth": -1}, "decoder_depth must not be negative, got -1"),
    ],
)
def test_impossible_sizes_are_refused(change: dict[str, float], message: str) -> None:
    values = {"actions": 3, "width": 32, "fuser_heads": 4, "decoder_heads": 4} | change
    with pytest.raises(ValueError, match=message):
        PlspNetworkConfig(**values)


def test_an_encoder_of_another_width_is_refused() -> None:
    with pytest.raises(ValueError, match="tokens have 24 channels, the network expects 32"):
        PlspNetwork(SMALL, ClipTokens(48, 16, 32, 1, 4, 24))
    with pytest.raises(ValueError, match="without an encoder the grid"):
        PlspNetwork(SMALL, None)
    with pytest.raises(RuntimeError, match="has no encoder"):
        PlspNetwork(SMALL, None, (2, 2)).encode(torch.zeros(1, 3, 32, 32))


def test_loss_weights_are_checked() -> None:
    with pytest.raises(ValueError, match="'noun' must not be negative, got -1"):
        PlspLossConfig(noun=-1)
    with pytest.raises(ValueError, match=r"margin must lie in \[0, 2\)"):
        PlspLossConfig(margin=2.0)


def test_softmax_of_folded_scores_is_that_of_torch() -> None:
    """The bias of the keys changes nothing, which is why it does not learn."""
    module = TokensReadImage(16, 8, 2)
    tokens, image = torch.randn(1, 2, 16), torch.randn(1, 7, 16)
    before = module(tokens, image, image)
    with torch.no_grad():
        module.k_proj.bias.add_(3.0)
    plain = functional.scaled_dot_product_attention(
        split_heads(module.q_proj(tokens), 2),
        split_heads(module.k_proj(image), 2),
        split_heads(module.v_proj(image), 2),
    )
    torch.testing.assert_close(before, module.out_proj(plain.transpose(1, 2).flatten(2)))
    assert not module.k_proj.bias.requires_grad


def heat_and_density(
    network: PlspNetwork, calibration: HeatCalibration
) -> tuple[torch.Tensor, torch.Tensor]:
    grounding = PlspHeatNetwork(network, torch.randn(3, 32), calibration)
    pixels, actions = torch.randn(1, 3, 48, 48), torch.arange(3)
    with torch.inference_mode():
        maps = grounding.evaluation_maps(pixels, actions)
        return grounding(pixels, actions), maps["log_density"]


@pytest.mark.parametrize("scale", [0.01, 1.0, 8.0])
def test_heat_scores_as_the_published_density_however_weak_the_calibration(
    network: PlspNetwork, scale: float
) -> None:
    """A slope near 0, as peaks that know nothing of presence give, once made heat nearly even."""
    heat, density = heat_and_density(network, HeatCalibration(scale, -0.1))
    for one, raw in zip(heat.numpy(), density.numpy(), strict=True):
        published = np.exp(raw - raw.max())
        np.testing.assert_allclose(one / one.sum(), published / published.sum(), rtol=1e-4)
        prepare = PROTOCOLS["locate"].prepare_prediction
        np.testing.assert_allclose(prepare(one), prepare(published), atol=1e-4)


def test_peaks_of_heat_compare_between_images_by_the_calibration(network: PlspNetwork) -> None:
    calibration = HeatCalibration(3.0, -0.5)
    heat, density = heat_and_density(network, calibration)
    torch.testing.assert_close(
        heat.amax(dim=(1, 2)), CalibratedHeat(calibration)(density.amax(dim=(1, 2)))
    )
    assert float(heat.max()) <= 1.0
