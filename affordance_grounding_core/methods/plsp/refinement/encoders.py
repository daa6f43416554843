"""What refinement sees with: CLIP as published, or DINOv2 where no hub can be reached."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import torch
from torch import nn

from affordance_grounding_core.backbones.dinov2 import Dinov2
from affordance_grounding_core.backbones.weights import load_pinned
from affordance_grounding_core.inference.preprocess import IMAGENET_MEAN, IMAGENET_STD
from affordance_grounding_core.methods.plsp.clip_encoder import ClipTokens
from affordance_grounding_core.methods.plsp.encoders import Dinov2Tokens, TokenEncoder
from affordance_grounding_core.methods.plsp.labelling.describers import CLIP_MEAN, CLIP_STD
from affordance_grounding_core.methods.plsp.part_names import Pair, object_phrase

FeatureName = Literal["clip", "dinov2"]


@dataclass(frozen=True)
class RefinementEncoders:
    """Both roles of an encoder.

    Attributes:
        name: "clip" or "dinov2".
        masks: encoder of the mask network; CLIP's is trained along, DINOv2's is frozen.
        frozen: whose patch features are compared; never trained.
        queries: (pairs, width) text vectors, or None to learn them.
        mean: of each RGB channel in [0, 1], subtracted from pictures.
        std: of each RGB channel, divided by.
        size: side of the square input in px.
    """

    name: FeatureName
    masks: TokenEncoder
    frozen: TokenEncoder
    queries: torch.Tensor | None
    mean: tuple[float, float, float]
    std: tuple[float, float, float]
    size: int = 224


def load_encoders(
    name: FeatureName, pairs: Sequence[Pair], weights: Path | None = None
) -> RefinementEncoders:
    """Load encoders with their pinned weights.

    Args:
        name: "clip" as published, with text vectors of "action object"; "dinov2" without
            text: a vector for each pair is learned.
        pairs: of action and object, in the order of the queries.
        weights: local file of the weights; the cached or published ones where None.

    Raises:
        WeightsError: the weights cannot be fetched, verified or read.
    """
    if name == "dinov2":
        backbone = Dinov2()
        backbone.load_tensors(load_pinned(path=weights))
        encoder = Dinov2Tokens(backbone)
        return RefinementEncoders(name, encoder, encoder, None, IMAGENET_MEAN, IMAGENET_STD)
    from affordance_grounding_core.backbones.clip import load_clip

    clip = load_clip(weights)
    visual = {key.removeprefix("visual."): value for key, value in clip.image.state_dict().items()}
    trained, frozen = ClipTokens(), ClipTokens()
    for copy in (trained, frozen):
        copy.load_state_dict(visual)
    frozen.requires_grad_(False).eval()
    texts = [f"{object_phrase(action)} {object_phrase(noun)}" for action, noun in pairs]
    queries = clip.text.encode(texts).float()
    return RefinementEncoders(name, trained, frozen, queries, CLIP_MEAN, CLIP_STD)


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
