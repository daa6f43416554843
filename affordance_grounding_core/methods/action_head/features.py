"""Frozen features of all scenes, computed once and kept on disk.

A scene is keyed by its pictures, the backbone's weights and everything that shapes a view.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray

from affordance_grounding_core.backbones.dinov2 import Dinov2
from affordance_grounding_core.data.feature_store import (
    ContentDigests,
    FeatureFiles,
    Wanted,
    fill,
)
from affordance_grounding_core.files import cache_directory
from affordance_grounding_core.inference.preprocess import Preprocess, PreprocessConfig
from affordance_grounding_core.methods.action_head.config import ViewConfig
from affordance_grounding_core.methods.action_head.network import join_blocks
from affordance_grounding_core.methods.action_head.scenes import Scene

Precision = Literal["float32", "bfloat16"]
"""In which a backbone is run for cached features."""


@dataclass(frozen=True)
class FeatureConfig:
    """Everything that shapes the cached features beside the scenes.

    Attributes:
        backbone: name of the backbone.
        backbone_fingerprint: hash of its weights.
        blocks: blocks whose tokens are read.
        preprocess: size and normalisation; training looks at squares of `size`.
        views: options of the random views.
        precision: precision of the backbone.
        before: the block whose input is kept in place of features, for a backbone whose blocks from
            there on are trained too; None for features of `blocks`.
    """

    backbone: str
    backbone_fingerprint: str
    blocks: tuple[int, ...]
    preprocess: PreprocessConfig
    views: ViewConfig
    precision: Precision = "float32"
    before: int | None = None


def features_folder() -> Path:
    """Folder of the cache."""
    return cache_directory() / "features"


class SceneFeatures:
    """Features of scenes, computed once.

    Args:
        scenes: scenes whose features are wanted.
        config: options that shape the features.
        backbone: backbone with its weights, on the device and in the precision to compute in.
        folder: folder of the cache, made if needed.
    """

    def __init__(
        self, scenes: Sequence[Scene], config: FeatureConfig, backbone: Dinov2, folder: Path
    ) -> None:
        self._files = FeatureFiles(folder, {"picture": ".picture.npy", "tokens": ".npy"})
        self._keys = _scene_keys(scenes, config)
        views = (
            Wanted(key, partial(scene.image, config.views))
            for key, scene in zip(self._keys, scenes, strict=True)
        )
        fill(self._files, views, partial(_describe, config, backbone))

    def __len__(self) -> int:
        return len(self._keys)

    def tokens(self, place: int) -> NDArray[np.float16]:
        """Tokens of a scene, (1 + patches, blocks * width) float16, or those that enter a block."""
        return self._files.read(self._keys[place], "tokens")

    def picture(self, place: int) -> NDArray[np.uint8]:
        """Picture of a scene as the backbone saw it, (size, size, 3) uint8, RGB."""
        return self._files.read(self._keys[place], "picture")


def _scene_keys(scenes: Sequence[Scene], config: FeatureConfig) -> list[str]:
    digests = ContentDigests()
    shape = asdict(config)
    # The input of a block is the same, whatever is read behind it.
    del shape["before" if config.before is None else "blocks"]
    for number in ("count", "mosaics", "insets"):
        del shape["views"][number]  # how many there are changes none of them
    options = json.dumps(shape, sort_keys=True)
    keys = []
    for scene in scenes:
        tiles = [
            (
                digests.of(tile.sample.path),
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
        keys.append(key[:32])
    return keys


@torch.inference_mode()
def _describe(
    config: FeatureConfig,
    backbone: Dinov2,
    keys: Sequence[str],
    pictures: Sequence[NDArray[np.uint8]],
) -> dict[str, NDArray[Any]]:
    preprocess = Preprocess(config.preprocess)
    pixels = np.stack([preprocess(picture)[0] for picture in pictures])
    weights = next(backbone.parameters())
    batch = torch.from_numpy(pixels).to(weights.device, weights.dtype)
    if config.before is None:
        tokens = join_blocks(backbone(batch, config.blocks))
    else:
        tokens = backbone.block_input(batch, config.before)
    stored = tokens.float().cpu().numpy().astype(np.float16)
    return {"picture": np.stack(pictures), "tokens": stored}
