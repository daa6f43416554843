"""What WSAG-PLSP needs of an image encoder, and the frozen DINOv2 that can be one."""

from __future__ import annotations

from typing import Protocol

import torch
from torch import nn

from affordance_grounding_core.backbones.dinov2 import Dinov2


class TokenEncoder(Protocol):
    """Turns pixels into a class token and patch tokens."""

    @property
    def patch_size(self) -> int:
        """Side of a patch in px; input sides are multiples of it."""
        ...

    @property
    def output_width(self) -> int:
        """Channels of a token."""
        ...

    @property
    def trained_grid(self) -> tuple[int, int]:
        """Rows and columns of patches at the input size of training."""
        ...

    def __call__(self, pixels: torch.Tensor) -> torch.Tensor:
        """Encode (B, 3, h, w) normalised pixels to (B, 1 + N, output_width), class token first."""
        ...


class Dinov2Tokens(nn.Module):
    """DINOv2 as an encoder that is not trained: tokens of the last block after its norm.

    Args:
        backbone: with its weights.
        size: side in px of the square input of training.
    """

    def __init__(self, backbone: Dinov2, size: int = 224) -> None:
        super().__init__()
        self.backbone = backbone.requires_grad_(False)
        self.patch_size = int(backbone.patch_size)
        self.output_width = backbone.width
        cells = size // self.patch_size
        self.trained_grid = (cells, cells)

    def forward(self, pixels: torch.Tensor) -> torch.Tensor:
        """Encode an image; see `TokenEncoder`."""
        tokens: torch.Tensor = self.backbone(pixels)[0]
        return tokens
