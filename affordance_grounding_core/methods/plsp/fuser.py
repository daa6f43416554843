"""Verb fuser: a query of action and part gathers its affordance token from the image."""

from __future__ import annotations

import math

import torch
from timm.layers.drop import DropPath
from timm.layers.mlp import Mlp
from timm.layers.weight_init import trunc_normal_
from torch import nn

from affordance_grounding_core.inference.network import KeepsFloatingPoint
from affordance_grounding_core.methods.plsp.attention import (
    read_image,
    sine_cosine_positions,
    split_heads,
)

_INITIAL_DEVIATION = 0.02
_MLP_RATIO = 4


class CrossAttention(nn.Module):
    """Attention of one query to all tokens; keys have no bias.

    Args:
        width: channels.
        heads: number of attention heads.
    """

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.q = nn.Linear(width, width, bias=False)
        self.k = nn.Linear(width, width, bias=False)
        self.v = nn.Linear(width, width, bias=False)
        self.q_bias = nn.Parameter(torch.zeros(width))
        self.v_bias = nn.Parameter(torch.zeros(width))
        self.proj = nn.Linear(width, width)

    def forward(
        self, query: torch.Tensor, keys: torch.Tensor, values: torch.Tensor
    ) -> torch.Tensor:
        """Attend.

        Args:
            query: (B, 1, C).
            keys: (B, N, C).
            values: (B, N, C).

        Returns:
            (B, 1, C).
        """
        projected = split_heads(self.q(query) + self.q_bias, self.heads)
        read = read_image(projected, keys, values, self.k.weight, self.v.weight, self.v_bias)
        answer: torch.Tensor = self.proj(read)
        return answer


class FuserBlock(nn.Module):
    """Cross-attention and a perceptron, each scaled by a learned factor.

    Args:
        width: channels.
        heads: number of attention heads.
        drop_path: share of samples for which a branch is skipped in training.
        layer_scale: start value of the factors.
    """

    def __init__(self, width: int, heads: int, drop_path: float, layer_scale: float) -> None:
        super().__init__()
        self.norm1_q = nn.LayerNorm(width)
        self.norm1_k = nn.LayerNorm(width)
        self.norm1_v = nn.LayerNorm(width)
        self.norm2_cross = nn.LayerNorm(width)
        self.cross_attn = CrossAttention(width, heads)
        self.mlp_cross = Mlp(width, _MLP_RATIO * width)
        self.drop_path = DropPath(drop_path)
        self.gamma_1_cross = nn.Parameter(torch.full((width,), layer_scale))
        self.gamma_2_cross = nn.Parameter(torch.full((width,), layer_scale))

    def forward(
        self, query: torch.Tensor, tokens: torch.Tensor, positions: torch.Tensor
    ) -> torch.Tensor:
        """Refine the query.

        Args:
            query: (B, 1, C).
            tokens: (B or 1, N, C) of the image, class token first.
            positions: (N, C), zero for the class token; the query's own are zero too.

        Returns:
            (B, 1, C).
        """
        batch = len(query)
        keys = _append(self.norm1_k(tokens + positions), self.norm1_k(query), batch)
        values = _append(self.norm1_v(tokens), self.norm1_v(query), batch)
        attended = self.cross_attn(self.norm1_q(query), keys, values)
        # The perceptron's residual starts from the normed query, as released.
        normed = self.norm2_cross(query + self.drop_path(self.gamma_1_cross * attended))
        fused: torch.Tensor = normed + self.drop_path(self.gamma_2_cross * self.mlp_cross(normed))
        return fused


class VerbFuser(KeepsFloatingPoint):
    """Cross-attention blocks from a query of action and part to the image.

    Args:
        width: channels.
        depth: blocks.
        heads: attention heads in each.
        drop_path: drop rate of the last block; it grows linearly from 0 at the first.
        layer_scale: start value of the factors on the branches.
        rows: rows of patches of the grid whose positions the checkpoint stores.
        columns: columns of patches of the grid whose positions the checkpoint stores.

    Int8 leaves it in floating point: it is a few per cent of the work, and most of what int8
    would spoil.
    """

    def __init__(
        self,
        width: int,
        depth: int,
        heads: int,
        drop_path: float,
        layer_scale: float,
        rows: int,
        columns: int,
    ) -> None:
        super().__init__()
        self.width = width
        self._stored_grid = (rows, columns)
        self.rd_pos_embed: torch.Tensor
        self.register_buffer("rd_pos_embed", _table(rows, columns, width))
        shares = [drop_path * number / max(depth - 1, 1) for number in range(depth)]
        self.regressor_blocks = nn.ModuleList(
            FuserBlock(width, heads, share, layer_scale) for share in shares
        )
        self.norm = nn.LayerNorm(width)
        self._initialise()

    def forward(
        self, tokens: torch.Tensor, query: torch.Tensor, rows: int, columns: int
    ) -> torch.Tensor:
        """Gather the affordance token.

        Args:
            tokens: (B or 1, 1 + rows * columns, C), class token first.
            query: (B, 1, C) of action and part.
            rows: number of rows of patches.
            columns: number of columns of patches.

        Returns:
            (B, 1, C).
        """
        positions = self._positions(rows, columns).to(tokens)[0, 1:]
        for block in self.regressor_blocks:
            query = block(query, tokens, positions)
        fused: torch.Tensor = self.norm(query)
        return fused

    def _positions(self, rows: int, columns: int) -> torch.Tensor:
        if (rows, columns) == self._stored_grid:
            return self.rd_pos_embed
        return _table(rows, columns, self.width)

    def _initialise(self) -> None:
        for module in self.modules():
            if isinstance(module, nn.Linear):
                trunc_normal_(module.weight, std=_INITIAL_DEVIATION)
                if module.bias is not None:
                    nn.init.zeros_(module.bias)
        with torch.no_grad():
            for number, block in enumerate(self.regressor_blocks, start=1):
                for name in ("cross_attn.proj.weight", "mlp_cross.fc2.weight"):
                    block.get_parameter(name).div_(math.sqrt(2.0 * number))


def _append(tokens: torch.Tensor, query: torch.Tensor, batch: int) -> torch.Tensor:
    return torch.cat([tokens.expand(batch, -1, -1), query], dim=1)


def _table(rows: int, columns: int, width: int) -> torch.Tensor:
    """Positions of query, class token and patches: (1, 2 + rows * columns, width)."""
    patches = sine_cosine_positions(rows, columns, width)
    return torch.cat([torch.zeros(2, width), patches])[None]
