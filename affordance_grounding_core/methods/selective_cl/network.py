"""The trained part of SelectiveCL and LOCATE: class maps from frozen patch descriptors.

Parameter names are those of the published checkpoints.
"""

from __future__ import annotations

import torch
from torch import nn

from affordance_grounding_core.methods.selective_cl.config import SelectiveHeadConfig


class ProjectionMlp(nn.Module):
    """Normalise, widen, GELU, narrow.

    Args:
        width: channels in and out.
        hidden: channels between.
        skip: whether the input is added to the output.
    """

    def __init__(self, width: int, hidden: int, skip: bool) -> None:
        super().__init__()
        self.skip = skip
        self.norm = nn.LayerNorm(width)
        self.fc1 = nn.Linear(width, hidden)
        self.fc2 = nn.Linear(hidden, width)
        self.act = nn.GELU()

    def forward(self, descriptors: torch.Tensor) -> torch.Tensor:
        """Project (..., width) descriptors."""
        projected: torch.Tensor = self.fc2(self.act(self.fc1(self.norm(descriptors))))
        return descriptors + projected if self.skip else projected


class SelectiveHead(nn.Module):
    """Projection, two branches of convolutions, a shared classifier, two contrastive spaces.

    Inference needs the egocentric branch and the classifier alone.

    Args:
        config: sizes.
    """

    def __init__(self, config: SelectiveHeadConfig) -> None:
        super().__init__()
        self.config = config
        width = config.feature_width
        self.aff_proj = ProjectionMlp(width, config.hidden, config.skip)
        self.aff_ego_proj = _convolutions(width)
        self.aff_exo_proj = _convolutions(width)
        self.aff_classifier = nn.Conv2d(width, config.actions, kernel_size=1)
        self.K_contrast_projection = nn.Conv2d(width, width, kernel_size=1)
        self.pixel_contrast_projection = nn.Conv2d(width, width, kernel_size=1)

    def forward(self, descriptors: torch.Tensor, rows: int, columns: int) -> torch.Tensor:
        """Score the patches of egocentric images for every action.

        Args:
            descriptors: (B, rows * columns, feature_width) float.
            rows: of patches.
            columns: of patches.

        Returns:
            (B, actions, rows, columns) class maps, of any sign and scale.
        """
        return self.class_maps(self.aff_ego_proj(self.project(descriptors, rows, columns)))

    def project(self, descriptors: torch.Tensor, rows: int, columns: int) -> torch.Tensor:
        """Bring descriptors to the grid that both branches start from.

        Args:
            descriptors: (B, rows * columns, feature_width) float.
            rows: of patches.
            columns: of patches.

        Returns:
            (B, feature_width, rows, columns).
        """
        projected: torch.Tensor = self.aff_proj(descriptors)
        return projected.transpose(1, 2).reshape(len(projected), -1, rows, columns)

    def class_maps(self, features: torch.Tensor) -> torch.Tensor:
        """Classify the features of a branch, (B, feature_width, h, w) to (B, actions, h, w)."""
        maps: torch.Tensor = self.aff_classifier(features)
        return maps


def _convolutions(width: int) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(width, width, kernel_size=3, padding=1),
        nn.BatchNorm2d(width),
        nn.ReLU(),
        nn.Conv2d(width, width, kernel_size=3, padding=1),
        nn.BatchNorm2d(width),
        nn.ReLU(),
    )
