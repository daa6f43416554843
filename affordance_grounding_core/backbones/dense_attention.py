"""Attention of CLIP's last block for dense features, computing only what a mode needs.

Source: "ClearCLIP: Decomposing CLIP Representations for Dense Vision-Language Inference", Lan
et al., ECCV 2024; "SCLIP", Wang et al., ECCV 2024; "MaskCLIP", Zhou et al., ECCV 2022.
"""

from __future__ import annotations

from collections.abc import Callable
from enum import Enum
from typing import Literal

import torch
from torch import nn
from torch.nn import functional

Projection = Literal["q", "k", "v"]


class DenseMode(str, Enum):
    """How patches attend to each other in the last block.

    `clearclip` by the similarity of queries; `sclip` by that of queries plus that of keys;
    `maskclip` each to itself alone; `vanilla` by queries and keys, as CLIP was trained.
    """

    clearclip = "clearclip"
    sclip = "sclip"
    maskclip = "maskclip"
    vanilla = "vanilla"


def attend(layer: nn.MultiheadAttention, normed: torch.Tensor, mode: DenseMode) -> torch.Tensor:
    """Run an attention layer in a dense mode, computing only the projections it needs.

    Args:
        layer: attention layer of the block.
        normed: (B, tokens, C), the block's input after its first norm.
        mode: how tokens attend to each other.

    Returns:
        (B, tokens, C) after the output projection.
    """
    mixed = mix_values(lambda name: project_heads(layer, normed, name), mode)
    output: torch.Tensor = layer.out_proj(mixed.transpose(1, 2).flatten(2))
    return output


def project_heads(
    layer: nn.MultiheadAttention, normed: torch.Tensor, name: Projection
) -> torch.Tensor:
    """Compute queries, keys or values of an attention layer by head, and nothing else.

    Args:
        layer: attention layer of the block.
        normed: (B, tokens, C).
        name: "q", "k" or "v".

    Returns:
        (B, heads, tokens, C / heads).
    """
    index = "qkv".index(name)
    weight, bias = layer.in_proj_weight.chunk(3)[index], layer.in_proj_bias.chunk(3)[index]
    projected = functional.linear(normed, weight, bias)
    by_head = projected.reshape(*projected.shape[:-1], layer.num_heads, -1)
    return by_head.transpose(1, 2)


def mix_values(project: Callable[[Projection], torch.Tensor], mode: DenseMode) -> torch.Tensor:
    """Weight the values of all tokens by their similarity.

    Args:
        project: gives "q", "k" or "v" by head, (B, heads, tokens, channels); only asked for
            what the mode needs.
        mode: how tokens attend to each other.

    Returns:
        (B, heads, tokens, channels).
    """
    value = project("v")
    if mode is DenseMode.maskclip:
        return value
    query = project("q")
    if mode is DenseMode.clearclip:
        return functional.scaled_dot_product_attention(query, query, value)
    key = project("k")
    if mode is DenseMode.vanilla:
        return functional.scaled_dot_product_attention(query, key, value)
    return functional.scaled_dot_product_attention(
        query, query, value
    ) + functional.scaled_dot_product_attention(key, key, value)
