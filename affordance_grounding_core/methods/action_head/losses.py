"""Loss of the action head: where the heat is, how high it is, and where there is none."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch.nn import functional

from affordance_grounding_core.methods.action_head.config import LossConfig
from affordance_grounding_core.methods.action_head.scenes import MASK_FULL, MASK_UNKNOWN

_SMALL = 1e-6


@dataclass(frozen=True)
class HeadLoss:
    """Terms of the loss, each the mean over the pairs it speaks of; 0 where there is none.

    Attributes:
        distribution: KL divergence of the normalised heat from the normalised label.
        level: cross entropy of the heat against the label with its peak at 1.
        absence: cross entropy of the heat against 0, of its mean and of its peak.
        mask: cross entropy and overlap of the part masks; 0 for a head without.
        total: weighted sum, scalar with gradient.
    """

    distribution: torch.Tensor
    level: torch.Tensor
    absence: torch.Tensor
    mask: torch.Tensor
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
    return HeadLoss(distribution, level_term, absence, torch.zeros_like(total), total)


def mask_loss(logits: torch.Tensor, masks: torch.Tensor, present: torch.Tensor) -> torch.Tensor:
    """Compare part masks with the parts: cross entropy and overlap (Dice), equally.

    Pairs whose part is not present teach that nothing belongs to it, by a third of the weight
    and cross entropy alone.

    Args:
        logits: (B, A, h, w) of the masks.
        masks: (B, A, h, w) uint8, 0 to `MASK_FULL`, `MASK_UNKNOWN` where nothing is said.
        present: (B, A) bool, pairs with a label.

    Returns:
        Scalar; 0 where nothing is known.
    """
    known = masks != MASK_UNKNOWN
    counts = known.sum((2, 3)).clamp_min(1)
    seen = present & (known & (masks > 0)).any(3).any(2)
    spared = known.any(3).any(2) & ~seen
    weights = known[seen].to(logits.dtype)
    shares = masks[seen].to(logits.dtype) / MASK_FULL * weights
    drawn = logits[seen]
    entropy = functional.binary_cross_entropy_with_logits(drawn, shares, weights, reduction="none")
    predicted = torch.sigmoid(drawn) * weights
    overlap = 2 * (predicted * shares).sum((1, 2)) + 1.0
    dice = 1.0 - overlap / (predicted.sum((1, 2)) + shares.sum((1, 2)) + 1.0)
    of_seen = entropy.sum((1, 2)) / counts[seen] + dice
    # Where nothing belongs to the part, cross entropy is the softplus of the logit.
    nothing = (functional.softplus(logits) * known).sum((2, 3)) / counts
    return of_seen.sum() / max(1, len(of_seen)) + _mean_over(nothing, spared) / 3


def _mean_over(values: torch.Tensor, chosen: torch.Tensor) -> torch.Tensor:
    weights = chosen.to(values.dtype)
    return (values * weights).sum() / weights.sum().clamp_min(1.0)
