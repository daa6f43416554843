"""The image encoder of CLIP with all its tokens, as WSAG-PLSP trains it."""

from __future__ import annotations

from typing import Any

import torch
from open_clip.transformer import LayerNorm, QuickGELU, VisionTransformer
from torch import nn

from affordance_grounding_core.backbones.dense_attention import DenseMode, attend
from affordance_grounding_core.backbones.positions import ResizedPositions, patch_grid


class ClipTokens(nn.Module):
    """CLIP's vision transformer that hands on every token, projected to the text's space.

    The parameters carry OpenAI's names without `visual.`; the defaults are ViT-B/16.

    Args:
        size: side in px of the square input whose positions are stored.
        patch_size: side of a patch in px.
        width: channels inside.
        layers: blocks.
        heads: of attention.
        output_width: channels of the projected tokens.
    """

    def __init__(
        self,
        size: int = 224,
        patch_size: int = 16,
        width: int = 768,
        layers: int = 12,
        heads: int = 12,
        output_width: int = 512,
    ) -> None:
        super().__init__()
        visual = VisionTransformer(
            image_size=size,
            patch_size=patch_size,
            width=width,
            layers=layers,
            heads=heads,
            mlp_ratio=4.0,
            output_dim=output_width,
            act_layer=QuickGELU,
            norm_layer=LayerNorm,
        )
        self.conv1: nn.Conv2d = visual.conv1
        self.class_embedding: nn.Parameter = visual.class_embedding
        self.positional_embedding: nn.Parameter = visual.positional_embedding
        self.ln_pre: nn.LayerNorm = visual.ln_pre
        self.transformer: nn.Module = visual.transformer
        self.ln_post: nn.LayerNorm = visual.ln_post
        self.proj: nn.Parameter = visual.proj
        self.heads = heads
        self.patch_size = patch_size
        self.output_width = output_width
        self._positions = ResizedPositions(self, offset=0.0)
        self.trained_grid = (size // patch_size, size // patch_size)

    def forward(self, pixels: torch.Tensor) -> torch.Tensor:
        """Encode images.

        Args:
            pixels: (B, 3, h, w) with CLIP's normalisation, h and w multiples of the patch
                size. Positions are interpolated bicubically at another size than the stored.

        Returns:
            (B, 1 + N, output_width), class token first.

        Raises:
            ValueError: a side that is no multiple of the patch size.
        """
        rows, columns = patch_grid(pixels.shape[-2], pixels.shape[-1], self.patch_size)
        patches = self.conv1(pixels).flatten(2).transpose(1, 2)
        first = self.class_embedding.expand(len(patches), 1, -1)
        positions = self._positions(self.positional_embedding, rows, columns)
        tokens = self.ln_pre(torch.cat([first, patches], dim=1) + positions)
        blocks: Any = self.transformer.get_submodule("resblocks")
        for block in blocks:
            # Attention by `attend`: PyTorch's layer swaps images and tokens first, and products
            # of such a view are many times slower in bfloat16.
            tokens = tokens + block.ls_1(attend(block.attn, block.ln_1(tokens), DenseMode.vanilla))
            tokens = tokens + block.ls_2(block.mlp(block.ln_2(tokens)))
        projected: torch.Tensor = self.ln_post(tokens) @ self.proj
        return projected
