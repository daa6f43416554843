"""Low-rank changes of a backbone's last blocks, trained with the head (LoRA, Hu et al., ICLR 2022).

A trained model keeps the two factors of every change; whoever loads it adds their product to the
backbone's weights, so that it looks as fast as without.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any, cast

import torch
from torch import nn
from torch.nn import functional

from affordance_grounding_core.backbones.dinov2 import Dinov2
from affordance_grounding_core.methods.action_head.config import ActionHeadConfig

_HIDDEN = 4
"""Channels inside a block's two layers for each channel of a token, in DINOv2."""


class LowRankChange(nn.Module):
    """Change of a linear layer's weights, the product of two narrow matrices.

    Args:
        inputs: channels that the layer takes.
        outputs: channels that it gives.
        rank: of the product.
    """

    def __init__(self, inputs: int, outputs: int, rank: int) -> None:
        super().__init__()
        self.down = nn.Parameter(torch.randn(rank, inputs) / math.sqrt(inputs))
        self.up = nn.Parameter(torch.zeros(outputs, rank))  # training begins as if there were none

    def forward(self, values: torch.Tensor) -> torch.Tensor:
        """Compute what is added to the layer's answer, (..., outputs) of (..., inputs)."""
        return functional.linear(functional.linear(values, self.down), self.up)


class BlockAdapter(nn.Module):
    """Changes of the four linear layers of a transformer block.

    Args:
        width: channels of a token.
        rank: of each change.
    """

    def __init__(self, width: int, rank: int) -> None:
        super().__init__()
        self.qkv = LowRankChange(width, 3 * width, rank)
        self.proj = LowRankChange(width, width, rank)
        self.fc1 = LowRankChange(width, _HIDDEN * width, rank)
        self.fc2 = LowRankChange(_HIDDEN * width, width, rank)

    def pairs(self, block: nn.Module) -> Iterator[tuple[nn.Linear, LowRankChange]]:
        """Each linear layer of a block, with its change."""
        one = cast(Any, block)
        yield from (
            (one.attn.qkv, self.qkv),
            (one.attn.proj, self.proj),
            (one.mlp.fc1, self.fc1),
            (one.mlp.fc2, self.fc2),
        )


class Adapters(nn.Module):
    """Changes of some blocks of a backbone.

    Args:
        config: sizes of the head.
    """

    def __init__(self, config: ActionHeadConfig) -> None:
        super().__init__()
        self._places = config.adapted_blocks
        self.blocks = nn.ModuleList(
            BlockAdapter(config.feature_width, config.adapter_rank) for _ in self._places
        )

    def attach(self, backbone: Dinov2) -> None:
        """Let a frozen backbone answer with the changes, as they are at any moment of training."""
        for layer, change in self._pairs(backbone):
            layer.register_forward_hook(_added(change))

    @torch.no_grad()
    def merge_into(self, backbone: Dinov2) -> None:
        """Add the changes to a backbone's weights, for good."""
        for layer, change in self._pairs(backbone):
            layer.weight += change.up @ change.down

    def _pairs(self, backbone: Dinov2) -> Iterator[tuple[nn.Linear, LowRankChange]]:
        for place, adapter in zip(self._places, self.blocks, strict=True):
            yield from cast(BlockAdapter, adapter).pairs(backbone.transformer.blocks[place])


def _added(change: LowRankChange) -> Any:
    """A hook that adds a change to what a layer answers."""

    def add(_: nn.Module, given: tuple[torch.Tensor], answer: torch.Tensor) -> torch.Tensor:
        added: torch.Tensor = change(given[0])
        return answer + added

    return add
