"""How well the heat of an epoch meets its ground truth, under both protocols."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields

import numpy as np
import torch
from numpy.typing import NDArray
from torch.nn import functional

from affordance_grounding_core.evaluation.protocols import (
    PROTOCOL_SIZE,
    PROTOCOLS,
    MapScore,
)

METRICS = tuple(field.name for field in fields(MapScore))


@dataclass(frozen=True)
class EpochScore:
    """Mean scores of an epoch.

    Attributes:
        epoch: from 0; -1 before training.
        plsp: under the paper's own protocol.
        locate: under that of LOCATE, the same maps.
    """

    epoch: int
    plsp: MapScore
    locate: MapScore

    def as_dict(self) -> dict[str, float | int]:
        """Return plain values by name: "epoch", "plsp_kld", ..., "locate_nss"."""
        values: dict[str, float | int] = {"epoch": self.epoch}
        for name in ("plsp", "locate"):
            score = asdict(getattr(self, name))
            values |= {f"{name}_{metric}": float(value) for metric, value in score.items()}
        return values


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


def mean_score(scores: Sequence[MapScore]) -> NDArray[np.float64]:
    """Sum of every metric and the number of scores, so that devices can add theirs up."""
    rows = np.asarray([[getattr(score, m) for m in METRICS] for score in scores], np.float64)
    return np.append(rows.sum(axis=0), float(len(scores)))


def _score(name: str, heat: NDArray[np.float32], truth: NDArray[np.float64]) -> MapScore:
    protocol = PROTOCOLS[name]
    return protocol.score(
        protocol.prepare_prediction(heat),
        protocol.prepare_ground_truth(np.asarray(truth, np.float32)),
    )
