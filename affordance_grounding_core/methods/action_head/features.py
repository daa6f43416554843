"""Frozen features of all scenes, computed once and kept on disk.

The file of a scene is keyed by its pictures, the backbone's weights and everything that
shapes a view, so that a cached feature is never a stale one.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray
from tqdm import tqdm

from affordance_grounding_core.backbones.dinov2 import Dinov2
from affordance_grounding_core.inference.preprocess import Preprocess, PreprocessConfig
from affordance_grounding_core.methods.action_head.config import ViewConfig
from affordance_grounding_core.methods.action_head.network import join_blocks
from affordance_grounding_core.methods.action_head.scenes import Scene

Precision = Literal["float32", "bfloat16"]
"""In which a backbone is run for cached features."""

_BATCH = 16


@dataclass(frozen=True)
class FeatureConfig:
    """Everything that shapes the cached features beside the scenes.

    Attributes:
        backbone: its name.
        backbone_fingerprint: hash of its weights.
        blocks: whose tokens are read.
        preprocess: size and normalisation; training looks at squares of `size`.
        views: how pictures are varied.
        precision: in which the backbone runs.
    """

    backbone: str
    backbone_fingerprint: str
    blocks: tuple[int, ...]
    preprocess: PreprocessConfig
    views: ViewConfig
    precision: Precision = "float32"


@dataclass(frozen=True)
class SceneFiles:
    """What is cached of a scene.

    Attributes:
        tokens: (1 + patches, blocks * width) float16.
        picture: (size, size, 3) uint8, RGB, as the backbone saw it.
    """

    tokens: Path
    picture: Path

    @property
    def complete(self) -> bool:
        """Whether both files are there."""
        return self.tokens.is_file() and self.picture.is_file()


def cache_features(
    scenes: Sequence[Scene], config: FeatureConfig, backbone: Dinov2, folder: Path
) -> list[SceneFiles]:
    """Compute what is not cached yet.

    Args:
        scenes: whose features are wanted.
        config: what shapes them.
        backbone: with its weights, on the device and in the precision to compute in.
        folder: cache, made if needed.

    Returns:
        The files of each scene.
    """
    folder.mkdir(parents=True, exist_ok=True)
    files = _cache_files(scenes, config, folder)
    missing = [pair for pair in zip(scenes, files, strict=True) if not pair[1].complete]
    preprocess = Preprocess(config.preprocess)
    starts = range(0, len(missing), _BATCH)
    for start in tqdm(starts, desc="backbone features", unit="batch", disable=not missing):
        batch = missing[start : start + _BATCH]
        pictures = [scene.image(config.views) for scene, _ in batch]
        pixels = np.stack([preprocess(picture)[0] for picture in pictures])
        tokens = _features(pixels, config, backbone)
        for (_, file), picture, features in zip(batch, pictures, tokens, strict=True):
            _replace(file.picture, picture)
            _replace(file.tokens, features)
    return files


def _cache_files(scenes: Sequence[Scene], config: FeatureConfig, folder: Path) -> list[SceneFiles]:
    pictures = {tile.sample.path for scene in scenes for tile in scene.tiles}
    contents = {path: hashlib.sha256(path.read_bytes()).hexdigest() for path in pictures}
    shape = asdict(config)
    for number in ("count", "mosaics", "insets"):
        del shape["views"][number]  # how many there are changes none of them
    options = json.dumps(shape, sort_keys=True)
    files = []
    for scene in scenes:
        tiles = [
            (
                contents[tile.sample.path],
                tile.number,
                tile.seed,
                tile.top,
                tile.left,
                tile.side,
                tile.focus,
            )
            for tile in scene.tiles
        ]
        key = hashlib.sha256(f"{options}{scene.size}{json.dumps(tiles)}".encode()).hexdigest()
        name = key[:32]
        files.append(SceneFiles(folder / f"{name}.npy", folder / f"{name}.picture.npy"))
    return files


@torch.inference_mode()
def _features(
    pixels: NDArray[np.float32], config: FeatureConfig, backbone: Dinov2
) -> NDArray[np.float16]:
    weights = next(backbone.parameters())
    batch = torch.from_numpy(pixels).to(weights.device, weights.dtype)
    tokens = join_blocks(backbone(batch, config.blocks))
    return np.asarray(tokens.float().cpu().numpy(), np.float16)


def _replace(file: Path, values: NDArray[np.generic]) -> None:
    temporary = file.with_name(f".{file.stem}.{os.getpid()}.npy")
    try:
        np.save(temporary, values)
        os.replace(temporary, file)
    finally:
        temporary.unlink(missing_ok=True)
