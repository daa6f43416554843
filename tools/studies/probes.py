"""What frozen backbones know: linear probes on DINOv2's patches, CLIP's patches without training.

A linear probe is one logistic regression an action on the patches of DINOv2 ViT-S/14.
Deterministic: the loss is convex, and no picture is varied.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cache
from pathlib import Path
from typing import cast

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch.nn import functional
from tqdm import tqdm

from affordance_grounding_core.actions.prompts import action_prompt
from affordance_grounding_core.backbones.clip import CLIP_MEAN, CLIP_STD, Clip
from affordance_grounding_core.data.agd20k import EvaluationImage, TrainingImage
from affordance_grounding_core.data.blur import blur_mask
from affordance_grounding_core.errors import DatasetError
from affordance_grounding_core.evaluation.protocols import EvaluationProtocol
from affordance_grounding_core.evaluation.summary import ImageScore, group_by
from affordance_grounding_core.images import read_grey, read_rgb
from affordance_grounding_core.inference.preprocess import Preprocess, PreprocessConfig
from affordance_grounding_core.methods.selective_cl.affinity import text_similarity

GRID = 16
"""Patches a side, at 224 x 224 px."""

_STEPS = 60
_WEIGHT_DECAY = 1e-4

PatchFeatures = Callable[[NDArray[np.uint8]], torch.Tensor]
"""(H, W, 3) uint8 RGB to (patches, width) float32, patches row by row in a GRID x GRID grid."""


@cache
def dinov2_patches() -> PatchFeatures:
    """Load DINOv2 ViT-S/14 once; it looks at the picture squashed to 224 x 224 px.

    Raises:
        WeightsError: its weights cannot be fetched or verified.
    """
    from affordance_grounding_core.backbones.loading import load_descriptor_backbone

    backbone = load_descriptor_backbone("dinov2_vits14").eval()
    preprocess = Preprocess(PreprocessConfig("squash", 14 * GRID, 14))

    @torch.no_grad()
    def patches(image: NDArray[np.uint8]) -> torch.Tensor:
        pixels, _ = preprocess(image)
        tokens: torch.Tensor = backbone(torch.from_numpy(pixels)[None])[0]
        return tokens[0, 1:]

    return patches


def probe_scores(
    training: Sequence[TrainingImage],
    testing: Sequence[EvaluationImage],
    protocol: EvaluationProtocol,
    features: PatchFeatures,
    *,
    blurred: bool,
) -> list[ImageScore]:
    """Train and score the probes of all actions.

    Args:
        training: pictures with part masks; others are left out.
        testing: pictures with ground truth; others and other actions are left out.
        protocol: of the scores.
        features: of a picture's patches.
        blurred: whether the masks are blurred by AGD20K's rule, as the ground truth was.

    Raises:
        DatasetError: no part masks.
    """
    labelled = [item for item in training if item.part_mask is not None]
    if not labelled:
        raise DatasetError("the training set has no part masks to train a probe from")
    cached = _cached(features)
    tests = group_by([t for t in testing if t.ground_truth is not None], lambda t: t.action)
    scores: list[ImageScore] = []
    groups = group_by(labelled, lambda item: item.action)
    for action, items in tqdm(groups.items(), desc="linear probe", unit="action", disable=None):
        if action not in tests:
            continue
        tokens = torch.cat([cached(item.image) for item in items])
        labels = torch.cat([_label(item, blurred=blurred) for item in items])
        probe = train_probe(tokens, labels)
        for test in tests[action]:
            heat = torch.sigmoid(probe(cached(test.image))).reshape(GRID, GRID)
            prediction = protocol.prepare_raw_map(heat.numpy().astype(np.float32))
            truth = protocol.prepare_ground_truth(read_grey(cast(Path, test.ground_truth)))
            scores.append(ImageScore(test, protocol.score(prediction, truth)))
    return scores


@torch.no_grad()
def zero_shot_scores(
    clip: Clip, images: Sequence[EvaluationImage], protocol: EvaluationProtocol
) -> list[ImageScore]:
    """Score the cosine of every picture's patches to "an item to hold with", without training.

    Args:
        clip: image and text encoder.
        images: of a test set; those without ground truth are left out.
        protocol: of the scores.
    """
    patch = clip.image.patch_size
    preprocess = Preprocess(PreprocessConfig("squash", 14 * GRID, patch, CLIP_MEAN, CLIP_STD))
    actions = sorted({image.action for image in images})
    texts = dict(
        zip(actions, clip.text.encode([action_prompt(action) for action in actions]), strict=True)
    )
    scores = []
    for item in tqdm(images, desc="zero-shot", unit="picture", disable=None):
        if item.ground_truth is None:
            continue
        pixels, _ = preprocess(read_rgb(item.image))
        tokens = clip.image.dense(torch.from_numpy(pixels)[None])
        similarity = text_similarity(tokens, texts[item.action][None])
        raw = similarity.reshape(pixels.shape[1] // patch, -1).numpy().astype(np.float32)
        truth = protocol.prepare_ground_truth(read_grey(item.ground_truth))
        scores.append(ImageScore(item, protocol.score(protocol.prepare_raw_map(raw), truth)))
    return scores


def train_probe(
    tokens: torch.Tensor, labels: torch.Tensor
) -> Callable[[torch.Tensor], torch.Tensor]:
    """Fit a logistic regression.

    Args:
        tokens: (N, D) float32.
        labels: (N,) float32 in [0, 1].

    Returns:
        Takes (M, D) to logits (M,).
    """
    mean, deviation = tokens.mean(dim=0), tokens.std(dim=0) + 1e-6
    inputs = (tokens - mean) / deviation
    weight = torch.zeros(tokens.shape[1], requires_grad=True)
    bias = torch.zeros(1, requires_grad=True)
    optimiser = torch.optim.LBFGS(
        [weight, bias], max_iter=_STEPS, line_search_fn="strong_wolfe", history_size=20
    )

    def loss() -> torch.Tensor:
        optimiser.zero_grad()
        logits = inputs @ weight + bias
        value = functional.binary_cross_entropy_with_logits(logits, labels)
        value = value + _WEIGHT_DECAY * weight.square().sum()
        value.backward()  # type: ignore[no-untyped-call]
        return value

    optimiser.step(loss)  # type: ignore[no-untyped-call]
    fitted, offset = weight.detach(), bias.detach()
    return lambda patches: ((patches - mean) / deviation) @ fitted + offset


def _label(item: TrainingImage, *, blurred: bool) -> torch.Tensor:
    mask = read_grey(cast(Path, item.part_mask)) >= 0.5
    heat = blur_mask(mask) if blurred else mask.astype(np.float32)
    if blurred and heat.max() > 0:
        heat = heat / heat.max()
    grid = cv2.resize(heat, (GRID, GRID), interpolation=cv2.INTER_AREA)
    return torch.from_numpy(np.asarray(grid, np.float32)).flatten()


@cache
def _cached(features: PatchFeatures) -> Callable[[Path], torch.Tensor]:
    known: dict[Path, torch.Tensor] = {}

    def of(path: Path) -> torch.Tensor:
        if path not in known:
            known[path] = features(read_rgb(path)).half()
        return known[path].float()

    return of
