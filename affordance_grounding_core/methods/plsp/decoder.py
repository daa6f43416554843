"""Heat decoder: tokens and image attend to each other, and one token gives the heat.

It follows the mask decoder of Segment Anything (Kirillov et al. 2023, section A).
"""

from __future__ import annotations

import torch
from timm.layers.norm import LayerNorm2d
from torch import nn
from torch.nn import functional

from affordance_grounding_core.inference.network import KeepsFloatingPoint
from affordance_grounding_core.methods.plsp.attention import (
    ImageReadsTokens,
    RandomFourierPositions,
    TokenAttention,
    TokensReadImage,
)

UPSCALING = 4
"""Side of a patch in cells of the heat."""


class Perceptron(nn.Module):
    """Two linear layers with a ReLU between them.

    Args:
        width: channels outside.
        hidden: channels inside.
    """

    def __init__(self, width: int, hidden: int) -> None:
        super().__init__()
        self.lin1 = nn.Linear(width, hidden)
        self.lin2 = nn.Linear(hidden, width)

    def forward(self, tokens: torch.Tensor) -> torch.Tensor:
        """(B, T, C) to (B, T, C)."""
        transformed: torch.Tensor = self.lin2(functional.relu(self.lin1(tokens)))
        return transformed


class TwoWayLayer(nn.Module):
    """Tokens attend to themselves and to the image, then the image to the tokens.

    Args:
        width: channels.
        heads: number of attention heads.
        hidden: channels of the perceptron.
        first: whether it is the decoder's first, whose self-attention knows no positions and
            has no residual.
    """

    def __init__(self, width: int, heads: int, hidden: int, first: bool) -> None:
        super().__init__()
        self.first = first
        self.self_attn = TokenAttention(width, width, heads)
        self.norm1 = nn.LayerNorm(width)
        self.cross_attn_token_to_image = TokensReadImage(width, width // 2, heads)
        self.norm2 = nn.LayerNorm(width)
        self.mlp = Perceptron(width, hidden)
        self.norm3 = nn.LayerNorm(width)
        self.norm4 = nn.LayerNorm(width)
        self.cross_attn_image_to_token = ImageReadsTokens(width, width // 2, heads)

    def forward(
        self,
        tokens: torch.Tensor,
        image: torch.Tensor,
        token_positions: torch.Tensor,
        image_positions: torch.Tensor,
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Let both sides learn from each other.

        Args:
            tokens: (B, T, C).
            image: (B, N, C).
            token_positions: (B, T, C), the tokens as they came in.
            image_positions: (N, C).

        Returns:
            Tokens and image, as they came.
        """
        if self.first:
            tokens = self.norm1(self.self_attn(tokens, tokens, tokens))
        else:
            placed = tokens + token_positions
            tokens = self.norm1(tokens + self.self_attn(placed, placed, tokens))
        placed_image = image + image_positions
        read = self.cross_attn_token_to_image(tokens + token_positions, placed_image, image)
        tokens = self.norm2(tokens + read)
        tokens = self.norm3(tokens + self.mlp(tokens))
        written = self.cross_attn_image_to_token(placed_image, tokens + token_positions, tokens)
        return tokens, self.norm4(image + written)


class TwoWayTransformer(nn.Module):
    """Two-way layers and a last look of the tokens at the image.

    Args:
        width: channels.
        depth: layers.
        heads: number of attention heads.
        hidden: channels of the perceptrons.
    """

    def __init__(self, width: int, depth: int, heads: int, hidden: int) -> None:
        super().__init__()
        self.layers = nn.ModuleList(
            TwoWayLayer(width, heads, hidden, first=number == 0) for number in range(depth)
        )
        self.final_attn_token_to_image = TokensReadImage(width, width // 2, heads)
        self.norm_final_attn = nn.LayerNorm(width)

    def forward(
        self, tokens: torch.Tensor, image: torch.Tensor, image_positions: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Run all layers.

        Args:
            tokens: (B, T, C).
            image: (B, N, C).
            image_positions: (N, C).

        Returns:
            The first token, (B, 1, C), and the image, (B, N, C): all that is used further on.
        """
        positions = tokens
        for layer in self.layers:
            tokens, image = layer(tokens, image, positions, image_positions)
        first = tokens[:, :1]
        read = self.final_attn_token_to_image(
            first + positions[:, :1], image + image_positions, image
        )
        return self.norm_final_attn(first + read), image


class HyperNetwork(nn.Module):
    """Three linear layers that turn a token into the weights that read off the heat.

    Args:
        width: channels of the token.
        weights: number of weights that it makes.
    """

    def __init__(self, width: int, weights: int) -> None:
        super().__init__()
        self.layers = nn.ModuleList(
            [nn.Linear(width, width), nn.Linear(width, width), nn.Linear(width, weights)]
        )

    def forward(self, token: torch.Tensor) -> torch.Tensor:
        """(B, 1, C) to (B, 1, weights)."""
        first, second, last = self.layers
        weights: torch.Tensor = last(functional.relu(second(functional.relu(first(token)))))
        return weights


class HeatDecoder(KeepsFloatingPoint):
    """From image tokens and an affordance token to logits of the heat.

    Args:
        width: channels.
        depth: two-way layers.
        heads: number of attention heads.
        hidden: channels of the perceptrons.

    Int8 leaves it in floating point: it is a few per cent of the work, and most of what int8
    would spoil.
    """

    def __init__(self, width: int, depth: int, heads: int, hidden: int) -> None:
        super().__init__()
        self.transformer = TwoWayTransformer(width, depth, heads, hidden)
        self.add_token = nn.Embedding(1, width)
        self.output_upscaling = nn.Sequential(
            nn.Conv2d(width, width, kernel_size=3, padding=1),
            LayerNorm2d(width),
            nn.GELU(),
            nn.ConvTranspose2d(width, width // 4, kernel_size=2, stride=2),
            LayerNorm2d(width // 4),
            nn.GELU(),
            nn.ConvTranspose2d(width // 4, width // 8, kernel_size=2, stride=2),
            nn.GELU(),
        )
        self.output_hypernetworks_mlp = HyperNetwork(width, width // 8)
        self.pe_layer = RandomFourierPositions(width)

    def forward(
        self,
        image_tokens: torch.Tensor,
        affordance_token: torch.Tensor | None,
        rows: int,
        columns: int,
    ) -> torch.Tensor:
        """Compute the heat.

        Args:
            image_tokens: (B or 1, 1 + rows * columns, C), class token first.
            affordance_token: (B, 1, C); None to decode from class and learned token alone.
            rows: number of rows of patches.
            columns: number of columns of patches.

        Returns:
            (B, 1, UPSCALING * rows, UPSCALING * columns) logits.
        """
        token, image = self.attend(image_tokens, affordance_token, rows, columns)
        upscaled = self.output_upscaling(image)
        weights = self.output_hypernetworks_mlp(token)
        heat: torch.Tensor = weights @ upscaled.flatten(2)
        return heat.reshape(-1, 1, *upscaled.shape[2:])

    def attend(
        self,
        image_tokens: torch.Tensor,
        affordance_token: torch.Tensor | None,
        rows: int,
        columns: int,
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Run the transformer; arguments as in `forward`.

        Returns:
            The learned token, (B, 1, C), and the image, (B, C, rows, columns).
        """
        batch = len(image_tokens) if affordance_token is None else len(affordance_token)
        image_tokens = image_tokens.expand(batch, -1, -1)
        learned = self.add_token.weight[None].expand(batch, -1, -1)
        asked = () if affordance_token is None else (affordance_token,)
        tokens = torch.cat([learned, *asked, image_tokens[:, :1]], dim=1)
        positions = self.pe_layer(rows, columns).to(tokens.dtype)
        token, image = self.transformer(tokens, image_tokens[:, 1:], positions)
        return token, image.transpose(1, 2).reshape(batch, -1, rows, columns)
