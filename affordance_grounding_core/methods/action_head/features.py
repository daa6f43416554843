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

import numpy as np
import torch
from numpy.typing import NDArray
from tqdm import tqdm

from affordance_grounding_core.backbones.dinov2 import Dinov2
from affordance_grounding_core.inference.preprocess import Preprocess, PreprocessConfig
from affordance_grounding_core.methods.action_head.config import ViewConfig
from affordance_grounding_core.methods.action_head.network import join_blocks
from affordance_grounding_core.methods.action_head.scenes import Scene


@dataclass(frozen=True)
class FeatureConfig:
    """Everything that shapes the cached features beside the scenes.

    Attributes:
        backbone: its name.
        backbone_fingerprint: hash of its weights.
        blocks: whose tokens are read.
        preprocess: size and normalisation; training looks at squares of `size`.
        views: how pictures are varied.
    """

    backbone: str
    backbone_fingerprint: str
    blocks: tuple[int, ...]
    preprocess: PreprocessConfig
    views: ViewConfig


def cache_features(
    scenes: Sequence[Scene], config: FeatureConfig, backbone: Dinov2, folder: Path
) -> list[Path]:
    """Compute what is not cached yet.

    Args:
        scenes: whose features are wanted.
        config: what shapes them.
        backbone: with its weights, on the device to compute on.
        folder: cache, made if needed.

    Returns:
        One file for each scene: (1 + patches, blocks * width) float16.
    """
    folder.mkdir(parents=True, exist_ok=True)
    files = _cache_files(scenes, config, folder)
    missing = [pair for pair in zip(scenes, files, strict=True) if not pair[1].is_file()]
    preprocess = Preprocess(config.preprocess)
    for scene, file in tqdm(missing, desc="backbone features", unit="scene", disable=not missing):
        pixels, _ = preprocess(scene.image(config.views))
        _replace(file, _features(pixels, config.blocks, backbone))
    return files


def _cache_files(scenes: Sequence[Scene], config: FeatureConfig, folder: Path) -> list[Path]:
    pictures = {tile.sample.path for scene in scenes for tile in scene.tiles}
    contents = {path: hashlib.sha256(path.read_bytes()).hexdigest() for path in pictures}
    options = json.dumps(asdict(config), sort_keys=True)
    files = []
    for scene in scenes:
        tiles = [
            (contents[tile.sample.path], tile.number, tile.seed, tile.row, tile.column)
            for tile in scene.tiles
        ]
        key = hashlib.sha256(f"{options}{scene.size}{json.dumps(tiles)}".encode()).hexdigest()
        files.append(folder / f"{key[:32]}.npy")
    return files


@torch.inference_mode()
def _features(
    pixels: NDArray[np.float32], blocks: tuple[int, ...], backbone: Dinov2
) -> NDArray[np.float16]:
    device = next(backbone.parameters()).device
    tokens = join_blocks(backbone(torch.from_numpy(pixels)[None].to(device), blocks))
    return np.asarray(tokens[0].cpu().numpy(), np.float16)


def _replace(file: Path, features: NDArray[np.float16]) -> None:
    temporary = file.with_name(f".{file.stem}.{os.getpid()}.npy")
    try:
        np.save(temporary, features)
        os.replace(temporary, file)
    finally:
        temporary.unlink(missing_ok=True)
