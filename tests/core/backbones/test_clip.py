from __future__ import annotations

from typing import Any

import open_clip
import pytest
import torch
from open_clip.transformer import QuickGELU
from torch import nn
from torch.nn import functional
from torch.utils.flop_counter import FlopCounterMode

from affordance_grounding_core.actions.datasets import AGD20K_SEEN
from affordance_grounding_core.actions.prompts import action_prompt
from affordance_grounding_core.backbones.clip import (
    Clip,
    clip_image_encoder,
    empty_clip,
    random_clip,
    tokenize,
)
from affordance_grounding_core.backbones.dense_attention import DenseMode
from affordance_grounding_core.errors import WeightsError

WIDTH, HEADS, TOKENS = 32, 4, 17


@pytest.fixture(scope="module")
def clip() -> Clip:
    return random_clip(0, width=WIDTH, heads=HEADS, layers=3, embedding_width=12)


@pytest.fixture(scope="module")
def pixels() -> torch.Tensor:
    return torch.randn(2, 3, 32, 32, generator=torch.Generator().manual_seed(0))


def last_block(clip: Clip) -> Any:
    return clip.image.visual.transformer.resblocks[-1]


@torch.no_grad()
def test_tokens_are_open_clips_own(clip: Clip, pixels: torch.Tensor) -> None:
    visual = clip.image.visual
    pooled = visual(pixels)
    tokens = clip.image.tokens(pixels)
    assert tokens.shape == (2, TOKENS, 12)
    torch.testing.assert_close(tokens[:, 0], pooled)


