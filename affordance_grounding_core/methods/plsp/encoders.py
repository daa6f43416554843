"""The image encoders of WSAG-PLSP: CLIP, which is trained, or DINOv2, which stays frozen."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal, Protocol, get_args

import torch
from torch import nn

from affordance_grounding_core.backbones.dinov2 import Dinov2
from affordance_grounding_core.inference.preprocess import IMAGENET_MEAN, IMAGENET_STD

if TYPE_CHECKING:
    from affordance_grounding_core.methods.plsp.text_vectors import TextEncoder

EncoderName = Literal["clip_vitb16", "dinov2_vits14"]
Precision = Literal["float32", "bfloat16"]

CLIP_MEAN = (0.48145466, 0.4578275, 0.40821073)
CLIP_STD = (0.26862954, 0.26130258, 0.27577711)


@dataclass(frozen=True)
class EncoderConfig:
    """Which encoder a run looks through.

    Attributes:
        name: "clip_vitb16" is trained with everything else, as published, and its text encoder
            says what actions, objects and parts mean; "dinov2_vits14" is frozen, and the
            action vectors are learned.
        weights: local file of its weights; cached or pinned ones if None.
        precision: a frozen encoder computes in; "bfloat16" is faster where the hardware has
            it. A trained one follows `trainer.precision`.
    """

    name: EncoderName = "clip_vitb16"
    weights: str | None = None
    precision: Precision = "float32"

    def __post_init__(self) -> None:
        for name, options in (("name", EncoderName), ("precision", Precision)):
            if getattr(self, name) not in get_args(options):
                raise ValueError(
                    f"encoder {name} must be one of {list(get_args(options))}, got "
                    f"{getattr(self, name)!r}"
                )

    @property
    def trained(self) -> bool:
        """Whether the encoder learns too, so that its weights belong to the checkpoint."""
        return self.name == "clip_vitb16"

    @property
    def patch_size(self) -> int:
        """Side of a patch in px."""
        return 16 if self.trained else 14

    @property
    def normalisation(self) -> tuple[tuple[float, float, float], tuple[float, float, float]]:
        """Mean and deviation of the RGB channels in [0, 1] that it was pretrained with."""
        return (CLIP_MEAN, CLIP_STD) if self.trained else (IMAGENET_MEAN, IMAGENET_STD)


class TokenEncoder(Protocol):
    """Turns pixels into a class token and patch tokens."""

    @property
    def patch_size(self) -> int:
        """Side of a patch in px; input sides are multiples of it."""
        ...

    @property
    def output_width(self) -> int:
        """Channels of a token."""
        ...

    @property
    def trained_grid(self) -> tuple[int, int]:
        """Rows and columns of patches at the input size of training."""
        ...

    def __call__(self, pixels: torch.Tensor) -> torch.Tensor:
        """Encode (B, 3, h, w) normalised pixels to (B, 1 + N, output_width), class token first."""
        ...


class Dinov2Tokens(nn.Module):
    """DINOv2 as an encoder that is not trained: tokens of the last block after its norm.

    Args:
        backbone: with its weights.
        size: side in px of the square input of training.
        precision: of the computation; the tokens are float32 either way.
    """

    def __init__(self, backbone: Dinov2, size: int = 224, precision: Precision = "float32") -> None:
        super().__init__()
        self.precision = precision
        self.backbone = backbone.requires_grad_(False)
        self.patch_size = int(backbone.patch_size)
        self.output_width = backbone.width
        cells = size // self.patch_size
        self.trained_grid = (cells, cells)

    def forward(self, pixels: torch.Tensor) -> torch.Tensor:
        """Encode an image; see `TokenEncoder`."""
        reduced = self.precision == "bfloat16"
        with torch.autocast(pixels.device.type, torch.bfloat16, enabled=reduced):
            tokens: torch.Tensor = self.backbone(pixels)[0]
        return tokens.float()


@dataclass(frozen=True)
class LoadedEncoder:
    """What was loaded for a run.

    Attributes:
        image: a `TokenEncoder`.
        text: of the same space; None where the encoder has none.
    """

    image: nn.Module
    text: TextEncoder | None


def load_encoder(config: EncoderConfig, size: int) -> LoadedEncoder:
    """Load the weights that a config names.

    Args:
        config: of the encoder.
        size: side in px of the square input of training.

    Raises:
        WeightsError: they cannot be fetched, verified or read.
    """
    path = Path(config.weights).expanduser() if config.weights else None
    if not config.trained:
        from affordance_grounding_core.backbones.weights import load_pinned

        backbone = Dinov2(config.name)
        backbone.load_tensors(load_pinned(path=path))
        return LoadedEncoder(Dinov2Tokens(backbone, size, config.precision), None)
    from affordance_grounding_core.backbones.clip import load_clip
    from affordance_grounding_core.methods.plsp.clip_encoder import ClipTokens

    clip = load_clip(path)
    encoder = ClipTokens()
    encoder.load_state_dict(clip.image.visual.state_dict())
    return LoadedEncoder(encoder.requires_grad_(True), clip.text)
