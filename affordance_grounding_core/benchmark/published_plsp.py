"""Plain WSAG-PLSP, as its paper describes it: the path that figures are compared with.

The same weights as ours in ordinary layers: attention projects every token of the image for
every head, PyTorch's own attention layer runs in the encoder, egocentric and exocentric images
are encoded one after the other, and everything is float32. Text vectors are read from a table,
as in the paper's set-up: nothing is gained by leaving their encoder out.
"""

from __future__ import annotations

import copy
from typing import Any, cast

import torch
from torch import nn
from torch.nn import functional

from affordance_grounding_core.backbones.positions import patch_grid
from affordance_grounding_core.methods.plsp.attention import (
    ImageReadsTokens,
    TokenAttention,
    TokensReadImage,
    split_heads,
)
from affordance_grounding_core.methods.plsp.encoders import ClipTokens
from affordance_grounding_core.methods.plsp.fuser import CrossAttention
from affordance_grounding_core.methods.plsp.network import PlspNetwork


class PlainEncoder(nn.Module):
    """CLIP's vision transformer on PyTorch's own attention layer, tokens before images.

    Args:
        encoder: encoder whose weights it runs.
    """

    def __init__(self, encoder: ClipTokens) -> None:
        super().__init__()
        self.tokens = encoder
        self.patch_size = encoder.patch_size
        self.output_width = encoder.output_width
        self.trained_grid = encoder.trained_grid

    def forward(self, pixels: torch.Tensor) -> torch.Tensor:
        """Encode images; see `ClipTokens`."""
        own = self.tokens
        rows, columns = patch_grid(pixels.shape[-2], pixels.shape[-1], self.patch_size)
        patches = own.conv1(pixels).flatten(2).transpose(1, 2)
        first = own.class_embedding.expand(len(patches), 1, -1)
        positions = own._positions(own.positional_embedding, rows, columns)
        tokens = own.ln_pre(torch.cat([first, patches], dim=1) + positions).transpose(0, 1)
        blocks: Any = own.transformer.get_submodule("resblocks")
        for block in blocks:
            normed, layer = block.ln_1(tokens), block.attn
            attended, _ = functional.multi_head_attention_forward(
                normed, normed, normed, layer.embed_dim, layer.num_heads,
                layer.in_proj_weight, layer.in_proj_bias, None, None, False, 0.0,
                layer.out_proj.weight, layer.out_proj.bias,
                training=self.training, need_weights=False,
            )  # fmt: skip
            tokens = tokens + attended
            tokens = tokens + block.mlp(block.ln_2(tokens))
        return cast(torch.Tensor, own.ln_post(tokens.transpose(0, 1)) @ own.proj)


class PlainCrossAttention(CrossAttention):
    """Attention of one query to all tokens that projects all of them."""

    def forward(
        self, query: torch.Tensor, keys: torch.Tensor, values: torch.Tensor
    ) -> torch.Tensor:
        """Attend; see `CrossAttention`."""
        asked = split_heads(self.q(query) + self.q_bias, self.heads)
        key = split_heads(self.k(keys), self.heads)
        value = split_heads(self.v(values) + self.v_bias, self.heads)
        return cast(torch.Tensor, self.proj(_written_out(asked, key, value)))


class PlainTokenAttention(TokenAttention):
    """Attention that projects all tokens of both sides."""

    def forward(
        self, queries: torch.Tensor, keys: torch.Tensor, values: torch.Tensor
    ) -> torch.Tensor:
        """Attend; see `TokenAttention`."""
        read = _written_out(
            split_heads(self.q_proj(queries), self.heads),
            split_heads(self.k_proj(keys), self.heads),
            split_heads(self.v_proj(values), self.heads),
        )
        return cast(torch.Tensor, self.out_proj(read))


def plain_network(network: PlspNetwork) -> PlspNetwork:
    """Copy a network into ordinary layers.

    Args:
        network: network with CLIP as its encoder; stays as it is.

    Raises:
        TypeError: it has another encoder.
    """
    copied = copy.deepcopy(network)
    if not isinstance(copied.encoder, ClipTokens):
        raise TypeError(f"the published encoder is CLIP, got {type(copied.encoder).__name__}")
    copied.encoder = PlainEncoder(copied.encoder)
    for module in list(copied.modules()):
        for name, child in module.named_children():
            if isinstance(child, TokensReadImage | ImageReadsTokens | TokenAttention):
                setattr(module, name, _plain(child, PlainTokenAttention))
            elif isinstance(child, CrossAttention):
                setattr(module, name, _plain(child, PlainCrossAttention))
    return copied.train(network.training)


def _plain(layer: nn.Module, kind: type[nn.Module]) -> nn.Module:
    """The same parameters in a layer that runs otherwise."""
    plain = kind.__new__(kind)
    plain.__dict__.update(layer.__dict__)
    return plain


def _written_out(query: torch.Tensor, key: torch.Tensor, value: torch.Tensor) -> torch.Tensor:
    weights = (query @ key.transpose(-2, -1) * query.shape[-1] ** -0.5).softmax(dim=-1)
    mixed: torch.Tensor = (weights @ value).transpose(1, 2).flatten(2)
    return mixed
