"""What the frozen backbones say of a batch of images, computed now or read from a cache."""

from __future__ import annotations

from dataclasses import dataclass

import torch


@dataclass(frozen=True)
class FrozenFeatures:
    """Frozen features of a batch of images.

    A batch of egocentric images holds B of them, its exocentric batch B * E in the order
    b * E + e. Patches run row by row.

    Attributes:
        descriptors: (B, N, C) float, patches as the descriptor backbone describes them.
        class_attention: (B, heads, N) float, how much its class token attends to each
            patch; None where it is not wanted.
        clip_tokens: (B, N, D) float, the same patches in CLIP's space, of any norm; None
            without CLIP.
        rows: of patches.
        columns: of patches; rows * columns = N.
    """

    descriptors: torch.Tensor
    class_attention: torch.Tensor | None
    clip_tokens: torch.Tensor | None
    rows: int
    columns: int

    def __post_init__(self) -> None:
        if self.descriptors.ndim != 3 or self.descriptors.shape[1] != self.rows * self.columns:
            raise ValueError(
                f"descriptors must be (B, N, C) with N = {self.rows} x {self.columns} = "
                f"{self.rows * self.columns} patches, got {tuple(self.descriptors.shape)}"
            )
        batch, patches = self.descriptors.shape[:2]
        attention, tokens = self.class_attention, self.clip_tokens
        if attention is not None and (
            attention.ndim != 3 or (attention.shape[0], attention.shape[2]) != (batch, patches)
        ):
            raise ValueError(
                f"class_attention must be ({batch}, heads, {patches}) like the descriptors, got "
                f"{tuple(attention.shape)}"
            )
        if tokens is not None and (tokens.ndim != 3 or tokens.shape[:2] != (batch, patches)):
            raise ValueError(
                f"clip_tokens must be ({batch}, {patches}, D) like the descriptors, got "
                f"{tuple(tokens.shape)}; give CLIP an input of {self.rows} x {self.columns} of "
                "its own patches"
            )

    @property
    def batch(self) -> int:
        """Number of images."""
        return len(self.descriptors)

    def to(self, device: torch.device | str, dtype: torch.dtype | None = None) -> FrozenFeatures:
        """Move to a device and, where one is given, to a floating point type."""
        attention, tokens = self.class_attention, self.clip_tokens
        return FrozenFeatures(
            self.descriptors.to(device, dtype),
            None if attention is None else attention.to(device, dtype),
            None if tokens is None else tokens.to(device, dtype),
            self.rows,
            self.columns,
        )
