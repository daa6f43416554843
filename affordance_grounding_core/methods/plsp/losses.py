"""Losses of WSAG-PLSP (section 3): heat, alignment, part names and actions."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch.nn import functional

from affordance_grounding_core.methods.plsp.config import PlspLossConfig


@dataclass(frozen=True)
class PlspLoss:
    """Terms of the loss, before their weights, and their weighted sum.

    Attributes:
        distribution: KL divergence of the heat from the label.
        alignment: hinge between affordance token and exocentric object; 0 without one.
        exocentric: cross entropy of the exocentric classifier; 0 without exocentric images.
        noun: cosine distance of the predicted noun.
        part: cosine distance of the predicted part.
        total: weighted sum, scalar with gradient.
    """

    distribution: torch.Tensor
    alignment: torch.Tensor
    exocentric: torch.Tensor
    noun: torch.Tensor
    part: torch.Tensor
    total: torch.Tensor


def distribution_loss(
    logits: torch.Tensor, labels: torch.Tensor, valid: torch.Tensor | None = None
) -> torch.Tensor:
    """KL divergence of the softmax over all cells from the label.

    Args:
        logits: (B, 1, h, w), brought to the label's size bilinearly.
        labels: (B, 1, H, W), each a distribution: not negative, sum 1.
        valid: (B,) weight of each sample, 0 to leave it out; all 1 where None.

    Returns:
        Scalar: mean over the samples whose weight is above 0; 0 where there is none.
    """
    if logits.shape[-2:] != labels.shape[-2:]:
        logits = functional.interpolate(
            logits, size=labels.shape[-2:], mode="bilinear", align_corners=False
        )
    logarithms = torch.log_softmax(logits.flatten(1), dim=1)
    each = functional.kl_div(logarithms, labels.flatten(1), reduction="none").sum(1)
    if valid is None:
        return each.mean()
    weights = valid.to(each)
    counted = (weights > 0).sum().clamp_min(1)
    return (each * weights).sum() / counted


def exocentric_tokens(tokens: torch.Tensor, object_masks: torch.Tensor) -> torch.Tensor:
    """Sum the patch tokens of the object in exocentric images.

    Args:
        tokens: (B * E, 1 + N, C), class token first.
        object_masks: (B * E, N), 1 for patches that the object's box touches, else 0.

    Returns:
        (B * E, C).
    """
    patches: torch.Tensor = (object_masks.to(tokens)[:, None] @ tokens[:, 1:]).squeeze(1)
    return patches


def alignment_loss(affordance: torch.Tensor, objects: torch.Tensor, margin: float) -> torch.Tensor:
    """Hinge on the cosine distance between affordance token and exocentric object.

    Args:
        affordance: (B, 1, C).
        objects: (B * E, C), E images of each sample together; they receive no gradient.
        margin: distance that costs nothing.

    Returns:
        (B * E,).
    """
    repeated = affordance.squeeze(1).repeat_interleave(len(objects) // len(affordance), dim=0)
    distance = 1 - functional.cosine_similarity(repeated, objects.detach(), dim=1)
    return functional.relu(distance - margin)


def text_loss(
    predicted: torch.Tensor, vectors: torch.Tensor, published_quirks: bool = False
) -> torch.Tensor:
    """Cosine distance of predicted from true text vectors.

    Args:
        predicted: (B, 1, C).
        vectors: (B, C), or (B, 1, C).
        published_quirks: compare every prediction with every vector of the batch. The
            released code does so where vectors are stored without a token axis, by
            broadcasting.

    Returns:
        Scalar, the mean.
    """
    if published_quirks and vectors.ndim == 2:
        similarity = functional.cosine_similarity(predicted, vectors[None], dim=2)
    else:
        similarity = functional.cosine_similarity(predicted.flatten(1), vectors.flatten(1), dim=1)
    return 1 - similarity.mean()


def weighted_loss(
    distribution: torch.Tensor,
    alignment: torch.Tensor | None,
    exocentric: torch.Tensor | None,
    noun: torch.Tensor,
    part: torch.Tensor,
    config: PlspLossConfig,
) -> PlspLoss:
    """Add the terms up.

    Args:
        distribution: see `distribution_loss`.
        alignment: see `alignment_loss`; None without exocentric images.
        exocentric: cross entropy of the classifier; None without exocentric images.
        noun: see `text_loss`.
        part: see `text_loss`.
        config: weights.
    """
    nothing = distribution.new_zeros(())
    alignment_mean = nothing if alignment is None else alignment.mean()
    classified = nothing if exocentric is None else exocentric
    total = (
        config.distribution * distribution
        + config.alignment * alignment_mean
        + config.exocentric * classified
        + config.noun * noun
        + config.part * part
    )
    return PlspLoss(distribution, alignment_mean, classified, noun, part, total)
