"""Frozen backbones of SelectiveCL: turn pixels into features."""

from __future__ import annotations

import hashlib
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, get_args

import torch
from torch import nn
from torch.nn import functional

from affordance_grounding_core.backbones.clip import Clip, ClipImageEncoder
from affordance_grounding_core.backbones.descriptors import DescriptorBackbone
from affordance_grounding_core.backbones.weights import tensor_fingerprint


@dataclass(frozen=True)
class FrozenFeatures:
    """Frozen features of a batch of images.

    A batch of egocentric images holds B of them, its exocentric batch B * E in the order
    b * E + e. Patches run row by row.

    Attributes:
        descriptors: (B, N, C) float, patches as the descriptor backbone describes them.
        class_attention: (B, heads, N) float, how much its class token attends to each
            patch; None where it is not wanted.
        clip_tokens: (B, N, D) float, the same patches in CLIP's space, of any norm; None
            without CLIP.
        rows: number of rows of patches.
        columns: number of columns of patches; rows * columns = N.
    """

    descriptors: torch.Tensor
    class_attention: torch.Tensor | None
    clip_tokens: torch.Tensor | None
    rows: int
    columns: int

    def __post_init__(self) -> None:
        if self.descriptors.ndim != 3 or self.descriptors.shape[1] != self.rows * self.columns:
            raise ValueError(
                f"descriptors must be (B, N, C) with N = {self.rows} x {self.columns} = "
                f"{self.rows * self.columns} patches, got {tuple(self.descriptors.shape)}"
            )
        batch, patches = self.descriptors.shape[:2]
        attention, tokens = self.class_attention, self.clip_tokens
        if attention is not None and (
            attention.ndim != 3 or (attention.shape[0], attention.shape[2]) != (batch, patches)
        ):
            raise ValueError(
                f"class_attention must be ({batch}, heads, {patches}) like the descriptors, got "
                f"{tuple(attention.shape)}"
            )
        if tokens is not None and (tokens.ndim != 3 or tokens.shape[:2] != (batch, patches)):
            raise ValueError(
                f"clip_tokens must be ({batch}, {patches}, D) like the descriptors, got "
                f"{tuple(tokens.shape)}; give CLIP an input of {self.rows} x {self.columns} of "
                "its own patches"
            )

    @property
    def batch(self) -> int:
        """Number of images."""
        return len(self.descriptors)

    def to(self, device: torch.device | str, dtype: torch.dtype | None = None) -> FrozenFeatures:
        """Move to a device and, where one is given, to a floating point type."""
        attention, tokens = self.class_attention, self.clip_tokens
        return FrozenFeatures(
            self.descriptors.to(device, dtype),
            None if attention is None else attention.to(device, dtype),
            None if tokens is None else tokens.to(device, dtype),
            self.rows,
            self.columns,
        )


AffinityName = Literal["clip", "saliency"]
Precision = Literal["float32", "bfloat16"]


@dataclass(frozen=True)
class BackboneConfig:
    """Which frozen backbones a run looks through.

    Attributes:
        descriptor: name of the backbone whose last-block keys describe patches.
        affinity: source of object affinity: "clip" as in the paper, or "saliency",
            the descriptor backbone's own class attention, which needs no CLIP.
        precision: precision of the computation; "bfloat16" is faster where the hardware has it.
        descriptor_weights: local file of the descriptor backbone; cached or pinned if None.
        clip_weights: local file of CLIP; cached or pinned if None.
    """

    descriptor: str = "dino_vits16"
    affinity: AffinityName = "clip"
    precision: Precision = "float32"
    descriptor_weights: str | None = None
    clip_weights: str | None = None

    def __post_init__(self) -> None:
        for name, options in (("affinity", AffinityName), ("precision", Precision)):
            if getattr(self, name) not in get_args(options):
                raise ValueError(
                    f"{name} must be one of {list(get_args(options))}, got {getattr(self, name)!r}"
                )


