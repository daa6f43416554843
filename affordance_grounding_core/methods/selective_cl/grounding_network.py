"""SelectiveCL as one graph: pixels and actions in, heat out.

Both backbones run once for all actions. The text of the actions was encoded before; its
vectors are a buffer.
"""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

import torch
from torch import nn

from affordance_grounding_core.inference.heat_calibration import CalibratedHeat, HeatCalibration
from affordance_grounding_core.inference.network import GroundingNetwork, KeepsFloat32
from affordance_grounding_core.methods.selective_cl.affinity import unit
from affordance_grounding_core.methods.selective_cl.affinity_sources import (
    ClipAffinity,
    SaliencyAffinity,
)
from affordance_grounding_core.methods.selective_cl.features import FrozenFeatures
from affordance_grounding_core.methods.selective_cl.frozen_backbones import FrozenBackbones
from affordance_grounding_core.methods.selective_cl.map_calibration import MapConfig, calibrate_maps
from affordance_grounding_core.methods.selective_cl.network import SelectiveHead


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
        maps: how affinity enters.
        heat: from the calibrated map to heat.
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
            pixels: as for `forward`.
            actions: likewise.

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
