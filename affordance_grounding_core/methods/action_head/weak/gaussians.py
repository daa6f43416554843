"""Groups of patches as Gaussians with one covariance: linear discriminants in closed form."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch


@dataclass(frozen=True)
class Metric:
    """Inverse of a covariance.

    Attributes:
        inverse: (C, C) float32.
    """

    inverse: torch.Tensor

    @classmethod
    def of(cls, groups: Sequence[torch.Tensor], shrinkage: float) -> Metric:
        """Measure the covariance inside groups, each weighing the same.

        Args:
            groups: each (n, C) float32, n at least 1.
            shrinkage: weight of a ball of the same size that is added; above 0.
        """
        width = groups[0].shape[-1]
        covariance = torch.zeros(width, width)
        for group in groups:
            deviation = group - group.mean(0)
            covariance += deviation.T @ deviation / (len(group) * len(groups))
        ball = (torch.trace(covariance) / width).clamp_min(1e-6) * torch.eye(width)
        return cls(torch.linalg.inv(covariance + shrinkage * ball))

    def fit(self, patches: torch.Tensor, means: torch.Tensor) -> torch.Tensor:
        """Log likelihood of patches in groups, up to what all groups share.

        Args:
            patches: (..., C).
            means: (K, C) of the groups.

        Returns:
            (..., K).
        """
        weights = self.inverse @ means.T
        return patches @ weights - 0.5 * (means.T * weights).sum(0)
