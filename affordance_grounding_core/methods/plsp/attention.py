"""Attention layers of WSAG-PLSP, and the positions that its two decoders add.

Attention between a handful of tokens and an image needs no projection of the image: with few
tokens on one side, q k^T = (x_q W_q W_k^T) x_k^T is far cheaper when the weights are applied to
the tokens alone; likewise for the values. The results are those of ordinary attention. A bias on
the keys adds the same number to every score of a query, which the softmax takes out again, so it
is kept for the checkpoint's sake and never read.
"""

from __future__ import annotations

import math

import torch
from torch import nn
from torch.nn import functional

from affordance_grounding_core.inference.network import KeepsFloat32

_TEMPERATURE = 10000.0


def sine_cosine_positions(rows: int, columns: int, width: int) -> torch.Tensor:
    """Fixed two-dimensional sine-cosine positions.

    Args:
        rows: number of rows of patches.
        columns: number of columns of patches.
        width: channels, a multiple of 4.

    Returns:
        (rows * columns, width) float32, row by row; quarters of the channels are the sines
        and cosines of the row, then those of the column.

    Raises:
        ValueError: a width that four does not divide.
    """
    if width % 4:
        raise ValueError(f"sine-cosine positions need a width that 4 divides, got {width}")
    quarter = width // 4
    frequencies = _TEMPERATURE ** -(torch.arange(quarter, dtype=torch.float32) / quarter)
    row, column = torch.meshgrid(
        torch.arange(rows, dtype=torch.float32),
        torch.arange(columns, dtype=torch.float32),
        indexing="ij",
    )
    angles = [place.reshape(-1, 1) * frequencies for place in (row, column)]
    return torch.cat([wave(angle) for angle in angles for wave in (torch.sin, torch.cos)], dim=1)


class RandomFourierPositions(KeepsFloat32):
    """Positions as sines and cosines of random projections, as in Segment Anything.

    The projection is drawn once and kept in the checkpoint: the decoder is trained with it.

    Args:
        width: channels, even.

    It stays in float32: angles of several turns are too coarse in 16 bits.
    """

    def __init__(self, width: int) -> None:
        super().__init__()
        self.positional_encoding_gaussian_matrix: torch.Tensor
        self.register_buffer("positional_encoding_gaussian_matrix", torch.randn(2, width // 2))

    def forward(self, rows: int, columns: int) -> torch.Tensor:
        """Compute the positions of a grid of any size.

        Args:
            rows: number of rows of patches.
            columns: number of columns of patches.

        Returns:
            (rows * columns, width), row by row.
        """
        projection = self.positional_encoding_gaussian_matrix
        across = (torch.arange(columns, device=projection.device) + 0.5) / columns
        down = (torch.arange(rows, device=projection.device) + 0.5) / rows
        y, x = torch.meshgrid(down, across, indexing="ij")
        places = torch.stack([x, y], dim=-1).reshape(-1, 2).to(projection.dtype)
        angles = 2 * math.pi * ((2 * places - 1) @ projection)
        return torch.cat([angles.sin(), angles.cos()], dim=-1)


def read_image(
    query: torch.Tensor,
    keys: torch.Tensor,
    values: torch.Tensor,
    key_weight: torch.Tensor,
    value_weight: torch.Tensor,
    value_bias: torch.Tensor,
) -> torch.Tensor:
    """Let a few projected queries read from many tokens that are not projected.

    Args:
        query: (B, heads, Q, hd), projected.
        keys: (B or 1, N, C), not projected.
        values: (B or 1, N, C), not projected.
        key_weight: (heads * hd, C).
        value_weight: (heads * hd, C).
        value_bias: (heads * hd).

    Returns:
        (B, Q, heads * hd): what each query read, heads side by side.
    """
    batch, heads, queries, size = query.shape
    width = keys.shape[-1]
    wanted = query @ key_weight.reshape(heads, size, width)
    wanted = wanted.reshape(batch, heads * queries, width) * size**-0.5
    shares = torch.softmax(wanted @ keys.transpose(1, 2), dim=-1)
    read = (shares @ values).reshape(batch, heads, queries, width)
    projected = read @ value_weight.reshape(heads, size, width).transpose(1, 2)
    joined = projected.transpose(1, 2).reshape(batch, queries, heads * size)
    return joined + value_bias


def split_heads(tokens: torch.Tensor, heads: int) -> torch.Tensor:
    """(B, N, heads * hd) to (B, heads, N, hd)."""
    batch, count, _ = tokens.shape
    return tokens.reshape(batch, count, heads, -1).transpose(1, 2)


class TokenAttention(nn.Module):
    """Ordinary attention of tokens among themselves.

    Args:
        width: channels of the tokens.
        inner_width: channels attention works in.
        heads: number of attention heads; it divides `inner_width`.
    """

    def __init__(self, width: int, inner_width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.q_proj = nn.Linear(width, inner_width)
        self.k_proj = nn.Linear(width, inner_width)
        self.v_proj = nn.Linear(width, inner_width)
        self.out_proj = nn.Linear(inner_width, width)
        # It cannot change anything (see above) and would only collect rounding errors.
        self.k_proj.bias.requires_grad_(False)

    def forward(
        self, queries: torch.Tensor, keys: torch.Tensor, values: torch.Tensor
    ) -> torch.Tensor:
        """Attend.

        Args:
            queries: (B, Q, C).
            keys: (B, N, C).
            values: (B, N, C).

        Returns:
            (B, Q, C).
        """
        read = functional.scaled_dot_product_attention(
            split_heads(self.q_proj(queries), self.heads),
            split_heads(self.k_proj(keys), self.heads),
            split_heads(self.v_proj(values), self.heads),
        )
        answer: torch.Tensor = self.out_proj(read.transpose(1, 2).flatten(2))
        return answer


class TokensReadImage(TokenAttention):
    """Attention of a few tokens to an image."""

    def forward(
        self, queries: torch.Tensor, keys: torch.Tensor, values: torch.Tensor
    ) -> torch.Tensor:
        """Attend; shapes as in `TokenAttention`, with few queries and many keys."""
        read = read_image(
            split_heads(self.q_proj(queries), self.heads),
            keys,
            values,
            self.k_proj.weight,
            self.v_proj.weight,
            self.v_proj.bias,
        )
        answer: torch.Tensor = self.out_proj(read)
        return answer


class ImageReadsTokens(TokenAttention):
    """Attention of an image to a few tokens."""

    def forward(
        self, queries: torch.Tensor, keys: torch.Tensor, values: torch.Tensor
    ) -> torch.Tensor:
        """Attend; shapes as in `TokenAttention`, with many queries and few keys."""
        key = split_heads(self.k_proj(keys), self.heads)
        value = split_heads(self.v_proj(values), self.heads)
        batch, heads, tokens, size = key.shape
        query_weight = self.q_proj.weight.reshape(heads, size, -1)
        wanted = (key @ query_weight).reshape(batch, heads * tokens, -1)
        level = key @ self.q_proj.bias.reshape(heads, size, 1)
        scores = queries @ wanted.transpose(1, 2) + level.reshape(batch, 1, heads * tokens)
        by_head = scores.reshape(batch, -1, heads, tokens) * size**-0.5
        shares = torch.softmax(by_head, dim=-1)
        out_weight = self.out_proj.weight.T.reshape(heads, size, -1)
        offered = (value @ out_weight).reshape(batch, heads * tokens, -1)
        return shares.flatten(2) @ offered + self.out_proj.bias
