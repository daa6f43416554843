"""How well the heat of an epoch meets its ground truth, under both protocols."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch.nn import functional

from affordance_grounding_core.evaluation.protocols import (
    PROTOCOL_SIZE,
    PROTOCOLS,
    MapScore,
)
from affordance_grounding_core.training.epoch_score import EpochScore


@dataclass(frozen=True)
class PlspScore(EpochScore):
    """Mean scores of an epoch.

    Attributes:
        plsp: under the paper's own protocol.
        locate: under that of LOCATE, the same maps.
    """

    plsp: MapScore
    locate: MapScore


def protocol_heat(logits: torch.Tensor) -> torch.Tensor:
    """Bring logits to the distribution that the paper scores: bilinear to 224, then softmax.

    Args:
        logits: (K, 1, h, w).

    Returns:
        (K, 224, 224), each of sum 1.
    """
    size = (PROTOCOL_SIZE, PROTOCOL_SIZE)
    large = functional.interpolate(logits.float(), size, mode="bilinear", align_corners=False)
    return large.flatten(1).softmax(1).reshape(-1, *size)


def log_density(logits: torch.Tensor) -> torch.Tensor:
    """How much denser the heat is than even heat, as a logarithm.

    The loss leaves a constant on the logits of an image free; this takes it out, so that the
    values of two images can be compared.

    Args:
        logits: (K, 1, h, w) of any floating point type.

    Returns:
        (K, h, w) float32: the total of thousands of cells is too coarse in 16 bits.
    """
    logits = logits.float()
    cells = logits.shape[-2] * logits.shape[-1]
    total = torch.logsumexp(logits.flatten(1), dim=1)
    return logits[:, 0] - total[:, None, None] + math.log(cells)


def score_heat(heat: torch.Tensor, truths: torch.Tensor) -> list[tuple[MapScore, MapScore]]:
    """Score distributions under both protocols.

    Args:
        heat: (K, 224, 224); see `protocol_heat`.
        truths: (K, 224, 224), resized, of any scale.

    Returns:
        K of (plsp, locate).
    """
    return [
        (_score("plsp", one, truth), _score("locate", one, truth))
        for one, truth in zip(heat.cpu().numpy(), truths.cpu().numpy(), strict=True)
    ]


def _score(name: str, heat: NDArray[np.float32], truth: NDArray[np.float64]) -> MapScore:
    protocol = PROTOCOLS[name]
    return protocol.score(
        protocol.prepare_prediction(heat),
        protocol.prepare_ground_truth(np.asarray(truth, np.float32)),
    )
