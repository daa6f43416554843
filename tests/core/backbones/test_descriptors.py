from __future__ import annotations

from typing import Any

import pytest
import torch
from torch.nn import functional
from torch.utils.flop_counter import FlopCounterMode

from affordance_grounding_core.backbones.dino import Dino
from affordance_grounding_core.backbones.dinov2 import Dinov2
from affordance_grounding_core.backbones.loading import DESCRIPTORS, build_descriptor_backbone
from affordance_grounding_core.backbones.transformer_backbone import (
    TransformerBackbone,
    TransformerSizes,
)
from affordance_grounding_core.errors import WeightsError

BATCH, WIDTH, HEADS, DEPTH = 2, 24, 3, 3


@pytest.fixture(params=["dino", "dinov2"])
def backbone(request: pytest.FixtureRequest) -> TransformerBackbone:
    torch.manual_seed(0)
    if request.param == "dino":
        return Dino(sizes=TransformerSizes(32, 8, WIDTH, DEPTH, HEADS))
    return Dinov2(sizes=TransformerSizes(28, 7, WIDTH, DEPTH, HEADS))


def pixels_for(backbone: TransformerBackbone, rows: int = 4, columns: int = 4) -> torch.Tensor:
    side = backbone.patch_size
    generator = torch.Generator().manual_seed(1)
    return torch.randn(BATCH, 3, rows * side, columns * side, generator=generator)