@torch.no_grad()
def test_clearclip_written_out(clip: Clip, pixels: torch.Tensor) -> None:
    """Attention by queries alone, without residual and MLP; then the final norm and projection."""
    seen: dict[str, torch.Tensor] = {}
    block = last_block(clip)
    hook = block.register_forward_pre_hook(lambda module, inputs: seen.update(x=inputs[0]))
    clip.image.visual(pixels)
    hook.remove()
    projected = functional.linear(
        block.ln_1(seen["x"]), block.attn.in_proj_weight, block.attn.in_proj_bias
    )
    query, _, value = (
        part.reshape(2, TOKENS, HEADS, -1).transpose(1, 2) for part in projected.chunk(3, dim=-1)
    )
    weights = (query @ query.transpose(-1, -2) / (WIDTH // HEADS) ** 0.5).softmax(dim=-1)
    mixed = block.attn.out_proj((weights @ value).transpose(1, 2).flatten(2))
    expected = clip.image.visual.ln_post(mixed) @ clip.image.visual.proj
    torch.testing.assert_close(clip.image.dense(pixels), expected[:, 1:], rtol=1e-4, atol=1e-5)


@torch.no_grad()
def test_vanilla_with_residual_is_the_ordinary_clip(clip: Clip, pixels: torch.Tensor) -> None:
    dense = clip.image.dense_tokens(pixels, DenseMode.vanilla, keep_residual=True)
    torch.testing.assert_close(dense, clip.image.tokens(pixels), rtol=1e-4, atol=1e-5)


@torch.no_grad()
@pytest.mark.parametrize(
    ("mode", "projections"),
    [
        (DenseMode.clearclip, "qv"),
        (DenseMode.maskclip, "v"),
        (DenseMode.sclip, "qkv"),
        (DenseMode.vanilla, "qkv"),
    ],
)
def test_the_last_block_projects_only_what_its_mode_needs(
    clip: Clip, pixels: torch.Tensor, mode: DenseMode, projections: str
) -> None:
    ran: list[str] = []
    hooks = [
        module.register_forward_hook(lambda *_, name=name: ran.append(name))
        for name, module in last_block(clip).named_modules()
        if name
    ]
    with FlopCounterMode(display=False) as before:
        clip.image.last_block_input(pixels)
    with FlopCounterMode(display=False) as counter:
        clip.image.dense(pixels, mode)
    for hook in hooks:
        hook.remove()
    assert set(ran) == {"ln_1", "attn.out_proj"}  # no MLP, no second norm
    matrix = 2 * 2 * TOKENS * WIDTH * WIDTH
    to_texts = 2 * 2 * TOKENS * WIDTH * 12
    found = _matrix_flops(counter) - _matrix_flops(before)
    assert found == (len(projections) + 1) * matrix + to_texts


def _matrix_flops(counter: FlopCounterMode) -> int:
    """Without attention, which is counted or not depending on the kernel."""
    counts = counter.get_flop_counts()["Global"]
    return sum(count for operator, count in counts.items() if "attention" not in str(operator))


@torch.no_grad()
@pytest.mark.parametrize(("height", "width"), [(8, 8), (48, 48), (16, 64), (40, 24)])
def test_any_multiple_of_the_patch_size(clip: Clip, height: int, width: int) -> None:
    tokens = clip.image.dense(torch.randn(1, 3, height, width))
    assert tokens.shape == (1, height * width // 64, 12)
    assert torch.isfinite(tokens).all()


def test_other_sizes_are_refused(clip: Clip) -> None:
    with pytest.raises(ValueError, match="multiples of 8"):
        clip.image.dense(torch.zeros(1, 3, 30, 32))


@torch.no_grad()
def test_texts_are_encoded_as_open_clip_does(clip: Clip) -> None:
    texts = [action_prompt(action) for action in AGD20K_SEEN] + ["a", "a b c d e f g " * 5]
    expected = clip.text.model.encode_text(tokenize(texts))
    torch.testing.assert_close(clip.text.encode(texts), expected, rtol=1e-4, atol=1e-5)


def test_a_text_alone_has_the_vector_it_has_among_others(clip: Clip) -> None:
    texts = ["hold", "an item to pour with", "a person cut_with an item"]
    together = clip.text.encode(texts)
    for text, vector in zip(texts, together, strict=True):
        torch.testing.assert_close(clip.text.encode([text])[0], vector, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(
    "text", ["", "   ", "word " * 76, "hold <end_of_text> drop", "<start_of_text>"]
)
def test_texts_the_encoder_would_misread_are_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"text '.*' has"):
        tokenize(["hold", text])


@pytest.mark.parametrize("texts", [[], "hold"])
def test_no_list_of_texts_is_refused(texts: list[str]) -> None:
    with pytest.raises(ValueError, match="at least one sentence"):
        tokenize(texts)


def test_the_published_architecture_uses_quick_gelu_everywhere() -> None:
    with torch.device("meta"):
        clip = empty_clip()
    blocks = [
        *clip.image.visual.transformer.resblocks,
        *clip.text.model.transformer.resblocks,
    ]
    assert len(blocks) == 24
    assert all(isinstance(block.mlp.gelu, QuickGELU) for block in blocks)
    assert len(clip.tensors()) == 302
    assert clip.tensors()["visual.proj"].shape == (768, 512)
    assert clip.image.patch_size == 16


def test_another_activation_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(open_clip.model, "QuickGELU", nn.GELU)
    with pytest.raises(WeightsError, match="without QuickGELU"):
        random_clip()


def test_quick_gelu_is_x_sigmoid_of_1702_x() -> None:
    values = torch.linspace(-5, 5, 101)
    torch.testing.assert_close(QuickGELU()(values), values * torch.sigmoid(1.702 * values))


def test_random_weights_depend_on_the_seed_alone() -> None:
    torch.manual_seed(1)
    state = torch.get_rng_state()
    first, again, other = random_clip(3), random_clip(3), random_clip(4)
    assert torch.equal(torch.get_rng_state(), state)
    for name, value in first.tensors().items():
        assert torch.equal(value, again.tensors()[name])
    assert not torch.equal(first.tensors()["visual.proj"], other.tensors()["visual.proj"])


def test_weights_go_out_and_in(clip: Clip, pixels: torch.Tensor) -> None:
    other = random_clip(9, width=WIDTH, heads=HEADS, layers=3, embedding_width=12)
    other.load_tensors(clip.tensors())
    torch.testing.assert_close(other.image.dense(pixels), clip.image.dense(pixels))
    torch.testing.assert_close(other.text.encode(["hold"]), clip.text.encode(["hold"]))


def test_weights_that_do_not_fit_are_named(clip: Clip) -> None:
    tensors = clip.tensors()
    del tensors["visual.proj"]
    tensors["visual.head"] = torch.zeros(1)
    tensors["logit_scale"] = torch.zeros(3)
    with pytest.raises(WeightsError, match=r"visual\.proj.*visual\.head.*logit_scale \(3,\)"):
        clip.load_tensors(tensors)


def test_an_image_encoder_needs_all_its_weights() -> None:
    with pytest.raises(WeightsError, match=r"image encoder.*visual\.class_embedding"):
        clip_image_encoder({"visual.proj": torch.zeros(768, 512)})


def test_positions_that_are_trained_are_resized_anew() -> None:
    trained = random_clip(5).image.requires_grad_(True)
    pixels = torch.zeros(1, 3, 48, 48)
    trained.dense(pixels).sum().backward()
    first = trained.visual.positional_embedding.grad.clone()
    assert first.abs().sum() > 0
    trained.dense(pixels).sum().backward()
    torch.testing.assert_close(trained.visual.positional_embedding.grad, 2 * first)


@torch.no_grad()
def test_resized_positions_follow_newly_loaded_weights() -> None:
    other, pixels = random_clip(5), torch.zeros(1, 3, 48, 48)
    before = other.image.dense(pixels)
    state = other.image.state_dict()
    state["visual.positional_embedding"] = state["visual.positional_embedding"] + torch.randn(32)
    other.image.load_state_dict(state)
    assert not torch.allclose(before, other.image.dense(pixels))
