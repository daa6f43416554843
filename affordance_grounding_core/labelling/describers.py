"""Describes a picture by one vector, so that pictures that look alike can be found."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Literal, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch.nn import functional

from affordance_grounding_core.backbones.clip import CLIP_MEAN, CLIP_STD
from affordance_grounding_core.inference.preprocess import Preprocess, PreprocessConfig

SimilarityName = Literal["clip", "dinov2", "none"]


class ImageDescriber(Protocol):
    """Turns pictures into unit vectors."""

    @property
    def identity(self) -> str:
        """Name of the weights and the way they are used."""
        ...

    def describe(self, images: Sequence[NDArray[np.uint8]]) -> NDArray[np.float32]:
        """Describe pictures.

        Args:
            images: N of (H, W, 3) uint8 RGB, of any size.

        Returns:
            (N, D) float32, each row of length 1.
        """
        ...


class TokenDescriber:
    """Describes a picture by the class token of a vision transformer.

    Args:
        identity: name of the weights.
        encode: (N, 3, h, w) normalised pixels to (N, D) vectors.
        preprocess: size and normalisation that the transformer was trained with; pictures
            are stretched to a square.
        device: device to compute on.
    """

    def __init__(
        self,
        identity: str,
        encode: Callable[[torch.Tensor], torch.Tensor],
        preprocess: PreprocessConfig,
        device: torch.device | str = "cpu",
    ) -> None:
        self.identity = identity
        self._encode = encode
        self._preprocess = Preprocess(preprocess)
        self._device = torch.device(device)

    @torch.inference_mode()
    def describe(self, images: Sequence[NDArray[np.uint8]]) -> NDArray[np.float32]:
        """Describe pictures; see `ImageDescriber.describe`."""
        pixels = np.stack([self._preprocess(image)[0] for image in images])
        vectors = self._encode(torch.from_numpy(pixels).to(self._device))
        return np.asarray(functional.normalize(vectors.float(), dim=1).cpu().numpy(), np.float32)


def load_describer(
    name: Literal["clip", "dinov2"], weights: Path | None, device: torch.device | str
) -> ImageDescriber:
    """Load a describer with its pinned weights.

    Args:
        name: "clip" as published; "dinov2" where CLIP's weights cannot be had.
        weights: local file of them; the cached or published ones where None.
        device: device to compute on.

    Raises:
        WeightsError: the weights cannot be fetched, verified or read.
    """
    if name == "clip":
        from affordance_grounding_core.backbones.clip import load_clip

        clip = load_clip(weights).image.to(device)
        config = PreprocessConfig("squash", 224, clip.patch_size, CLIP_MEAN, CLIP_STD)
        return TokenDescriber(
            "clip class token", lambda pixels: clip.tokens(pixels)[:, 0], config, device
        )
    from affordance_grounding_core.backbones.loading import load_dinov2

    backbone = load_dinov2("dinov2_vits14", weights)
    backbone.to(device)
    return TokenDescriber(
        "dinov2_vits14 class token",
        lambda pixels: backbone(pixels)[0][:, 0],
        PreprocessConfig("squash", 224, backbone.patch_size),
        device,
    )
