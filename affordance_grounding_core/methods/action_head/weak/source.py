"""From folders of pictures to the soft part labels of their egocentric ones."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch.nn import functional

from affordance_grounding_core.backbones.dinov2 import Dinov2
from affordance_grounding_core.data.agd20k import read_training_set
from affordance_grounding_core.data.blur import blur_kernel_size
from affordance_grounding_core.errors import DatasetError
from affordance_grounding_core.images import read_rgb
from affordance_grounding_core.methods.action_head.features import FeatureConfig, SceneFeatures
from affordance_grounding_core.methods.action_head.samples import Sample, SamplePicture
from affordance_grounding_core.methods.action_head.scenes import Scene, Tile
from affordance_grounding_core.methods.action_head.weak.config import WeakLabelConfig
from affordance_grounding_core.methods.action_head.weak.labels import PartLabeller, learn_labels
from affordance_grounding_core.methods.action_head.weak.pictures import grid_side


def weakly_labelled(
    root: str | Path,
    scenes: Sequence[Scene],
    actions: Sequence[str],
    features: FeatureConfig,
    backbone: Dinov2,
    folder: Path,
    config: WeakLabelConfig,
) -> dict[Sample, SamplePicture]:
    """Label egocentric pictures without looking at any mask.

    Args:
        root: folder in AGD20K layout with exocentric pictures.
        scenes: the egocentric pictures as they are, one each.
        actions: vocabulary.
        features: what shapes the patch features; those of the last block are used.
        backbone: with its weights.
        folder: cache of features.
        config: how labels are made.

    Returns:
        Every sample with soft labels for all actions that its class of object affords.

    Raises:
        DatasetError: there are no exocentric pictures of the actions with these objects.
    """
    samples = [scene.tiles[0].sample for scene in scenes]
    classes = sorted({sample.object_name for sample in samples})
    own = SceneFeatures(scenes, features, backbone, folder)
    shots, shown = _exocentric(root, classes, actions, features.preprocess.size, config)
    other = SceneFeatures(shots, features, backbone, folder)
    drawn = _thinned([sample.object_name for sample in samples], config.egocentric_pictures)
    blocks = len(features.blocks)
    labeller = learn_labels(
        (
            torch.stack([_patches(own.tokens(place), blocks) for place in drawn]),
            [classes.index(samples[place].object_name) for place in drawn],
        ),
        (
            torch.stack([_patches(other.tokens(place), blocks) for place in range(len(other))]),
            [classes.index(name) for _, name in shown],
            [action for action, _ in shown],
        ),
        config,
    )
    return {
        sample: _picture(labeller, sample, _patches(own.tokens(place), blocks), classes, actions)
        for place, sample in enumerate(samples)
    }


def _exocentric(
    root: str | Path,
    classes: Sequence[str],
    actions: Sequence[str],
    size: int,
    config: WeakLabelConfig,
) -> tuple[list[Scene], list[tuple[str, str]]]:
    """Scenes of exocentric pictures with their action and class of object."""
    training = read_training_set(root)
    images = [i for i in training.exocentric if i.action in actions and i.object_name in classes]
    if not images:
        raise DatasetError(
            f"training set {training.folder} has no exocentric pictures of the actions "
            f"{list(actions)} with the objects {list(classes)}; image-level labels teach nothing "
            "without pictures of hands at work: add exocentric/ACTION/OBJECT/<image>, or train "
            "on part masks (data.labels: masks)"
        )
    pairs = [(image.action, image.object_name) for image in images]
    drawn = _thinned([f"{a}/{o}" for a, o in pairs], config.exocentric_pictures)
    scenes = [
        Scene(
            (Tile(Sample(images[i].image, images[i].object_name, {}, ()), 0, (), 0, 0, size),), size
        )
        for i in drawn
    ]
    return scenes, [pairs[i] for i in drawn]


def _thinned(names: Sequence[str], most: int) -> list[int]:
    """Places of at most so many of each name, evenly spread."""
    places: dict[str, list[int]] = {}
    for place, name in enumerate(names):
        places.setdefault(name, []).append(place)
    kept = []
    for found in places.values():
        chosen = np.linspace(0, len(found) - 1, min(most, len(found))).astype(int)
        kept += [found[number] for number in chosen]
    return sorted(kept)


def _patches(tokens: NDArray[np.float16], blocks: int) -> torch.Tensor:
    """Normalised patch tokens of the last block, (N, C) float32."""
    width = tokens.shape[1] // blocks
    last = torch.from_numpy(tokens[1:, -width:].astype(np.float32))
    return functional.layer_norm(last, (width,))


def _picture(
    labeller: PartLabeller,
    sample: Sample,
    patches: torch.Tensor,
    classes: Sequence[str],
    actions: Sequence[str],
) -> SamplePicture:
    height, width = read_rgb(sample.path).shape[:2]
    afforded = [action for action in actions if action not in sample.absent]
    grids = labeller.label(patches, classes.index(sample.object_name), afforded)
    labels = {action: _enlarged(grid.numpy(), height, width) for action, grid in grids.items()}
    return SamplePicture(height, width, labels)


def _enlarged(grid: NDArray[np.float32], height: int, width: int) -> NDArray[np.float32]:
    """A label of a square grid of patches in px, blurred as labels from masks are."""
    side = grid_side(len(grid))
    large = cv2.resize(grid.reshape(side, side), (width, height), interpolation=cv2.INTER_LINEAR)
    kernel = blur_kernel_size(height, width)
    return np.asarray(cv2.GaussianBlur(large, (kernel, kernel), 0), np.float32)
