"""Dense features of CLIP in every mode, and all tokens of the ordinary CLIP."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

import torch

from affordance_grounding_core.backbones.clip import ClipImageEncoder, build_clip
from affordance_grounding_core.backbones.dense_attention import (
    DenseMode,
    mix_values,
    project_heads,
)
from checks.comparison import Array, Case, Comparison, cases_with
from checks.pictures import depth_of, picture_of, weights_of

_DENSE_CASE = re.compile(r"(ClearCLIP|SCLIP|MaskCLIP|vanilla)_ignoreres([01])")


def matches(arrays: Mapping[str, Array], stem: str) -> bool:
    """Holds the weights of CLIP's vision transformer."""
    return "w/visual.positional_embedding" in arrays


@torch.no_grad()
def checks(arrays: Mapping[str, Array], stem: str) -> Iterator[Comparison]:
    """Compare class token, patch tokens and attention of every case."""
    encoder = _encoder(arrays)
    names = dict.fromkeys(name.rsplit(".", 1)[0] for name in arrays if "." in name)
    for case in (Case(name, arrays) for name in names):
        if _DENSE_CASE.search(case.name):
            yield from _dense(encoder, case)
    for case in cases_with(arrays, "proj"):
        if not case.name.startswith("w/"):
            pixels = _picture(encoder, case, len(case["proj"]), case["proj"].shape[1] - 1)
            yield from case.compare("proj", encoder.tokens(pixels))


def _dense(encoder: ClipImageEncoder, case: Case) -> Iterator[Comparison]:
    found = _DENSE_CASE.search(case.name)
    assert found is not None
    mode, keep_residual = DenseMode(found[1].lower()), found[2] == "0"
    batch, patches = _sizes(encoder, case)
    pixels = _picture(encoder, case, batch, patches)
    tokens = encoder.dense_tokens(pixels, mode, keep_residual=keep_residual)
    yield from case.compare("pooled", tokens[:, 0])
    yield from case.compare("tokens", encoder.dense(pixels, mode, keep_residual=keep_residual))
    if "attn" in case:
        weights = _attention(encoder, pixels, mode)
        yield from case.compare("attn", weights.reshape(case["attn"].shape))


def _attention(encoder: ClipImageEncoder, pixels: torch.Tensor, mode: DenseMode) -> torch.Tensor:
    """The weights of the last block: what comes out where the values are the unit vectors."""
    block = encoder.visual.transformer.resblocks[-1]
    normed = block.ln_1(encoder.last_block_input(pixels))
    heads = block.attn.num_heads
    units = torch.eye(normed.shape[1]).expand(len(normed), heads, -1, -1)
    return mix_values(
        lambda name: units if name == "v" else project_heads(block.attn, normed, name), mode
    )


def _sizes(encoder: ClipImageEncoder, case: Case) -> tuple[int, int]:
    if "tokens" in case:
        return case["tokens"].shape[0], case["tokens"].shape[1]
    heads = encoder.visual.transformer.resblocks[-1].attn.num_heads
    if "attn" in case:
        shape = case["attn"].shape
        return (shape[0] // heads if len(shape) == 3 else shape[0]), shape[-1] - 1
    rows, columns = encoder.visual.grid_size
    return case["pooled"].shape[0], rows * columns


def _picture(encoder: ClipImageEncoder, case: Case, batch: int, patches: int) -> torch.Tensor:
    return picture_of(case.arrays, case.name, batch, patches, encoder.patch_size)


def _encoder(arrays: Mapping[str, Array]) -> ClipImageEncoder:
    weights = weights_of(arrays)
    width, _, patch_size, _ = weights["visual.conv1.weight"].shape
    side = round((len(weights["visual.positional_embedding"]) - 1) ** 0.5)
    clip = build_clip(
        embedding_width=weights["visual.proj"].shape[1],
        vision={
            "image_size": side * patch_size,
            "patch_size": patch_size,
            "width": width,
            "layers": depth_of(weights, "visual.transformer.resblocks"),
            "head_width": width // _heads(arrays),
        },
        text={"context_length": 8, "vocab_size": 8, "width": 8, "heads": 1, "layers": 1},
    )
    clip.image.load_state_dict(weights)
    return clip.image


def _heads(arrays: Mapping[str, Array]) -> int:
    """Weights do not tell the number of heads; the attention of a case does."""
    for case in cases_with(arrays, "attn", "tokens"):
        attention, batch = case["attn"], len(case["tokens"])
        return int(attention.shape[1] if attention.ndim == 4 else len(attention) // batch)
    for name in ("heads", "num_heads", "n_heads"):
        if name in arrays:
            return int(arrays[name].reshape(-1)[0])
    return 4  # of the file that documents the format
