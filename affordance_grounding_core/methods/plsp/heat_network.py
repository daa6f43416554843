"""WSAG-PLSP as one graph for inference: pixels and actions in, comparable heat out.

The encoder runs once for all actions. Their vectors are a buffer.
"""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

import torch

from affordance_grounding_core.inference.heat_calibration import CalibratedHeat, HeatCalibration
from affordance_grounding_core.inference.network import GroundingNetwork
from affordance_grounding_core.methods.plsp.network import PlspNetwork
from affordance_grounding_core.methods.plsp.scoring import log_density


class PlspHeatNetwork(GroundingNetwork):
    """Encoder, network, calibration.

    Args:
        network: trained, with its encoder.
        action_vectors: (actions, width).
        heat: from peaks of log density to peaks of heat.
    """

    action_vectors: torch.Tensor

    def __init__(
        self, network: PlspNetwork, action_vectors: torch.Tensor, heat: HeatCalibration
    ) -> None:
        super().__init__()
        self.network = network.eval().requires_grad_(False)
        self.register_buffer("action_vectors", action_vectors.detach().clone())
        self.heat = CalibratedHeat(heat)

    def forward(self, pixels: torch.Tensor, actions: torch.Tensor) -> torch.Tensor:
        """Compute the heat of some actions.

        The published density relative to its peak, times how sure the peak is that the action
        is afforded. Places of one image compare as in the published heat, whose level says
        nothing; peaks of images compare by the calibration.

        Args:
            pixels: (1, 3, h, w) float32, normalised as the encoder expects.
            actions: (K) int64 indices.

        Returns:
            (K, 4 * rows, 4 * columns) in [0, 1], comparable between frames.
        """
        maps = self.raw_maps(pixels, actions)
        peaks = maps.amax(dim=(1, 2), keepdim=True)
        sureness: torch.Tensor = self.heat(peaks)
        return sureness * torch.exp(maps - peaks)

    def settings(self) -> dict[str, Any]:
        """Return the sizes of the network; see `GroundingNetwork`."""
        return {"network": asdict(self.network.config)}

    def raw_maps(self, pixels: torch.Tensor, actions: torch.Tensor) -> torch.Tensor:
        """Compute the log density, on whose peaks heat is fitted; arguments as for `forward`."""
        tokens, rows, columns = self.network.encode(pixels)
        vectors = self.action_vectors.index_select(0, actions)
        return log_density(self.network.ground(tokens, vectors, rows, columns).logits)

    def evaluation_maps(
        self, pixels: torch.Tensor, actions: torch.Tensor
    ) -> dict[str, torch.Tensor]:
        """Compute the maps that the paper scores.

        Args:
            pixels: as for `forward`.
            actions: likewise.

        Returns:
            "log_density" (K, 4 * rows, 4 * columns): its softmax is the published heat.
        """
        return {"log_density": self.raw_maps(pixels, actions)}
