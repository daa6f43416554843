"""Mask network: gives a mask for a picture and a pair of action and object."""

from __future__ import annotations

from typing import cast

import torch
from torch import nn

from affordance_grounding_core.methods.plsp.decoder import HeatDecoder
from affordance_grounding_core.methods.plsp.encoders import TokenEncoder
from affordance_grounding_core.methods.plsp.refinement.config import RefinementConfig


class MaskNetwork(nn.Module):
    """An encoder, a vector that says which pair is meant, and the decoder of heat.

    Args:
        encoder: tokens of the picture; trained along where it has trainable parameters.
        queries: (pairs, encoder.output_width) text vectors of the pairs; None learns them.
        pairs: number of pairs.
        config: sizes of the decoder.
    """

    def __init__(
        self,
        encoder: TokenEncoder,
        pairs: int,
        config: RefinementConfig,
        queries: torch.Tensor | None = None,
    ) -> None:
        super().__init__()
        width = encoder.output_width
        if queries is not None and queries.shape != (pairs, width):
            raise ValueError(
                f"text vectors of shape {tuple(queries.shape)} do not fit {pairs} pairs and an "
                f"encoder of width {width}; expected ({pairs}, {width})"
            )
        self.encoder = encoder
        self.decoder = HeatDecoder(
            width, config.decoder_depth, config.decoder_heads, config.decoder_hidden
        )
        if queries is None:
            self.queries = nn.Parameter(0.02 * torch.randn(pairs, width))
        else:
            self.register_buffer("queries", queries.detach().clone())

    def forward(self, pixels: torch.Tensor, pairs: torch.Tensor) -> torch.Tensor:
        """Compute the logits of masks.

        Args:
            pixels: (B, 3, h, w) normalised, sides multiples of the encoder's patch size.
            pairs: (B) int64.

        Returns:
            (B, 4 * rows, 4 * columns) logits, four by four to a patch.
        """
        tokens = self.encoder(pixels)
        rows, columns = (side // self.encoder.patch_size for side in pixels.shape[-2:])
        query = tokens[:, :1] + self.queries[pairs][:, None]
        logits: torch.Tensor = self.decoder(tokens, query, rows, columns)
        return logits[:, 0]

    def trained_state(self) -> dict[str, torch.Tensor]:
        """Tensors that training made or drew: all but a frozen encoder's."""
        frozen = {
            f"encoder.{name}"
            for name, value in cast(nn.Module, self.encoder).state_dict(keep_vars=True).items()
            if not value.requires_grad
        }
        return {name: value for name, value in self.state_dict().items() if name not in frozen}

    def load_trained_state(self, tensors: dict[str, torch.Tensor]) -> None:
        """Set what `trained_state` gives.

        Raises:
            ValueError: a tensor is missing, unknown or of another shape.
        """
        expected = self.trained_state()
        wrong = sorted(
            name
            for name in expected.keys() | tensors.keys()
            if name not in expected
            or name not in tensors
            or expected[name].shape != tensors[name].shape
        )
        if wrong:
            raise ValueError(
                f"{len(wrong)} tensors do not fit the mask network, for example {wrong[:3]}; it "
                "was trained with another encoder, other sizes or other pairs"
            )
        self.load_state_dict(tensors, strict=False)