class FrozenBackbones(nn.Module):
    """Descriptor backbone and CLIP side by side; neither trains, whatever is asked of them.

    Args:
        descriptor: describes patches.
        clip: image encoder of CLIP, None where affinity does not need it.
        precision: precision of the computation; the features are float32 either way.

    Attributes:
        patch_size: patch size of the descriptor backbone; input sides are multiples of it.
    """

    def __init__(
        self,
        descriptor: DescriptorBackbone,
        clip: ClipImageEncoder | None,
        precision: Precision = "float32",
    ) -> None:
        super().__init__()
        self.descriptor: Any = descriptor
        self.clip = clip
        self.precision = precision
        self.patch_size = int(descriptor.patch_size)
        self.requires_grad_(False).eval()

    def train(self, mode: bool = True) -> FrozenBackbones:
        """Stay in evaluation mode."""
        super().train(False)
        return self

    @property
    def fingerprint(self) -> str:
        """Hash of all weights and of the precision, hexadecimal."""
        tensors = tensor_fingerprint(self.state_dict())
        return hashlib.sha256(f"{tensors}/{self.precision}".encode()).hexdigest()

    def shapes(self, size: int) -> dict[str, tuple[int, ...]]:
        """Shapes of the features of one square image.

        Args:
            size: side of the image in px.
        """
        patches = (size // self.patch_size) ** 2
        shapes: dict[str, tuple[int, ...]] = {
            "descriptors": (patches, int(self.descriptor.width)),
            "class_attention": (int(self.descriptor.heads), patches),
        }
        if self.clip is not None:
            shapes["clip_tokens"] = (patches, self.clip.embedding_width)
        return shapes

    @torch.no_grad()
    def forward(self, pixels: torch.Tensor, *, attention: bool = True) -> FrozenFeatures:
        """Look at some images.

        CLIP receives the same ImageNet-normalised pixels, as in the published code; where its
        patches are of another size, the pixels are resized so that both see one grid.

        Args:
            pixels: (B, 3, h, w) float32, ImageNet-normalised RGB, sides multiples of
                `patch_size`.
            attention: whether the class attention is wanted.
        """
        rows, columns = (side // self.patch_size for side in pixels.shape[-2:])
        with self._autocast(pixels.device.type):
            described = self.descriptor.describe(pixels, attention=attention)
            tokens = None
            if self.clip is not None:
                sides = rows * self.clip.patch_size, columns * self.clip.patch_size
                if sides != tuple(pixels.shape[-2:]):
                    pixels = functional.interpolate(
                        pixels, size=sides, mode="bilinear", align_corners=False, antialias=True
                    )
                tokens = self.clip.dense(pixels).float()
        weights = described.class_attention
        return FrozenFeatures(
            described.patches.float(),
            None if weights is None else weights.float(),
            tokens,
            rows,
            columns,
        )

    def _autocast(self, device: str) -> Any:
        if self.precision == "float32":
            return nullcontext()
        return torch.autocast(device, dtype=torch.bfloat16)


@dataclass(frozen=True)
class LoadedBackbones:
    """What was loaded for a run.

    Attributes:
        backbones: see all images.
        clip: both encoders of CLIP, None where affinity does not need it.
    """

    backbones: FrozenBackbones
    clip: Clip | None


def load_backbones(config: BackboneConfig) -> LoadedBackbones:
    """Load the weights that a config names.

    Raises:
        WeightsError: they cannot be fetched, verified or read.
        ValueError: no backbone of that name.
    """
    from affordance_grounding_core.backbones.clip import load_clip
    from affordance_grounding_core.backbones.loading import load_descriptor_backbone

    descriptor = load_descriptor_backbone(config.descriptor, _path(config.descriptor_weights))
    clip = load_clip(_path(config.clip_weights)) if config.affinity == "clip" else None
    backbones = FrozenBackbones(descriptor, clip.image if clip else None, config.precision)
    return LoadedBackbones(backbones, clip)


def _path(text: str | None) -> Path | None:
    return Path(text).expanduser() if text else None
