"""Patch features of the pictures that are learned from, as one batch each."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch


@dataclass(frozen=True)
class Pictures:
    """Egocentric or exocentric pictures.

    Attributes:
        patches: (M, N, C) float32, N patches in rows from the top.
        foreground: (M, N) float32, above 0 where there is an object, a hand or a body.
        objects: (M,) int64, class of the object.
        actions: of each picture; empty strings for egocentric ones, which serve all actions.
    """

    patches: torch.Tensor
    foreground: torch.Tensor
    objects: torch.Tensor
    actions: tuple[str, ...]

    @property
    def side(self) -> int:
        """Of the square grid of patches."""
        return grid_side(self.patches.shape[1])


def grid_side(patches: int) -> int:
    """Side of the square grid of so many patches."""
    return math.isqrt(patches)


def distances(masks: torch.Tensor, side: int) -> torch.Tensor:
    """Distance of every patch from the nearest one in a mask, in patches.

    Args:
        masks: (M, side * side) bool.
        side: of the grid.

    Returns:
        (M, side * side) float32, 0 inside; infinite in a picture whose mask is empty.
    """
    rows, columns = places(side)
    grid = torch.stack([rows, columns], dim=1)
    between = torch.cdist(grid, grid)
    far = torch.full(masks.shape, torch.inf)
    for row, mask in zip(far, masks, strict=True):
        if mask.any():
            row[:] = between[:, mask].amin(1)
    return far


def places(side: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Row and column of every patch of a grid, (side * side) float32 each."""
    numbers = torch.arange(side * side)
    return (numbers // side).float(), (numbers % side).float()
