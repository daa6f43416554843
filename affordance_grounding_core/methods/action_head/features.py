"""Frozen features of all views of all samples, computed once and kept on disk.

The file of a sample is keyed by its picture, the backbone's weights and everything that
shapes a view, so that a cached feature is never a stale one.
"""

from __future__ import annotations

import hashlib
import json
import os
import zlib
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from tqdm import tqdm

from affordance_grounding_core.backbones.dinov2 import Dinov2
from affordance_grounding_core.images import read_rgb
from affordance_grounding_core.inference.preprocess import Preprocess, PreprocessConfig
from affordance_grounding_core.methods.action_head.config import ViewConfig
from affordance_grounding_core.methods.action_head.network import join_blocks
from affordance_grounding_core.methods.action_head.samples import Sample
from affordance_grounding_core.methods.action_head.views import View, plan_view, view_image


@dataclass(frozen=True)
class FeatureConfig:
    """Everything that shapes the cached features beside the pictures.

    Attributes:
        backbone: its name.
        backbone_fingerprint: hash of its weights.
        blocks: whose tokens are read.
        preprocess: size and normalisation; training looks at square views of `size`.
        views: how pictures are varied.
        seed: of the random views.
    """

    backbone: str
    backbone_fingerprint: str
    blocks: tuple[int, ...]
    preprocess: PreprocessConfig
    views: ViewConfig
    seed: int

    def views_of(self, sample: Sample, height: int, width: int) -> list[View]:
        """Plan the views of a sample; other samples in the set make no difference."""
        identity = zlib.crc32(f"{sample.object_name}/{sample.path.stem}".encode())
        return [
            plan_view(height, width, self.preprocess.size, n, self.views, (self.seed, identity))
            for n in range(self.views.count)
        ]

    def cache_file(self, sample: Sample, folder: Path) -> Path:
        """Name the file that holds a sample's features."""
        options = (
            json.dumps(asdict(self), sort_keys=True) + f"{sample.object_name}/{sample.path.stem}"
        )
        key = hashlib.sha256(options.encode() + sample.path.read_bytes()).hexdigest()
        return folder / f"{key[:32]}.npy"


def cache_features(
    samples: Sequence[Sample], config: FeatureConfig, backbone: Dinov2, folder: Path
) -> list[Path]:
    """Compute what is not cached yet.

    Args:
        samples: whose features are wanted.
        config: what shapes them.
        backbone: with its weights, on the device to compute on.
        folder: cache, made if needed.

    Returns:
        One file for each sample: (views, 1 + patches, blocks * width) float16.
    """
    folder.mkdir(parents=True, exist_ok=True)
    files = [config.cache_file(sample, folder) for sample in samples]
    missing = [pair for pair in zip(samples, files, strict=True) if not pair[1].is_file()]
    for sample, file in tqdm(
        missing, desc="backbone features", unit="picture", disable=not missing
    ):
        _replace(file, _features(sample, config, backbone))
    return files


@torch.inference_mode()
def _features(sample: Sample, config: FeatureConfig, backbone: Dinov2) -> NDArray[np.float16]:
    image = read_rgb(sample.path)
    square = Preprocess(
        PreprocessConfig(
            "squash",
            config.preprocess.size,
            config.preprocess.multiple,
            config.preprocess.mean,
            config.preprocess.std,
        )
    )
    pixels = np.stack(
        [
            square(view_image(image, view, config.views))[0]
            for view in config.views_of(sample, *image.shape[:2])
        ]
    )
    device = next(backbone.parameters()).device
    tokens = join_blocks(backbone(torch.from_numpy(pixels).to(device), config.blocks))
    return np.asarray(tokens.cpu().numpy(), np.float16)


def _replace(file: Path, features: NDArray[np.float16]) -> None:
    temporary = file.with_name(f".{file.stem}.{os.getpid()}.npy")
    try:
        np.save(temporary, features)
        os.replace(temporary, file)
    finally:
        temporary.unlink(missing_ok=True)