def heads_of(values: torch.Tensor) -> torch.Tensor:
    return values.reshape(*values.shape[:2], HEADS, WIDTH // HEADS).transpose(1, 2)


def written_out(backbone: TransformerBackbone, pixels: torch.Tensor) -> tuple[Any, Any]:
    """Keys and class attention of the last block from timm's own projections."""
    seen: dict[str, torch.Tensor] = {}
    block: Any = backbone.transformer.blocks[-1]
    hook = block.attn.qkv.register_forward_hook(
        lambda module, inputs, output: seen.update(qkv=output)
    )
    try:
        backbone.transformer.forward_features(pixels)
    finally:
        hook.remove()
    query, key, _ = (heads_of(part) for part in seen["qkv"].chunk(3, dim=-1))
    scores = query @ key.transpose(-1, -2) / (WIDTH // HEADS) ** 0.5
    return key, scores.softmax(dim=-1)


@torch.no_grad()
def test_descriptors_are_the_keys_with_interleaved_heads(backbone: TransformerBackbone) -> None:
    pixels = pixels_for(backbone)
    key, attention = written_out(backbone, pixels)
    described = backbone.describe(pixels, attention=True)
    assert described.patches.shape == (BATCH, 16, WIDTH)
    for head in range(HEADS):
        for channel in range(WIDTH // HEADS):
            torch.testing.assert_close(
                described.patches[..., channel * HEADS + head], key[:, head, 1:, channel]
            )
    assert described.class_attention is not None
    torch.testing.assert_close(described.class_attention, attention[:, :, 0, 1:])


@torch.no_grad()
def test_without_attention_the_descriptors_are_the_same(backbone: TransformerBackbone) -> None:
    pixels = pixels_for(backbone)
    alone = backbone.describe(pixels, attention=False)
    assert alone.class_attention is None
    torch.testing.assert_close(alone.patches, backbone.describe(pixels, attention=True).patches)


@torch.no_grad()
def test_the_last_block_computes_keys_and_nothing_else(backbone: TransformerBackbone) -> None:
    pixels = pixels_for(backbone)

    def flops(attention: bool | None) -> int:
        with FlopCounterMode(display=False) as counter:
            tokens = backbone.last_block_input(pixels)
            if attention is None:
                return counter.get_total_flops()
        assert len(tokens) == BATCH
        with FlopCounterMode(display=False) as counter:
            backbone.describe(pixels, attention=attention)
        return counter.get_total_flops()

    before = flops(None)
    one_token = 2 * BATCH * WIDTH * WIDTH
    assert flops(False) - before == 16 * one_token
    scores = 2 * BATCH * 17 * WIDTH
    assert flops(True) - before == (17 + 1) * one_token + scores  # keys, one query, its scores


@torch.no_grad()
@pytest.mark.parametrize(("rows", "columns"), [(1, 1), (6, 6), (2, 8), (5, 3)])
def test_any_grid_of_patches(backbone: TransformerBackbone, rows: int, columns: int) -> None:
    described = backbone.describe(pixels_for(backbone, rows, columns), attention=True)
    assert described.patches.shape == (BATCH, rows * columns, WIDTH)
    assert torch.isfinite(described.patches).all()


@torch.no_grad()
def test_a_wide_grid_of_as_many_patches_has_its_own_positions(
    backbone: TransformerBackbone,
) -> None:
    pixels = torch.zeros(1, 3, 4 * backbone.patch_size, 4 * backbone.patch_size)
    wide = torch.zeros(1, 3, 2 * backbone.patch_size, 8 * backbone.patch_size)
    square = backbone.describe(pixels, attention=False).patches
    assert not torch.allclose(backbone.describe(wide, attention=False).patches, square)


@torch.no_grad()
def test_resized_positions_follow_newly_loaded_weights(backbone: TransformerBackbone) -> None:
    pixels = pixels_for(backbone, 6, 6)
    before = backbone.describe(pixels, attention=False).patches
    state = backbone.state_dict()
    state["transformer.pos_embed"] = state["transformer.pos_embed"] + 1.0
    torch.nn.ModuleDict({"inside": backbone}).load_state_dict(
        {f"inside.{name}": value for name, value in state.items()}
    )
    after = backbone.describe(pixels, attention=False).patches
    assert not torch.allclose(before, after)


@torch.no_grad()
def test_positions_of_dino_are_sampled_as_its_own_code_does() -> None:
    backbone = Dino(sizes=TransformerSizes(32, 8, WIDTH, 1, HEADS))
    backbone.transformer.patch_embed.proj.weight.zero_()
    table = backbone.transformer.get_parameter("pos_embed")
    grid = table[:, 1:].reshape(1, 4, 4, WIDTH).permute(0, 3, 1, 2)
    resized = functional.interpolate(grid, scale_factor=(6.1 / 4, 5.1 / 4), mode="bicubic")
    expected = resized.flatten(2).transpose(1, 2) + backbone.transformer.patch_embed.proj.bias
    tokens = backbone.last_block_input(torch.zeros(1, 3, 48, 40))
    torch.testing.assert_close(tokens[:, 1:], expected)


def test_backbones_are_frozen(backbone: TransformerBackbone) -> None:
    assert not backbone.training
    assert not any(parameter.requires_grad for parameter in backbone.parameters())


def test_published_sizes() -> None:
    found = {}
    with torch.device("meta"):
        for name in DESCRIPTORS:
            built = build_descriptor_backbone(name)
            found[name] = (built.width, built.heads, built.depth, built.patch_size)
    assert found == {
        "dino_vits16": (384, 6, 12, 16),
        "dinov2_vits14": (384, 6, 12, 14),
        "dinov2_vitb14": (768, 12, 12, 14),
    }


def test_an_unknown_backbone_is_named() -> None:
    with pytest.raises(ValueError, match=r"dino_vits16.*got 'resnet50'"):
        build_descriptor_backbone("resnet50")


def test_weights_of_another_size_are_refused(backbone: TransformerBackbone) -> None:
    tensors = {name: value[..., :1] for name, value in backbone.transformer.state_dict().items()}
    with pytest.raises(WeightsError, match="of another shape"):
        backbone.load_tensors(tensors)


@pytest.mark.parametrize("sizes", [(30, 8, 24, 1, 3), (32, 8, 25, 1, 3), (32, 8, 24, 0, 3)])
def test_sizes_that_make_no_transformer_are_refused(sizes: tuple[int, int, int, int, int]) -> None:
    with pytest.raises(ValueError, match=r"multiple|positive"):
        TransformerSizes(*sizes)
