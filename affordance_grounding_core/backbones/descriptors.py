"""Patch descriptors of frozen vision transformers: keys and class attention."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol, cast

import torch
from timm.layers.attention import Attention
from timm.models.vision_transformer import Block
from torch.nn import functional


@dataclass(frozen=True)
class Descriptors:
    """Patches of a batch of images as a frozen backbone describes them.

    Attributes:
        patches: (B, N, C) float, last-block keys of the N patches, row by row. Channel
            `channel_of_head * heads + head`: the heads are interleaved, as in the published
            checkpoints of LOCATE and SelectiveCL.
        class_attention: (B, heads, N) float in [0, 1], how much the class token attends to
            each patch in the last block; a row sums to 1 less its attention to itself. None
            if it was not asked for.
    """

    patches: torch.Tensor
    class_attention: torch.Tensor | None = None


class DescriptorBackbone(Protocol):
    """A frozen backbone that describes patches."""

    @property
    def name(self) -> str:
        """Of architecture and weights, for example "dino_vits16"."""
        ...

    @property
    def patch_size(self) -> int:
        """Side of a patch in px; input sides are multiples of it."""
        ...

    @property
    def width(self) -> int:
        """Channels of a descriptor."""
        ...

    @property
    def heads(self) -> int:
        """Attention heads of a block."""
        ...

    def describe(self, pixels: torch.Tensor, *, attention: bool) -> Descriptors:
        """Describe the patches of some images.

        Args:
            pixels: (B, 3, h, w), ImageNet-normalised RGB, sides multiples of `patch_size`.
            attention: whether the class attention is wanted.
        """
        ...


def describe_block(block: Block, tokens: torch.Tensor, *, attention: bool) -> Descriptors:
    """Compute the keys of a block, and nothing of it that is not asked for.

    No values, no output projection and no MLP are computed, and queries only for the class
    token where its attention is wanted.

    Args:
        block: block of a timm vision transformer, usually the last.
        tokens: (B, 1 + N, C), its input, the class token first.
        attention: whether the class attention is wanted.
    """
    layer = cast(Attention, block.attn)
    normed = block.norm1(tokens)
    query_weight, key_weight, _ = layer.qkv.weight.chunk(3)
    query_bias, key_bias = None, None
    if layer.qkv.bias is not None:
        query_bias, key_bias, _ = layer.qkv.bias.chunk(3)
    if not attention:
        normed = normed[:, 1:]  # the class token's key serves its attention alone
    keys = functional.linear(normed, key_weight, key_bias)
    by_head = _split_heads(keys, layer.num_heads)
    if not attention:
        return Descriptors(_interleave_heads(by_head))
    query = functional.linear(normed[:, 0], query_weight, query_bias)
    query = _split_heads(query, layer.num_heads)
    scores = torch.einsum("bhc,bnhc->bhn", query, by_head) * layer.scale
    return Descriptors(_interleave_heads(by_head[:, 1:]), scores.softmax(dim=-1)[..., 1:])


def _split_heads(values: torch.Tensor, heads: int) -> torch.Tensor:
    """(..., heads * channels) to (..., heads, channels)."""
    return values.reshape(*values.shape[:-1], heads, -1)


def _interleave_heads(by_head: torch.Tensor) -> torch.Tensor:
    return by_head.transpose(-1, -2).flatten(-2)
