"""A frozen vision transformer of timm's at any input size: patch tokens and descriptors."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, cast

import timm
import torch
from timm.models.vision_transformer import VisionTransformer
from torch import nn

from affordance_grounding_core.backbones.descriptors import Descriptors, describe_block
from affordance_grounding_core.backbones.positions import ResizedPositions, patch_grid
from affordance_grounding_core.backbones.state_dict_check import require_fit


@dataclass(frozen=True)
class TransformerSizes:
    """Sizes of a vision transformer, where they are not those of a published one.

    Attributes:
        image_size: side of the images its positions are made for, in px.
        patch_size: side of a patch in px.
        width: channels of a token.
        depth: number of blocks.
        heads: attention heads of a block.
    """

    image_size: int
    patch_size: int
    width: int
    depth: int
    heads: int

    def __post_init__(self) -> None:
        if min(self.image_size, self.patch_size, self.width, self.depth, self.heads) < 1:
            raise ValueError(f"sizes of a transformer must be positive, got {self}")
        if self.image_size % self.patch_size:
            raise ValueError(
                f"image size must be a multiple of the patch size {self.patch_size}, got "
                f"{self.image_size}"
            )
        if self.width % self.heads:
            raise ValueError(
                f"width must be a multiple of the number of heads {self.heads}, got {self.width}"
            )


class TransformerBackbone(nn.Module):
    """Frozen vision transformer with a class token.

    Args:
        name: a key of the class's `architectures`.
        sizes: build this architecture at other sizes, for tests; those of the name if None.

    Attributes:
        architectures: names of this package to timm's.
        position_offset: offset of the positions; see `resize_positions`.
        name: name of architecture and weights.
        patch_size: side of a patch in px; input sides are multiples of it.
        width: channels of a token.
        depth: number of blocks.
        heads: attention heads of a block.
    """

    architectures: ClassVar[Mapping[str, str]]
    position_offset: ClassVar[float] = 0.0
    _timm_options: ClassVar[Mapping[str, Any]] = {}

    def __init__(self, name: str, *, sizes: TransformerSizes | None = None) -> None:
        super().__init__()
        if name not in self.architectures:
            raise ValueError(f"backbone must be one of {sorted(self.architectures)}, got {name!r}")
        options = dict(self._timm_options)
        if sizes is not None:
            options |= {
                "img_size": sizes.image_size,
                "patch_size": sizes.patch_size,
                "embed_dim": sizes.width,
                "depth": sizes.depth,
                "num_heads": sizes.heads,
            }
        self.transformer = cast(
            VisionTransformer,
            timm.create_model(self.architectures[name], pretrained=False, num_classes=0, **options),
        )
        self.name = name
        self.patch_size = int(self.transformer.patch_embed.patch_size[0])
        self.width = int(self.transformer.embed_dim)
        self.depth = len(self.transformer.blocks)
        self.heads = int(cast(Any, self.transformer.blocks[0]).attn.num_heads)
        self._positions = ResizedPositions(self, self.position_offset)
        self.requires_grad_(False).eval()

    def load_tensors(self, tensors: Mapping[str, torch.Tensor]) -> None:
        """Set all weights.

        Args:
            tensors: weights by timm's names, float32.

        Raises:
            WeightsError: a tensor is missing, unknown or of another shape.
        """
        require_fit(
            self.transformer.state_dict(),
            tensors,
            f"{type(self).__name__} {self.name!r}",
            f"the weights of timm's {self.architectures[self.name]}",
        )
        self.load_state_dict({f"transformer.{name}": value for name, value in tensors.items()})

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
        return self.continue_from(self._embed(pixels), 0, blocks)

    def continue_from(
        self, tokens: torch.Tensor, first: int, blocks: Sequence[int] = (-1,)
    ) -> list[torch.Tensor]:
        """Compute patch features from the tokens that enter a block.

        Args:
            tokens: (B, 1 + rows * columns, width), as `block_input` gives them.
            first: the block that they enter, in [0, depth).
            blocks: as of `forward`; `first - 1` is the earliest.

        Returns:
            As `forward`.

        Raises:
            ValueError: no such block, or one before `first - 1`.
        """
        wanted = [
            block % self.depth if -self.depth <= block < self.depth else -1 for block in blocks
        ]
        earliest = max(0, first - 1)
        if not wanted or min(wanted) < earliest:
            known = f"[{-self.depth}, {self.depth})"
            raise ValueError(
                f"blocks must lie in {known}, none of them before block {earliest}, got "
                f"{list(blocks)}"
            )
        taken: dict[int, torch.Tensor] = {}
        for index in range(earliest, max(wanted) + 1):
            if index >= first:
                tokens = self.transformer.blocks[index](tokens)
            if index in wanted:
                taken[index] = self.transformer.norm(tokens)
        return [taken[index] for index in wanted]

    def block_input(self, pixels: torch.Tensor, block: int) -> torch.Tensor:
        """Compute the tokens that enter a block, (B, 1 + rows * columns, width).

        Args:
            pixels: as of `forward`.
            block: in [0, depth).
        """
        tokens = self._embed(pixels)
        for one in self.transformer.blocks[:block]:
            tokens = one(tokens)
        return tokens

    def describe(self, pixels: torch.Tensor, *, attention: bool) -> Descriptors:
        """Describe patches by the keys of the last block, of which nothing else is run.

        Args:
            pixels: (B, 3, h, w), ImageNet-normalised RGB, h and w multiples of `patch_size`.
            attention: whether the class attention is wanted.

        Raises:
            ValueError: a side that is no multiple of the patch size.
        """
        tokens = self.last_block_input(pixels)
        return describe_block(cast(Any, self.transformer.blocks[-1]), tokens, attention=attention)

    def last_block_input(self, pixels: torch.Tensor) -> torch.Tensor:
        """Compute the tokens that enter the last block, (B, 1 + rows * columns, width)."""
        return self.block_input(pixels, self.depth - 1)

    def _embed(self, pixels: torch.Tensor) -> torch.Tensor:
        rows, columns = patch_grid(pixels.shape[-2], pixels.shape[-1], self.patch_size)
        model = self.transformer
        patches = model.patch_embed.proj(pixels).flatten(2).transpose(1, 2)
        class_token = model.get_parameter("cls_token").expand(len(patches), -1, -1)
        positions = self._positions(model.get_parameter("pos_embed")[0], rows, columns)
        return torch.cat([class_token, patches], dim=1) + positions
