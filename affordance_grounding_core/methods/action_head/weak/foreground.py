"""What is an object and what is background, learned from pictures without any mask.

A patch that resembles nothing at the border of its picture is probably an object's. One linear
discriminant over all pictures then averages the mistakes of that guess away.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch.nn import functional

from affordance_grounding_core.methods.action_head.weak.gaussians import Metric

_NEAREST = 8  # patches at the border that a patch is compared with
_ROUNDS = 3


@dataclass(frozen=True)
class Foreground:
    """A linear discriminant.

    Attributes:
        weights: (C,) float32.
        bias: added to the product.
    """

    weights: torch.Tensor
    bias: float

    def __call__(self, patches: torch.Tensor) -> torch.Tensor:
        """Score patches (..., C): (...), above 0 where there is an object."""
        return patches @ self.weights + self.bias

    def centred(self, patches: torch.Tensor) -> torch.Tensor:
        """Subtract from the patches of each picture the mean of its background.

        What a picture shows as a whole colours all its patches; the background says how.

        Args:
            patches: (M, N, C).
        """
        background = (self(patches) <= 0).float()[..., None]
        mean = (patches * background).sum(1, keepdim=True)
        return patches - mean / background.sum(1, keepdim=True).clamp_min(1.0)


def learn_foreground(patches: torch.Tensor, side: int, shrinkage: float) -> Foreground:
    """Tell objects from background.

    Args:
        patches: (M, side * side, C) float32 of pictures with objects inside.
        side: of the square grid of patches.
        shrinkage: see `Metric.of`.
    """
    rim = _rim(side)
    contrast = torch.stack([_contrast(picture, rim) for picture in patches])
    low, high = contrast.quantile(0.35), contrast[:, ~rim].quantile(0.75)
    objects, background = (contrast > high) & ~rim, contrast < low
    plausible = contrast > contrast.quantile(0.4)
    found = Foreground(torch.zeros(patches.shape[-1]), 0.0)
    for _ in range(_ROUNDS):
        groups = [patches[background], patches[objects]]
        if min(map(len, groups)) < 2:
            break
        means = torch.stack([group.mean(0) for group in groups])
        metric = Metric.of(groups, shrinkage)
        weights = metric.inverse @ (means[1] - means[0])
        found = Foreground(weights, -float(weights @ means.mean(0)))
        score = found(patches)
        objects, background = (score > 0) & plausible, score <= 0
    return found


def _rim(side: int) -> torch.Tensor:
    rim = torch.ones(side, side, dtype=torch.bool)
    rim[1:-1, 1:-1] = False
    return rim.flatten()


def _contrast(picture: torch.Tensor, rim: torch.Tensor) -> torch.Tensor:
    directions = functional.normalize(picture, dim=-1)
    alike = directions @ directions[rim].T
    return 1.0 - alike.topk(min(_NEAREST, alike.shape[1]), dim=1).values.mean(1)
