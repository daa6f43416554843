"""Loss of the action head: where the heat is, how high it is, and where there is none."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch.nn import functional

from affordance_grounding_core.methods.action_head.config import LossConfig

_SMALL = 1e-6


@dataclass(frozen=True)
class HeadLoss:
    """Terms of the loss, each the mean over the pairs it speaks of; 0 where there is none.

    Attributes:
        distribution: KL divergence of the normalised heat from the normalised label.
        level: cross entropy of the heat against the label with its peak at 1.
        absence: cross entropy of the heat against 0, of its mean and of its peak.
        total: weighted sum, scalar with gradient.
    """

    distribution: torch.Tensor
    level: torch.Tensor
    absence: torch.Tensor
    total: torch.Tensor


def head_loss(
    logits: torch.Tensor,
    labels: torch.Tensor,
    present: torch.Tensor,
    absent: torch.Tensor,
    config: LossConfig,
) -> HeadLoss:
    """Compare heat with labels.

    The first term is the KL divergence on blurred labels of WSAG-PLSP (section 3.3), with
    normalised sigmoid heat in the place of a softmax: a softmax has no level, so that a
    robot could not tell "here" from "nowhere".

    Args:
        logits: (B, A, h, w) of the heat.
        labels: (B, A, h, w) blurred labels, any positive scale; read where `present`.
        present: (B, A) bool, pairs with a label.
        absent: (B, A) bool, actions that the object does not afford.
        config: weights.
    """
    heat = torch.sigmoid(logits)
    predicted = heat / (heat.sum(dim=(2, 3), keepdim=True) + _SMALL)
    target = labels / (labels.sum(dim=(2, 3), keepdim=True) + _SMALL)
    divergence = (target * (torch.log(target + 1e-8) - torch.log(predicted + 1e-8))).sum((2, 3))
    peaked = labels / (labels.amax(dim=(2, 3), keepdim=True) + _SMALL)
    level = functional.binary_cross_entropy_with_logits(logits, peaked, reduction="none")
    everywhere = functional.softplus(logits)
    nothing = everywhere.mean((2, 3)) + config.absent_peak * everywhere.amax((2, 3))
    distribution = _mean_over(divergence, present)
    level_term = _mean_over(level.mean((2, 3)), present)
    absence = _mean_over(nothing, absent)
    total = (
        config.distribution * distribution + config.level * level_term + config.absence * absence
    )
    return HeadLoss(distribution, level_term, absence, total)


def _mean_over(values: torch.Tensor, chosen: torch.Tensor) -> torch.Tensor:
    weights = chosen.to(values.dtype)
    return (values * weights).sum() / weights.sum().clamp_min(1.0)
