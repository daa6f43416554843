"""Last-block keys and class attention of a DINO vision transformer, and their channel order."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import torch

from affordance_grounding_core.backbones.dino import Dino
from affordance_grounding_core.backbones.transformer_backbone import TransformerSizes
from checks.comparison import Array, Case, Comparison, cases_with
from checks.pictures import depth_of, picture_of, weights_of


def matches(arrays: Mapping[str, Array], stem: str) -> bool:
    """Holds the weights of a vision transformer in DINO's names."""
    return "w/pos_embed" in arrays and "w/blocks.0.attn.qkv.weight" in arrays


@torch.no_grad()
def checks(arrays: Mapping[str, Array], stem: str) -> Iterator[Comparison]:
    """Compare every quantity of every case; the published ones include the class token."""
    for case in cases_with(arrays, "key"):
        backbone = _backbone(arrays, heads=case["key"].shape[1])
        batch, heads, tokens, _ = case["key"].shape
        pixels = picture_of(arrays, case.name, batch, tokens - 1, backbone.patch_size)
        described = backbone.describe(pixels, attention=True)
        alone = backbone.describe(pixels, attention=False)
        keys = described.patches.reshape(batch, tokens - 1, -1, heads).permute(0, 3, 1, 2)
        yield Comparison(case.name, "key of patches", keys, case["key"][:, :, 1:])
        yield from _patches(case, "desc", described.patches)
        yield from _patches(case, "desc", alone.patches, " without attention")
        if "attn" in case:
            golden = case["attn"][:, :, 0, 1:]
            yield Comparison(case.name, "attn of class", described.class_attention, golden)
        if "x" in case:
            yield from case.compare("x", _last_tokens(backbone, pixels))


def _patches(case: Case, quantity: str, ours: torch.Tensor, note: str = "") -> Iterator[Comparison]:
    if quantity in case:
        yield Comparison(case.name, f"{quantity} of patches{note}", ours, case[quantity][:, 1:])


def _last_tokens(backbone: Dino, pixels: torch.Tensor) -> torch.Tensor:
    """Tokens after the last block without the final norm."""
    norm, backbone.transformer.norm = backbone.transformer.norm, torch.nn.Identity()
    try:
        return backbone(pixels)[0]
    finally:
        backbone.transformer.norm = norm


def _backbone(arrays: Mapping[str, Array], heads: int) -> Dino:
    weights = weights_of(arrays)
    width, _, patch_size, _ = weights["patch_embed.proj.weight"].shape
    side = round((weights["pos_embed"].shape[1] - 1) ** 0.5)
    depth = depth_of(weights, "blocks")
    backbone = Dino(sizes=TransformerSizes(side * patch_size, patch_size, width, depth, heads))
    backbone.load_tensors(weights)
    return backbone
