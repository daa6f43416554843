"""A small head that turns frozen patch features into heat for every action.

Patch tokens of several backbone blocks are projected, mixed with their neighbours by one
convolution, and compared with an embedding per action. The class token is left out: in a
scene of several objects it speaks of the wrong ones.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

import torch
from torch import nn
from torch.nn import functional

from affordance_grounding_core.backbones.dinov2 import Dinov2
from affordance_grounding_core.inference.network import GroundingNetwork
from affordance_grounding_core.methods.action_head.config import ActionHeadConfig


class ActionHead(nn.Module):
    """Scores every patch for every action.

    Args:
        config: sizes.
    """

    def __init__(self, config: ActionHeadConfig) -> None:
        super().__init__()
        self.config = config
        channels = config.feature_width * len(config.blocks)
        self.feature_norm = nn.LayerNorm(channels)
        self.patch_projection = nn.Linear(channels, config.width)
        self.mixing_norm = nn.GroupNorm(8, config.width)
        self.mixing = nn.Conv2d(config.width, config.width, kernel_size=3, padding=1)
        self.output_norm = nn.GroupNorm(8, config.width)
        self.action_embeddings = nn.Linear(config.width, config.actions)

    def forward(self, tokens: torch.Tensor, rows: int, columns: int) -> torch.Tensor:
        """Score patches.

        Args:
            tokens: (B, 1 + rows * columns, blocks * feature_width), class token first, the
                tokens of the blocks side by side.
            rows: of patches.
            columns: of patches.

        Returns:
            (B, actions, rows, columns) logits of the heat.
        """
        patches = self.patch_projection(self._drop(self.feature_norm(tokens[:, 1:])))
        grid = patches.transpose(1, 2).reshape(len(tokens), -1, rows, columns)
        grid = grid + self.mixing(functional.gelu(self.mixing_norm(grid)))
        activated = functional.gelu(self.output_norm(grid)).permute(0, 2, 3, 1)
        logits: torch.Tensor = self.action_embeddings(activated)
        return logits.permute(0, 3, 1, 2)

    def _drop(self, features: torch.Tensor) -> torch.Tensor:
        """Blank channels, and all of a block but the last, at random in training.

        A channel is blanked in the whole sample: neighbouring patches say much the same, so that
        one blanked here and there is no loss to the head (and takes a random number a patch).
        The last block carries over best from renders to photographs; the others add detail
        and must not be relied upon.
        """
        if not self.training:
            return features
        blocks = len(self.config.blocks)
        samples = (len(features), 1, blocks, features.shape[-1] // blocks)
        kept = functional.dropout(features.new_ones(samples), self.config.dropout)
        drawn = torch.rand(len(features), 1, blocks, 1, device=features.device)
        spared = torch.arange(blocks, device=features.device)[:, None] == blocks - 1
        kept = kept * (spared | (drawn >= self.config.block_dropout))
        return features * kept.flatten(2)


def join_blocks(tokens: Sequence[torch.Tensor]) -> torch.Tensor:
    """Put the tokens of several blocks side by side, (B, N, blocks * width)."""
    return torch.cat(list(tokens), dim=-1)


class ActionHeadNetwork(GroundingNetwork):
    """Backbone and head as one graph: pixels and actions in, heat out.

    Args:
        backbone: frozen.
        head: trained on its features.
    """

    answers_all_at_once = True

    def __init__(self, backbone: Dinov2, head: ActionHead) -> None:
        super().__init__()
        self.backbone = backbone
        self.head = head

    def forward(self, pixels: torch.Tensor, actions: torch.Tensor) -> torch.Tensor:
        """Compute the heat of some actions.

        Args:
            pixels: (1, 3, h, w) float32, normalised.
            actions: (K,) int64 indices.

        Returns:
            (K, h / patch, w / patch) in [0, 1].
        """
        return torch.sigmoid(self.raw_maps(pixels, actions))

    def raw_maps(self, pixels: torch.Tensor, actions: torch.Tensor) -> torch.Tensor:
        """Compute the logits of the heat; arguments as for `forward`."""
        rows = pixels.shape[-2] // self.backbone.patch_size
        columns = pixels.shape[-1] // self.backbone.patch_size
        tokens = self.backbone(pixels, self.head.config.blocks)
        return self._logits(tokens, rows, columns, actions)

    def settings(self) -> dict[str, Any]:
        """Return the sizes of the head and the blocks it reads; see `GroundingNetwork`."""
        return {"head": asdict(self.head.config)}

    def decode(
        self, tokens: Sequence[torch.Tensor], rows: int, columns: int, actions: torch.Tensor
    ) -> torch.Tensor:
        """Compute the heat of some actions from the tokens of a pass of the backbone.

        Args:
            tokens: (1, 1 + rows * columns, width) of each of the head's blocks.
            rows: of patches.
            columns: of patches.
            actions: (K,) int64 indices.

        Returns:
            (K, rows, columns) in [0, 1].
        """
        return torch.sigmoid(self._logits(tokens, rows, columns, actions))

    def _logits(
        self, tokens: Sequence[torch.Tensor], rows: int, columns: int, actions: torch.Tensor
    ) -> torch.Tensor:
        logits: torch.Tensor = self.head(join_blocks(tokens), rows, columns)
        return logits[0].index_select(0, actions)
