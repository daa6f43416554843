"""Network of WSAG-PLSP (arXiv 2505.24103, section 3), and its wrapper for inference.

The graph is what a grounder runs: pixels and actions in, comparable heat out.
Parameters carry the names of the official checkpoint, so that importing one is a strict load.
"""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from typing import Any

import torch
from torch import nn

from affordance_grounding_core.inference.heat_calibration import CalibratedHeat, HeatCalibration
from affordance_grounding_core.inference.network import GroundingNetwork
from affordance_grounding_core.methods.plsp.config import PlspNetworkConfig
from affordance_grounding_core.methods.plsp.decoder import HeatDecoder
from affordance_grounding_core.methods.plsp.encoders import TokenEncoder
from affordance_grounding_core.methods.plsp.fuser import VerbFuser


@dataclass(frozen=True)
class PlspAnswer:
    """What the network says of images and actions.

    Attributes:
        logits: (B, 1, 4 * rows, 4 * columns) of the heat.
        affordance: (B, 1, width) affordance token.
        noun: (B, 1, width) text vector of the object, predicted from the class token.
        part: (B, 1, width) text vector of the part, predicted from noun and action.
    """

    logits: torch.Tensor
    affordance: torch.Tensor
    noun: torch.Tensor
    part: torch.Tensor


class PlspNetwork(nn.Module):
    """Encoder, reasoning from action and object to part, verb fuser, decoder, classifier.

    Args:
        config: sizes.
        encoder: a module that is a `TokenEncoder`; None where tokens come from a cache, and
            then `grid` must be given.
        grid: rows and columns of patches whose positions the checkpoint stores; the
            encoder's where None.

    Raises:
        ValueError: the encoder's tokens have another width, or there is no grid.
    """

    def __init__(
        self,
        config: PlspNetworkConfig,
        encoder: TokenEncoder | None,
        grid: tuple[int, int] | None = None,
    ) -> None:
        super().__init__()
        expected = config.encoder_width or config.width
        if encoder is not None and encoder.output_width != expected:
            raise ValueError(
                f"the encoder's tokens have {encoder.output_width} channels, the network expects "
                f"{expected}; set width or encoder_width to the encoder's"
            )
        rows, columns = grid or (encoder.trained_grid if encoder else (0, 0))
        if rows < 1 or columns < 1:
            raise ValueError(
                f"without an encoder the grid must have at least one row and column, got {grid}"
            )
        width = config.width
        self.config = config
        self.encoder = encoder
        self.token_projection: nn.Module = (
            nn.Identity() if expected == width else nn.Linear(expected, width)
        )
        self.verb_fuser = VerbFuser(
            width,
            config.fuser_depth,
            config.fuser_heads,
            config.drop_path,
            config.layer_scale,
            rows,
            columns,
        )
        self.pred_decoder = HeatDecoder(
            width, config.decoder_depth, config.decoder_heads, config.decoder_hidden
        )
        self.exo_cls = _two_layers(width, config.classifier_hidden, config.actions)
        self.noun_transform = _two_layers(width, width, width)
        self.reason = _two_layers(2 * width, width, width)

    def forward(self, pixels: torch.Tensor, actions: torch.Tensor) -> PlspAnswer:
        """Ground one action in every image.

        Args:
            pixels: (B, 3, h, w) float32, normalised as the encoder expects.
            actions: (B, width) text vectors.
        """
        tokens, rows, columns = self.encode(pixels)
        return self.ground(tokens, actions, rows, columns)

    def encode(self, pixels: torch.Tensor) -> tuple[torch.Tensor, int, int]:
        """Encode images.

        Args:
            pixels: (B, 3, h, w) float32, normalised.

        Returns:
            (B, 1 + rows * columns, width) tokens, brought to the network's width; rows and
            columns.

        Raises:
            RuntimeError: the network was made without an encoder.
        """
        if self.encoder is None:
            raise RuntimeError("this network has no encoder: give it tokens, or an encoder")
        size = self.encoder.patch_size
        rows, columns = pixels.shape[-2] // size, pixels.shape[-1] // size
        tokens: torch.Tensor = self.token_projection(self.encoder(pixels))
        return tokens, rows, columns

    def ground(
        self, tokens: torch.Tensor, actions: torch.Tensor, rows: int, columns: int
    ) -> PlspAnswer:
        """Ground actions in encoded images.

        Args:
            tokens: (B, 1 + rows * columns, width); or (1, ...) for B actions in one image,
                whose tokens are then looked at once wherever that is possible.
            actions: (B, width) text vectors.
            rows: number of rows of patches.
            columns: number of columns of patches.
        """
        asked = actions.to(tokens.dtype).unsqueeze(1)
        # The noun must be read off the class token without pulling at it (section 3.3).
        noun = self.noun_transform(tokens[:, :1].detach()).expand(len(asked), -1, -1)
        part = self.reason(torch.cat([noun, asked], dim=2))
        query = part + asked if self.config.reasoning else asked
        affordance = self.verb_fuser(tokens, query, rows, columns)
        logits = self.pred_decoder(tokens, affordance, rows, columns)
        return PlspAnswer(logits, affordance, noun, part)

    def classify(self, object_tokens: torch.Tensor) -> torch.Tensor:
        """Tell which action a person performs with an object.

        Args:
            object_tokens: (B, width); see `losses.exocentric_tokens`.

        Returns:
            (B, actions) logits.
        """
        logits: torch.Tensor = self.exo_cls(object_tokens)
        return logits


def _two_layers(width: int, hidden: int, output: int) -> nn.Sequential:
    return nn.Sequential(nn.Linear(width, hidden), nn.GELU(), nn.Linear(hidden, output))


class PlspHeatNetwork(GroundingNetwork):
    """Encoder, network, calibration.

    Args:
        network: trained, with its encoder.
        action_vectors: (actions, width).
        heat: calibration from peaks of log density to peaks of heat.
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
            pixels: see `forward`.
            actions: see `forward`.

        Returns:
            "log_density" (K, 4 * rows, 4 * columns): its softmax is the published heat.
        """
        return {"log_density": self.raw_maps(pixels, actions)}


def log_density(logits: torch.Tensor) -> torch.Tensor:
    """How much denser the heat is than even heat, as a logarithm.

    The loss leaves a constant on the logits of an image free; this takes it out, so that the
    values of two images can be compared.

    Args:
        logits: (K, 1, h, w) of any floating point type.

    Returns:
        (K, h, w) float32: the total of thousands of cells is too coarse in 16 bits.
    """
    logits = logits.float()
    cells = logits.shape[-2] * logits.shape[-1]
    total = torch.logsumexp(logits.flatten(1), dim=1)
    return logits[:, 0] - total[:, None, None] + math.log(cells)
