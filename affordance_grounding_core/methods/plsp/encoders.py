"""Image encoders of WSAG-PLSP: CLIP, which is trained, or DINOv2, which stays frozen."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, Protocol, get_args

import numpy as np
import torch
from open_clip.transformer import LayerNorm, QuickGELU, VisionTransformer
from torch import nn

from affordance_grounding_core.backbones.clip import CLIP_MEAN, CLIP_STD
from affordance_grounding_core.backbones.dense_attention import DenseMode, attend
from affordance_grounding_core.backbones.dinov2 import Dinov2
from affordance_grounding_core.backbones.loading import load_dinov2
from affordance_grounding_core.backbones.positions import ResizedPositions, patch_grid
from affordance_grounding_core.backbones.table import architectures
from affordance_grounding_core.inference.preprocess import IMAGENET_MEAN, IMAGENET_STD
from affordance_grounding_core.labelling.part_names import PartNames, object_phrase


class ClipTokens(nn.Module):
    """CLIP's vision transformer that hands on every token, projected to the text's space.

    The parameters carry OpenAI's names without `visual.`; the defaults are ViT-B/16.

    Args:
        size: side in px of the square input whose positions are stored.
        patch_size: side of a patch in px.
        width: channels inside.
        layers: blocks.
        heads: number of attention heads.
        output_width: channels of the projected tokens.
    """

    def __init__(
        self,
        size: int = 224,
        patch_size: int = 16,
        width: int = 768,
        layers: int = 12,
        heads: int = 12,
        output_width: int = 512,
    ) -> None:
        super().__init__()
        visual = VisionTransformer(
            image_size=size,
            patch_size=patch_size,
            width=width,
            layers=layers,
            heads=heads,
            mlp_ratio=4.0,
            output_dim=output_width,
            act_layer=QuickGELU,
            norm_layer=LayerNorm,
        )
        self.conv1: nn.Conv2d = visual.conv1
        self.class_embedding: nn.Parameter = visual.class_embedding
        self.positional_embedding: nn.Parameter = visual.positional_embedding
        self.ln_pre: nn.LayerNorm = visual.ln_pre
        self.transformer: nn.Module = visual.transformer
        self.ln_post: nn.LayerNorm = visual.ln_post
        self.proj: nn.Parameter = visual.proj
        self.heads = heads
        self.patch_size = patch_size
        self.output_width = output_width
        self._positions = ResizedPositions(self, offset=0.0)
        self.trained_grid = (size // patch_size, size // patch_size)

    def forward(self, pixels: torch.Tensor) -> torch.Tensor:
        """Encode images.

        Args:
            pixels: (B, 3, h, w) with CLIP's normalisation, h and w multiples of the patch
                size. Positions are interpolated bicubically at another size than the stored.

        Returns:
            (B, 1 + N, output_width), class token first.

        Raises:
            ValueError: a side that is no multiple of the patch size.
        """
        rows, columns = patch_grid(pixels.shape[-2], pixels.shape[-1], self.patch_size)
        patches = self.conv1(pixels).flatten(2).transpose(1, 2)
        first = self.class_embedding.expand(len(patches), 1, -1)
        positions = self._positions(self.positional_embedding, rows, columns)
        tokens = self.ln_pre(torch.cat([first, patches], dim=1) + positions)
        blocks: Any = self.transformer.get_submodule("resblocks")
        for block in blocks:
            # Attention by `attend`: PyTorch's layer swaps images and tokens first, and products
            # of such a view are many times slower in bfloat16.
            tokens = tokens + block.ls_1(attend(block.attn, block.ln_1(tokens), DenseMode.vanilla))
            tokens = tokens + block.ls_2(block.mlp(block.ln_2(tokens)))
        projected: torch.Tensor = self.ln_post(tokens) @ self.proj
        return projected


TRAINED_ENCODER = "clip_vitb16"
"""The encoder that learns too."""

ENCODERS = (TRAINED_ENCODER, *architectures("dinov2"))
"""Names of the encoders; all but the first are frozen."""

Precision = Literal["float32", "bfloat16"]


@dataclass(frozen=True)
class EncoderConfig:
    """Which encoder a run looks through.

    Attributes:
        name: one of `ENCODERS`. "clip_vitb16" is trained with everything else, as published, and
            its text encoder says what actions, objects and parts mean; backbones of DINOv2 stay
            frozen, and the action vectors are learned.
        weights: local file of its weights; cached or pinned ones if None.
        precision: a frozen encoder computes in; "bfloat16" is faster where the hardware has
            it. A trained one follows `trainer.precision`.
    """

    name: str = TRAINED_ENCODER
    weights: str | None = None
    precision: Precision = "float32"

    def __post_init__(self) -> None:
        for option, value, known in (
            ("name", self.name, ENCODERS),
            ("precision", self.precision, get_args(Precision)),
        ):
            if value not in known:
                raise ValueError(f"encoder {option} must be one of {list(known)}, got {value!r}")

    @property
    def trained(self) -> bool:
        """Whether the encoder learns too, so that its weights belong to the checkpoint."""
        return self.name == TRAINED_ENCODER

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
        backbone: backbone with its weights.
        size: side in px of the square input of training.
        precision: precision of the computation; the tokens are float32 either way.
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


ImageEncoder = ClipTokens | Dinov2Tokens
"""Encoders of images that there are; each is a `TokenEncoder`."""


@dataclass(frozen=True)
class LoadedEncoder:
    """What was loaded for a run.

    Attributes:
        image: encoder of images.
        text: text encoder of the same space; None where the encoder has none.
    """

    image: ImageEncoder
    text: TextEncoder | None


def load_encoder(config: EncoderConfig, size: int) -> LoadedEncoder:
    """Load the weights that a config names.

    Args:
        config: options of the encoder.
        size: side in px of the square input of training.

    Raises:
        WeightsError: they cannot be fetched, verified or read.
    """
    path = Path(config.weights).expanduser() if config.weights else None
    if not config.trained:
        backbone = load_dinov2(config.name, path)
        return LoadedEncoder(Dinov2Tokens(backbone, size, config.precision), None)
    from affordance_grounding_core.backbones.clip import load_clip

    clip = load_clip(path)
    encoder = ClipTokens()
    encoder.load_state_dict(clip.image.visual.state_dict())
    return LoadedEncoder(encoder.requires_grad_(True), clip.text)


class TextEncoder(Protocol):
    """Turns texts into vectors, as `backbones.clip.ClipTextEncoder` does."""

    def encode(self, texts: Sequence[str]) -> torch.Tensor:
        """Encode K texts to (K, D)."""
        ...


def action_words(action: str) -> str:
    """Turn the name of an action into words: "cut_with" -> "cut with"."""
    return action.replace("_", " ")


def encode_actions(encoder: TextEncoder, actions: Sequence[str]) -> torch.Tensor:
    """Text vectors of actions, (K, D) float32."""
    return encoder.encode([action_words(action) for action in actions]).float()


def encode_objects(encoder: TextEncoder, objects: Sequence[str]) -> torch.Tensor:
    """Text vectors of object classes, (K, D) float32."""
    return encoder.encode([object_phrase(name) for name in objects]).float()


def encode_parts(
    encoder: TextEncoder, pairs: Sequence[tuple[str, str]], names: PartNames
) -> torch.Tensor:
    """Text vectors of the parts that afford an action.

    Args:
        encoder: encoder of texts.
        pairs: K of (action, object).
        names: names of the parts.

    Returns:
        (K, D) float32.

    Raises:
        PartNameError: a pair has no part name.
    """
    names.require(pairs)
    means = [encoder.encode(list(names.phrases(*pair))).float().mean(0) for pair in pairs]
    return torch.stack(means)


def name_codes(names: Sequence[str], width: int) -> torch.Tensor:
    """Fixed random codes, the same for a name in every run.

    Args:
        names: K of them.
        width: channels.

    Returns:
        (K, width) float32, normally distributed.
    """
    codes = []
    for name in names:
        number = int.from_bytes(hashlib.sha256(name.encode()).digest()[:8], "big")
        codes.append(np.random.default_rng(number).standard_normal(width, np.float32))
    return torch.from_numpy(np.stack(codes))
