"""Network of SelectiveCL and LOCATE: the trained head, and its wrapper for inference.

Parameter names are those of the published checkpoints.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, Literal, get_args

import torch
from torch import nn

from affordance_grounding_core.inference.heat_calibration import CalibratedHeat, HeatCalibration
from affordance_grounding_core.inference.network import GroundingNetwork, KeepsFloat32
from affordance_grounding_core.methods.selective_cl.affinity import unit
from affordance_grounding_core.methods.selective_cl.affinity_sources import (
    ClipAffinity,
    SaliencyAffinity,
)
from affordance_grounding_core.methods.selective_cl.config import SelectiveHeadConfig
from affordance_grounding_core.methods.selective_cl.frozen_backbones import (
    FrozenBackbones,
    FrozenFeatures,
)


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
            rows: number of rows of patches.
            columns: number of columns of patches.

        Returns:
            (B, actions, rows, columns) class maps, of any sign and scale.
        """
        return self.class_maps(self.aff_ego_proj(self.project(descriptors, rows, columns)))

    def project(self, descriptors: torch.Tensor, rows: int, columns: int) -> torch.Tensor:
        """Bring descriptors to the grid that both branches start from.

        Args:
            descriptors: (B, rows * columns, feature_width) float.
            rows: number of rows of patches.
            columns: number of columns of patches.

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


AffinityCalibration = Literal["raw", "binarised", "off"]
"""How affinity enters the answer."""


@dataclass(frozen=True)
class MapConfig:
    """How class maps are calibrated by the affinity of the object.

    Attributes:
        calibration: "raw" multiplies by the min-maxed affinity, as the released code does;
            "binarised" keeps the class map where that affinity exceeds `threshold`, as the
            paper writes (section 3.5); "off" leaves the class map as it is.
        threshold: threshold of the binarised affinity, in [0, 1).
    """

    calibration: AffinityCalibration = "raw"
    threshold: float = 0.6

    def __post_init__(self) -> None:
        if self.calibration not in get_args(AffinityCalibration):
            raise ValueError(
                f"calibration must be one of {list(get_args(AffinityCalibration))}, got "
                f"{self.calibration!r}"
            )
        if not 0.0 <= self.threshold < 1.0:
            raise ValueError(
                "threshold of the affinity must lie in [0, 1), for a min-maxed map never exceeds "
                f"1; got {self.threshold}"
            )


def calibrate_maps(
    class_maps: torch.Tensor, affinity: torch.Tensor, config: MapConfig
) -> torch.Tensor:
    """Let affinity say where the object is.

    Args:
        class_maps: (..., h, w) float, of any sign and scale.
        affinity: (..., h, w) float in [0, 1], min-maxed; not looked at where calibration is off.
        config: use of the affinity.

    Returns:
        (..., h, w) float.
    """
    if config.calibration == "off":
        return class_maps
    if config.calibration == "binarised":
        affinity = (affinity > config.threshold).to(class_maps.dtype)
    return class_maps * affinity


class TextAffinity(KeepsFloat32):
    """Affinity of patches to the prompts of actions.

    Args:
        action_texts: (actions, D) vectors of the action prompts, of any norm.

    It stays in float32: min-maxing stretches differences that 16 bits do not tell apart.
    """

    needs_attention = False
    action_texts: torch.Tensor

    def __init__(self, action_texts: torch.Tensor) -> None:
        super().__init__()
        self.register_buffer("action_texts", unit(action_texts.detach()).clone())

    def settings(self) -> dict[str, Any]:
        """Return where affinity comes from, as plain values."""
        return {"source": "clip"}

    def forward(self, features: FrozenFeatures, actions: torch.Tensor) -> torch.Tensor:
        """Compute (K, h, w) min-maxed affinity of one image to K actions."""
        return ClipAffinity(self.action_texts, self.action_texts).affinity(features, actions)


class ProvidedAffinity(nn.Module):
    """Affinity that needs no text.

    Args:
        provider: asked for the affinity of every image.
        needs_attention: whether it looks at the class attention.
    """

    def __init__(self, provider: SaliencyAffinity, *, needs_attention: bool) -> None:
        super().__init__()
        self.provider = provider
        self.needs_attention = needs_attention

    def settings(self) -> dict[str, Any]:
        """Return where affinity comes from, as plain values."""
        return {**self.provider.settings(), "needs_attention": self.needs_attention}

    def forward(self, features: FrozenFeatures, actions: torch.Tensor) -> torch.Tensor:
        """Compute (K, h, w) min-maxed affinity of one image to K actions."""
        return self.provider.affinity(features, actions)


class SelectiveNetwork(GroundingNetwork):
    """Backbones, head, calibration.

    Args:
        backbones: frozen.
        head: trained on their descriptors.
        affinity: calibrates the class maps; None leaves them as they are.
        maps: use of the affinity.
        heat: calibration from the calibrated map to heat.
    """

    answers_all_at_once = True

    def __init__(
        self,
        backbones: FrozenBackbones,
        head: SelectiveHead,
        affinity: TextAffinity | ProvidedAffinity | None,
        maps: MapConfig,
        heat: HeatCalibration,
    ) -> None:
        super().__init__()
        self.backbones = backbones
        self.head = head.eval().requires_grad_(False)
        self.affinity = affinity if maps.calibration != "off" else None
        self.maps = maps
        self.heat = CalibratedHeat(heat)

    def forward(self, pixels: torch.Tensor, actions: torch.Tensor) -> torch.Tensor:
        """Compute the heat of some actions.

        Args:
            pixels: (1, 3, h, w) float32, ImageNet-normalised, sides multiples of the patch.
            actions: (K) int64 indices.

        Returns:
            (K, h / patch, w / patch) in [0, 1], comparable between frames.
        """
        heat: torch.Tensor = self.heat(self.raw_maps(pixels, actions))
        return heat

    def settings(self) -> dict[str, Any]:
        """Return how affinity enters; see `GroundingNetwork`."""
        return {
            "maps": asdict(self.maps),
            "affinity": self.affinity.settings() if self.affinity else None,
        }

    def raw_maps(self, pixels: torch.Tensor, actions: torch.Tensor) -> torch.Tensor:
        """Compute what heat is made of: (K, rows, columns) of any sign and scale."""
        return self._both_maps(pixels, actions)[1]

    def evaluation_maps(
        self, pixels: torch.Tensor, actions: torch.Tensor
    ) -> dict[str, torch.Tensor]:
        """Compute the maps that the paper scores: of any sign and scale.

        Args:
            pixels: see `forward`.
            actions: see `forward`.

        Returns:
            "class_map" and, where affinity calibrates, "calibrated_class_map", each (K, rows,
            columns).
        """
        plain, calibrated = self._both_maps(pixels, actions)
        if self.affinity is None:
            return {"class_map": plain}
        return {"class_map": plain, "calibrated_class_map": calibrated}

    def _both_maps(
        self, pixels: torch.Tensor, actions: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor]:
        wants_attention = self.affinity is not None and self.affinity.needs_attention
        features = self.backbones(pixels, attention=wants_attention)
        # Features are float32; the head may have been cast to 16 bits.
        descriptors = features.descriptors.to(self.head.aff_classifier.weight.dtype)
        maps = self.head(descriptors, features.rows, features.columns).float()
        plain = maps[0].index_select(0, actions)
        if self.affinity is None:
            return plain, plain
        return plain, calibrate_maps(plain, self.affinity(features, actions), self.maps)
