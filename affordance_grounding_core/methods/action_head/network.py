"""A small head that turns frozen patch features into heat for every action.

Patch tokens of several backbone blocks are projected, mixed with their neighbours by one
convolution, where asked for with the whole picture by attention, and compared with an embedding
per action. The class token is left out: in a scene of several objects it speaks of the wrong ones.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from functools import lru_cache
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from timm.models.vision_transformer import Block
from torch import nn
from torch.nn import functional

from affordance_grounding_core.backbones.dinov2 import Dinov2
from affordance_grounding_core.inference.network import GroundingNetwork, KeepsFloatingPoint
from affordance_grounding_core.methods.action_head.adapters import Adapters
from affordance_grounding_core.methods.action_head.config import ActionHeadConfig

MASK_CELLS = 7
"""Cells of a part mask along the side of a patch of 14 px."""

_LOWEST, _HIGHEST = -12.0, 10.0
"""Limits of logits that are spread: their exponentials are numbers of 16 bits."""


class ActionHead(nn.Module):
    """Scores every patch for every action, and where it has masks, every cell of a patch.

    Args:
        config: sizes.

    Attributes:
        heat_offsets: (actions,) added to the heat's logits at inference, so that one threshold
            serves all actions; 0 until fitted.
        adapters: changes of the backbone that the head was trained with, for those who run it; None
            for none.
    """

    heat_offsets: torch.Tensor

    def __init__(self, config: ActionHeadConfig) -> None:
        super().__init__()
        self.config = config
        channels = config.feature_width * len(config.blocks)
        self.feature_norm = nn.LayerNorm(channels)
        self.patch_projection = nn.Linear(channels, config.width)
        self.attention = nn.Sequential(
            *(
                Block(config.width, config.width // 32, mlp_ratio=2, qkv_bias=True, proj_drop=0.1)
                for _ in range(config.attention)
            )
        )
        self.context = Context(config.width, config.context) if config.context else None
        self.mixing_norm = nn.GroupNorm(8, config.width)
        self.mixing = nn.Conv2d(config.width, config.width, kernel_size=3, padding=1)
        self.output_norm = nn.GroupNorm(8, config.width)
        self.action_embeddings = nn.Linear(config.width, config.actions)
        self.masks = MaskDecoder(config) if config.mask_width else None
        self.adapters = Adapters(config) if config.adapter_rank else None
        self.register_buffer("heat_offsets", torch.zeros(config.actions))

    def forward(self, tokens: torch.Tensor, rows: int, columns: int) -> torch.Tensor:
        """Score patches.

        Args:
            tokens: (B, 1 + rows * columns, blocks * feature_width), class token first, the
                tokens of the blocks side by side.
            rows: of patches.
            columns: of patches.

        Returns:
            (B, actions, rows, columns) logits of the heat, without `heat_offsets`.
        """
        return self.score(self.describe(tokens, rows, columns))

    def describe(self, tokens: torch.Tensor, rows: int, columns: int) -> torch.Tensor:
        """Describe patches, (B, width, rows, columns); arguments as of `forward`."""
        patches = self.attention(self._project(tokens[:, 1:]))
        grid = patches.transpose(1, 2).reshape(len(tokens), -1, rows, columns)
        if self.context is not None:
            grid = grid + self.context(grid)
        grid = grid + self.mixing(functional.gelu(self.mixing_norm(grid)))
        return functional.gelu(self.output_norm(grid))

    def score(self, described: torch.Tensor) -> torch.Tensor:
        """Score described patches, (B, actions, rows, columns) logits."""
        logits: torch.Tensor = self.action_embeddings(described.permute(0, 2, 3, 1))
        logits = logits.permute(0, 3, 1, 2)
        return spread(logits, self.config.blur) if self.config.blur else logits

    def _project(self, features: torch.Tensor) -> torch.Tensor:
        """Normalise, drop and project features, (B, N, blocks * feature_width) to (B, N, width).

        In training the scale of the norm is moved into the projection: the same function, without a
        gradient through the features, which are by far the largest tensors of a step, unless
        adapters of the backbone are trained with the head.
        """
        if not self.training:
            projected: torch.Tensor = self.patch_projection(self.feature_norm(features))
            return projected
        projection, norm = self.patch_projection, self.feature_norm
        kept = self.draw_kept(len(features), features.device)
        with torch.set_grad_enabled(features.requires_grad):
            plain = functional.layer_norm(features.float(), norm.normalized_shape, eps=norm.eps)
            plain = plain * kept if features.requires_grad else plain.mul_(kept)
        shift = functional.linear(kept * norm.bias, projection.weight, projection.bias)
        return functional.linear(plain, projection.weight * norm.weight) + shift

    def draw_kept(self, samples: int, device: torch.device) -> torch.Tensor:
        """Blank channels, and all of a block but the last, at random in training.

        A channel is blanked in the whole sample: neighbouring patches say much the same, so that
        one blanked here and there is no loss to the head (and takes a random number a patch).
        The last block carries over best from renders to photographs; the others add detail
        and must not be relied upon.

        Args:
            samples: of the batch.
            device: of the answer.

        Returns:
            (samples, 1, blocks * feature_width) factors of the features: 0 for what is blanked.
        """
        blocks, width = len(self.config.blocks), self.config.feature_width
        ones = torch.ones(samples, 1, blocks, width, device=device)
        kept = functional.dropout(ones, self.config.dropout)
        drawn = torch.rand(samples, 1, blocks, 1, device=device)
        spared = torch.arange(blocks, device=device)[:, None] == blocks - 1
        return (kept * (spared | (drawn >= self.config.block_dropout))).flatten(2)


class Context(nn.Module):
    """What the rest of the picture says of every patch, by attention on a coarser grid.

    Args:
        width: channels of a patch.
        blocks: of a transformer.
    """

    def __init__(self, width: int, blocks: int) -> None:
        super().__init__()
        self.blocks = nn.Sequential(
            *(
                Block(width, width // 32, mlp_ratio=2, qkv_bias=True, proj_drop=0.1)
                for _ in range(blocks)
            )
        )
        for name, parameter in self.blocks.named_parameters():
            if "attn.proj" in name or "fc2" in name:  # training begins as if there were none
                nn.init.zeros_(parameter)

    def forward(self, grid: torch.Tensor) -> torch.Tensor:
        """Compute what is added to a grid of patches.

        Args:
            grid: (B, width, rows, columns).

        Returns:
            Likewise.
        """
        sides = grid.shape[-2:]
        down = [_matrix(averaging_matrix(side), grid) for side in sides]
        up = [_matrix(interpolation_matrix(-(-side // 2), side), grid) for side in sides]
        coarse = down[0] @ grid @ down[1].T
        patches = coarse.flatten(2).transpose(1, 2)
        change = (self.blocks(patches) - patches).transpose(1, 2).reshape(coarse.shape)
        finer: torch.Tensor = up[0] @ change @ up[1].T
        return finer


class MaskDecoder(KeepsFloatingPoint):
    """Draws part masks on a grid of `MASK_CELLS` x `MASK_CELLS` cells a patch.

    What a patch is comes from its description, where exactly the part ends from the picture's
    own pixels.

    Args:
        config: sizes; `mask_width` above 0.
    """

    def __init__(self, config: ActionHeadConfig) -> None:
        super().__init__()
        width = config.mask_width
        self.pixels = nn.Sequential(
            nn.Conv2d(3, width // 2, kernel_size=4, stride=2, padding=1),
            nn.GELU(),
            nn.Conv2d(width // 2, width // 2, kernel_size=3, padding=1),
        )
        self.patches = nn.Conv2d(config.width, width, kernel_size=1)
        self.mixing = nn.Sequential(
            nn.GELU(),
            nn.Conv2d(width + width // 2, width, kernel_size=3, padding=1),
            nn.GELU(),
            nn.Conv2d(width, width, kernel_size=3, padding=1),
            nn.GELU(),
            nn.Conv2d(width, config.actions, kernel_size=1),
        )
        self.coarse = nn.Conv2d(config.width, config.actions, kernel_size=1)

    def forward(self, described: torch.Tensor, pixels: torch.Tensor) -> torch.Tensor:
        """Draw the masks of all actions.

        Args:
            described: (B, width, rows, columns) by `ActionHead.describe`.
            pixels: (B, 3, h, w) float32, normalised, h and w 14 times rows and columns.

        Returns:
            (B, actions, `MASK_CELLS` * rows, `MASK_CELLS` * columns) logits.
        """
        edges = self.pixels(pixels)
        patches = enlarge(self.patches(described))
        fine: torch.Tensor = self.mixing(torch.cat([patches, edges], dim=1))
        return fine + enlarge(self.coarse(described))


def enlarge(grid: torch.Tensor) -> torch.Tensor:
    """Bring a grid of patches to the cells of part masks, bilinearly.

    Two products with matrices of the sizes alone: no resampling is left in an exported graph.

    Args:
        grid: (..., rows, columns) float.

    Returns:
        (..., `MASK_CELLS` * rows, `MASK_CELLS` * columns).
    """
    rows, columns = (
        _matrix(interpolation_matrix(side, MASK_CELLS * side), grid) for side in grid.shape[-2:]
    )
    return rows @ grid @ columns.T


def spread(logits: torch.Tensor, blur: float) -> torch.Tensor:
    """Blur heat as labels are blurred: the logarithm of the blurred exponentials of logits.

    The layers below say where a part is, and need not learn the blur of its label. One hot patch
    makes a blob, at whatever size of the input; heat can be as high for a small part as for a
    large one.

    Args:
        logits: (..., rows, columns).
        blur: standard deviation as a share of the whole side.

    Returns:
        (..., rows, columns) float32.
    """
    with torch.autocast(logits.device.type, enabled=False):
        heat = torch.exp(logits.float().clamp(_LOWEST, _HIGHEST))
        rows, columns = (_matrix(blur_matrix(side, blur), heat) for side in logits.shape[-2:])
        return torch.log(rows @ heat @ columns.T)


def _matrix(values: NDArray[np.float32], like: torch.Tensor) -> torch.Tensor:
    return torch.from_numpy(values).to(like.device, like.dtype)


@lru_cache(maxsize=64)
def interpolation_matrix(side: int, cells: int) -> NDArray[np.float32]:
    """Weights of linear interpolation from patches to finer cells along one side.

    Args:
        side: number of patches.
        cells: number of cells over the same length.

    Returns:
        (cells, side) float32; each row sums to 1.
    """
    centres = (np.arange(cells) + 0.5) * (side / cells) - 0.5
    places = np.clip(centres, 0.0, side - 1.0)
    distances = np.abs(places[:, None] - np.arange(side)[None])
    return np.asarray(np.maximum(0.0, 1.0 - distances), np.float32)


@lru_cache(maxsize=64)
def averaging_matrix(side: int) -> NDArray[np.float32]:
    """Weights that average patches over half as many cells, rounded up, along one side.

    Args:
        side: number of patches.

    Returns:
        (ceil(side / 2), side) float32; each row sums to 1.
    """
    cells = -(-side // 2)
    edges = np.arange(cells + 1) * (side / cells)
    patches = np.arange(side)
    ends = np.minimum(edges[1:, None], patches + 1)
    covered = np.maximum(0.0, ends - np.maximum(edges[:-1, None], patches))
    return np.asarray(covered / covered.sum(axis=1, keepdims=True), np.float32)


@lru_cache(maxsize=64)
def blur_matrix(side: int, blur: float) -> NDArray[np.float32]:
    """Weights of a Gaussian along one side, mirrored at both ends.

    Args:
        side: number of patches.
        blur: standard deviation as a share of the side.

    Returns:
        (side, side) float32; each row sums to 1.
    """
    places = np.arange(side)[:, None]
    # The picture, mirrored at one end and at the other.
    copies = [np.arange(side), -1 - np.arange(side), 2 * side - 1 - np.arange(side)]
    weights = sum(np.exp(-((places - copy) ** 2) / (2 * (blur * side) ** 2)) for copy in copies)
    weights = np.asarray(weights)
    return np.asarray(weights / weights.sum(axis=1, keepdims=True), np.float32)


def join_blocks(tokens: Sequence[torch.Tensor]) -> torch.Tensor:
    """Put the tokens of several blocks side by side, (B, N, blocks * width)."""
    return torch.cat(list(tokens), dim=-1)


class ActionHeadNetwork(GroundingNetwork):
    """Backbone and head as one graph: pixels and actions in, heat and part masks out.

    Args:
        backbone: frozen. The head's adapters are added to its weights, for good.
        head: trained on its features.
    """

    answers_all_at_once = True

    def __init__(self, backbone: Dinov2, head: ActionHead) -> None:
        super().__init__()
        if head.adapters is not None:
            head.adapters.merge_into(backbone)
            head.adapters = None
        self.backbone = backbone
        self.head = head

    def forward(self, pixels: torch.Tensor, actions: torch.Tensor) -> torch.Tensor:
        """Compute the heat of some actions, and their part masks where the head draws them.

        Args:
            pixels: (1, 3, h, w) float32, normalised.
            actions: (K,) int64 indices.

        Returns:
            (K, h / patch, w / patch) heat in [0, 1]; with masks (2 K, h / 2, w / 2): the heat of
            all K actions first, then the masks of all.
        """
        tokens = self.backbone(pixels, self.head.config.blocks)
        return self.decode(tokens, *self._grid(pixels), actions, pixels)

    def raw_maps(self, pixels: torch.Tensor, actions: torch.Tensor) -> torch.Tensor:
        """Compute the logits of the heat; arguments as for `forward`."""
        tokens = self.backbone(pixels, self.head.config.blocks)
        described = self.head.describe(join_blocks(tokens), *self._grid(pixels))
        return self._logits(described)[0].index_select(0, actions)

    def settings(self) -> dict[str, Any]:
        """Return the sizes of the head and the blocks it reads; see `GroundingNetwork`."""
        return {"head": asdict(self.head.config)}

    def decode(
        self,
        tokens: Sequence[torch.Tensor],
        rows: int,
        columns: int,
        actions: torch.Tensor,
        pixels: torch.Tensor,
    ) -> torch.Tensor:
        """Compute the answer of `forward` from the tokens of a pass of the backbone.

        Args:
            tokens: (1, 1 + rows * columns, width) of each of the head's blocks.
            rows: of patches.
            columns: of patches.
            actions: (K,) int64 indices.
            pixels: as of `forward`.
        """
        described = self.head.describe(join_blocks(tokens), rows, columns)
        heat = torch.sigmoid(self._logits(described))
        if self.head.masks is None:
            return heat[0].index_select(0, actions)
        masks = torch.sigmoid(self.head.masks(described, pixels))
        return torch.cat(
            [enlarge(heat)[0].index_select(0, actions), masks[0].index_select(0, actions)]
        )

    def _grid(self, pixels: torch.Tensor) -> tuple[int, int]:
        side = self.backbone.patch_size
        return pixels.shape[-2] // side, pixels.shape[-1] // side

    def _logits(self, described: torch.Tensor) -> torch.Tensor:
        logits = self.head.score(described) + self.head.heat_offsets[:, None, None]
        return logits.to(described.dtype)
