"""Encoders of the refinement: CLIP as published, or DINOv2 where no hub can be reached."""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, cast

import torch
from torch import nn

from affordance_grounding_core.labelling.part_names import Pair, object_phrase
from affordance_grounding_core.methods.plsp.encoders import (
    EncoderConfig,
    TokenEncoder,
    action_words,
    load_encoder,
)

FeatureName = Literal["clip", "dinov2"]

ENCODERS: Mapping[FeatureName, str] = {"clip": "clip_vitb16", "dinov2": "dinov2_vits14"}
"""Encoders of WSAG-PLSP by the names of the command line."""

SIZE = 224
"""Side of the square input in px."""


@dataclass(frozen=True)
class RefinementEncoders:
    """Both roles of an encoder.

    Attributes:
        name: "clip" or "dinov2".
        masks: encoder of the mask network; CLIP's is trained along, DINOv2's is frozen.
        frozen: encoder whose patch features are compared; never trained.
        queries: (pairs, width) text vectors, or None to learn them.
        mean: mean of each RGB channel in [0, 1], subtracted from pictures.
        std: standard deviation of each RGB channel, which pixels are divided by.
        size: side of the square input in px.
    """

    name: FeatureName
    masks: TokenEncoder
    frozen: TokenEncoder
    queries: torch.Tensor | None
    mean: tuple[float, float, float]
    std: tuple[float, float, float]
    size: int = SIZE


def load_encoders(
    name: FeatureName, pairs: Sequence[Pair], weights: Path | None = None
) -> RefinementEncoders:
    """Load encoders with their pinned weights.

    Args:
        name: "clip" as published, with text vectors of "action object"; "dinov2" without
            text: a vector for each pair is learned.
        pairs: (action, object), in the order of the queries.
        weights: local file of the weights; the cached or published ones where None.

    Raises:
        WeightsError: the weights cannot be fetched, verified or read.
    """
    config = EncoderConfig(ENCODERS[name], str(weights) if weights else None)
    loaded = load_encoder(config, SIZE)
    mean, std = config.normalisation
    if loaded.text is None:
        # One copy serves both roles: it is not trained.
        encoder = cast(TokenEncoder, loaded.image)
        return RefinementEncoders(name, encoder, encoder, None, mean, std)
    frozen = copy.deepcopy(loaded.image).requires_grad_(False).eval()
    texts = [f"{action_words(action)} {object_phrase(noun)}" for action, noun in pairs]
    return RefinementEncoders(
        name,
        cast(TokenEncoder, loaded.image),
        cast(TokenEncoder, frozen),
        loaded.text.encode(texts).float(),
        mean,
        std,
    )


class FrozenPatches:
    """Patch features of an encoder that is not trained, on whatever device the pixels are.

    Args:
        encoder: a module; it may also be the mask network's own, where that is frozen too.
    """

    def __init__(self, encoder: TokenEncoder) -> None:
        self.encoder = encoder

    @torch.no_grad()
    def __call__(self, pixels: torch.Tensor) -> torch.Tensor:
        """(B, 3, h, w) normalised pixels to (B, N, C) patches, without the class token."""
        if isinstance(self.encoder, nn.Module):
            self.encoder.to(pixels.device)
        tokens: torch.Tensor = self.encoder(pixels)
        return tokens[:, 1:]
