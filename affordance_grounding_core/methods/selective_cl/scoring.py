"""Maps of whole images and how well they meet their ground truth, epoch by epoch."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch

from affordance_grounding_core.evaluation.protocols import LocateProtocol, MapScore
from affordance_grounding_core.methods.selective_cl.affinity_sources import AffinityProvider
from affordance_grounding_core.methods.selective_cl.features import FrozenFeatures
from affordance_grounding_core.methods.selective_cl.network import SelectiveHead
from affordance_grounding_core.training.epoch_score import EpochScore


@dataclass(frozen=True)
class SelectiveScore(EpochScore):
    """Mean scores of an epoch under the protocol "locate".

    Attributes:
        plain: of the class maps.
        calibrated: of the class maps times the min-maxed affinity, the published output.
    """

    plain: MapScore
    calibrated: MapScore


def single(features: FrozenFeatures, index: int) -> FrozenFeatures:
    """Pick one image out of a batch."""

    def pick(values: torch.Tensor | None) -> torch.Tensor | None:
        return None if values is None else values[index : index + 1]

    return FrozenFeatures(
        features.descriptors[index : index + 1],
        pick(features.class_attention),
        pick(features.clip_tokens),
        features.rows,
        features.columns,
    )


@torch.no_grad()
def maps_with_affinity(
    head: SelectiveHead,
    provider: AffinityProvider,
    features: FrozenFeatures,
    actions: torch.Tensor,
) -> list[tuple[torch.Tensor, torch.Tensor]]:
    """Map some images, each for actions of its own.

    Args:
        head: trained or not.
        provider: of affinity.
        features: of B images.
        actions: (B, K) int64.

    Returns:
        For each image, its class maps and its affinities in [0, 1], (K, rows, columns) each.
    """
    maps = head(features.descriptors, features.rows, features.columns).float()
    return [
        (maps[index, wanted], provider.affinity(single(features, index), wanted).float())
        for index, wanted in enumerate(actions)
    ]


def score_maps(
    maps: Sequence[torch.Tensor], truths: torch.Tensor, protocol: LocateProtocol
) -> list[MapScore]:
    """Score raw maps of any resolution.

    Args:
        maps: B of (rows, columns).
        truths: (B, 224, 224), prepared.
        protocol: "locate".
    """
    predictions = [
        protocol.prepare_prediction(one.cpu().numpy().astype(np.float32)) for one in maps
    ]
    return [
        protocol.score(prediction, truth.cpu().numpy())
        for prediction, truth in zip(predictions, truths, strict=True)
    ]
