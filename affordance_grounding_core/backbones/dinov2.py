"""Frozen DINOv2 patch features at any input size, on timm's vision transformer."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import cast

import timm
import torch
from timm.models.vision_transformer import VisionTransformer
from torch import nn
from torch.nn import functional

from affordance_grounding_core.errors import WeightsError

ARCHITECTURES = {"dinov2_vits14": "vit_small_patch14_dinov2"}
"""Backbone names of this package to timm's."""

_TRAINED_GRID = 37  # positions were trained for 518 x 518 px


class Dinov2(nn.Module):
    """DINOv2 vision transformer that returns patch tokens of chosen blocks.

    Positions are interpolated bicubically without antialiasing, as the published code
    does (timm's own resampling antialiases, which changes the features at 224 px by far
    more than rounding).

    Args:
        name: a key of `ARCHITECTURES`.

    Attributes:
        patch_size: side of a patch in px; input sides are multiples of it.
        width: channels of a token.
    """

    patch_size = 14

    def __init__(self, name: str = "dinov2_vits14") -> None:
        super().__init__()
        if name not in ARCHITECTURES:
            raise ValueError(f"backbone must be one of {sorted(ARCHITECTURES)}, got {name!r}")
        self.transformer = cast(
            VisionTransformer,
            timm.create_model(ARCHITECTURES[name], pretrained=False, num_classes=0, img_size=518),
        )
        self.width = int(self.transformer.embed_dim)
        self.depth = len(self.transformer.blocks)
        self._positions: dict[tuple[int, int], torch.Tensor] = {}
        self.requires_grad_(False).eval()

    def load_tensors(self, tensors: Mapping[str, torch.Tensor]) -> None:
        """Set all weights.

        Args:
            tensors: by timm's names, float32.

        Raises:
            WeightsError: a tensor is missing, unknown or of another shape.
        """
        expected = self.transformer.state_dict()
        missing = sorted(expected.keys() - tensors.keys())
        unknown = sorted(tensors.keys() - expected.keys())
        reshaped = sorted(
            f"{name} {tuple(tensors[name].shape)} instead of {tuple(value.shape)}"
            for name, value in expected.items()
            if name in tensors and tensors[name].shape != value.shape
        )
        if missing or unknown or reshaped:
            raise WeightsError(
                f"backbone weights do not fit {type(self).__name__}: missing {missing[:5]}, "
                f"unknown {unknown[:5]}, of another shape {reshaped[:5]}; expected the weights "
                "of DINOv2 ViT-S/14 without registers (timm: vit_small_patch14_dinov2.lvd142m)"
            )
        self.transformer.load_state_dict(tensors)
        self._positions.clear()

    def forward(self, pixels: torch.Tensor, blocks: Sequence[int] = (-1,)) -> list[torch.Tensor]:
        """Compute patch features.

        Args:
            pixels: (B, 3, h, w), ImageNet-normalised RGB, h and w multiples of `patch_size`.
            blocks: after which blocks tokens are taken; negative numbers count from the end.
                No block after the last one asked for is run.

        Returns:
            For each block, (B, 1 + rows * columns, width) tokens after the final norm, the
            class token first, then patches row by row.

        Raises:
            ValueError: a side that is no multiple of the patch size, or no such block.
        """
        height, width = pixels.shape[-2:]
        if height % self.patch_size or width % self.patch_size or not (height and width):
            raise ValueError(
                f"input sides must be positive multiples of {self.patch_size}, got "
                f"{height} x {width}; resize the image first"
            )
        wanted = [
            block % self.depth if -self.depth <= block < self.depth else -1 for block in blocks
        ]
        if not wanted or min(wanted) < 0:
            raise ValueError(
                f"blocks must lie in [-{self.depth}, {self.depth}), got {list(blocks)}"
            )
        rows, columns = height // self.patch_size, width // self.patch_size
        model = self.transformer
        tokens = model.patch_embed.proj(pixels).flatten(2).transpose(1, 2)
        tokens = torch.cat([self._class_token.expand(len(tokens), -1, -1), tokens], dim=1)
        tokens = tokens + self._positions_for(rows, columns)
        taken: dict[int, torch.Tensor] = {}
        for index, block in enumerate(model.blocks[: max(wanted) + 1]):
            tokens = block(tokens)
            if index in wanted:
                taken[index] = model.norm(tokens)
        return [taken[index] for index in wanted]

    @property
    def _class_token(self) -> torch.Tensor:
        return self.transformer.get_parameter("cls_token")

    @property
    def _position_table(self) -> torch.Tensor:
        return self.transformer.get_parameter("pos_embed")

    def _positions_for(self, rows: int, columns: int) -> torch.Tensor:
        table = self._position_table
        if (rows, columns) == (_TRAINED_GRID, _TRAINED_GRID):
            return table
        known = self._positions.get((rows, columns))
        if known is not None and known.device == table.device and known.dtype == table.dtype:
            return known
        grid = table[:, 1:].reshape(1, _TRAINED_GRID, _TRAINED_GRID, -1).permute(0, 3, 1, 2)
        resized = functional.interpolate(
            grid.float(), size=(rows, columns), mode="bicubic", align_corners=False
        )
        patches = resized.permute(0, 2, 3, 1).reshape(1, rows * columns, -1).to(table.dtype)
        positions = torch.cat([table[:, :1], patches], dim=1)
        self._positions[rows, columns] = positions
        return positions
