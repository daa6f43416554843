"""Attention between a handful of tokens and an image, without projecting the image.

With few tokens on one side, q k^T = (x_q W_q W_k^T) x_k^T is far cheaper when the weights are
applied to the tokens alone; likewise for the values. The results are those of ordinary
attention. A bias on the keys adds the same number to every score of a query, which the softmax
takes out again, so it is kept for the checkpoint's sake and never read.
"""

from __future__ import annotations

import torch
from torch import nn
from torch.nn import functional


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
        heads: of attention; they divide `inner_width`.
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
