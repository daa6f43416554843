"""Contrastive losses of SelectiveCL (section 3.4), batched and finite.

Both are means of -log softmax(similarity / temperature) over positives. The factor that the
published code puts before them is part of the objective, not of these functions. A third loss,
which is in neither paper, compares class maps with part labels where there are any.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch

from affordance_grounding_core.methods.selective_cl.affinity import min_max, unit


@dataclass(frozen=True)
class PixelContrast:
    """Outcome of the pixel loss.

    Attributes:
        loss: scalar.
        positives: scalar, positives a patch has, on average.
    """

    loss: torch.Tensor
    positives: torch.Tensor


def pixel_contrast(
    features: torch.Tensor, groups: torch.Tensor, anchors: torch.Tensor, temperature: float
) -> PixelContrast:
    """Draw patches of an image together that share a group, apart that do not.

    Nothing is compared across images. The loss is the mean over the anchors of an image, then
    over the images; an image without an anchor that has a positive counts 0 (the published
    code gives NaN for the whole batch).

    Args:
        features: (B, C, h, w) float, of any norm.
        groups: (B, h * w) bool or any number; equal values are positives of each other.
        anchors: (B, h * w) bool, patches whose similarities are learnt.
        temperature: temperature of the softmax over the other patches of the image.
    """
    vectors = unit(features.flatten(2).transpose(1, 2))
    logits = vectors @ vectors.transpose(1, 2) / temperature
    itself = torch.eye(logits.shape[1], dtype=torch.bool, device=logits.device)
    positives = (groups[:, :, None] == groups[:, None, :]) & ~itself
    others = logits.masked_fill(itself, -torch.inf).logsumexp(dim=2)
    # A grid of a single patch has no others, and no positives either.
    others = others.masked_fill(others == -torch.inf, 0.0)
    counts = positives.sum(dim=2)
    attraction = (logits * positives).sum(dim=2) / counts.clamp_min(1)
    learnt = (anchors & (counts > 0)).to(logits.dtype)
    by_image = ((others - attraction) * learnt).sum(1) / learnt.sum(1).clamp_min(1)
    return PixelContrast(by_image.mean(), counts.to(logits.dtype).mean())


@dataclass(frozen=True)
class PrototypeMaps:
    """Where the prototypes are taken; B egocentric images, B * E exocentric ones.

    Attributes:
        egocentric: (B, h, w) part, or object where none was found.
        exocentric: (B * E, h, w) maps of the exocentric images.
        egocentric_background: (B, h, w) what is not.
        exocentric_background: (B * E, h, w) what is not.
        anchor: (B, h, w) object that is drawn to the positives; None for the whole image.
    """

    egocentric: torch.Tensor
    exocentric: torch.Tensor
    egocentric_background: torch.Tensor
    exocentric_background: torch.Tensor
    anchor: torch.Tensor | None


def prototype(features: torch.Tensor, maps: torch.Tensor) -> torch.Tensor:
    """Mean of features weighted by a map, at length 1; (B, C, h, w) and (B, h, w) to (B, C).

    Where the weighted mean vanishes the prototype is zero and has no gradient.
    """
    total = torch.einsum("bchw,bhw->bc", features, maps.to(features.dtype))
    return unit(total / (features.shape[2] * features.shape[3]))


def prototype_contrast(
    egocentric: torch.Tensor,
    exocentric: torch.Tensor,
    maps: PrototypeMaps,
    labels: torch.Tensor,
    temperature: float,
) -> torch.Tensor:
    """Draw each egocentric object to the parts that share its action.

    Positives of an image are the egocentric parts of the other images of its label and the
    exocentric parts of its label. Negatives are all other parts, and the backgrounds of the
    images of its label alone: a background of another label may show its action's object.

    Args:
        egocentric: (B, C, h, w) float features, of any norm.
        exocentric: (B * E, C, h, w) features, image b * E + e.
        maps: places that prototypes are taken from.
        labels: (B) int64 actions.
        temperature: temperature of the softmax.

    Returns:
        Scalar, the mean over the images that have a positive; 0 if none has.
    """
    everywhere = torch.ones_like(maps.egocentric)
    anchors = prototype(egocentric, everywhere if maps.anchor is None else maps.anchor)
    candidates = torch.cat(
        [
            prototype(egocentric, maps.egocentric),
            prototype(egocentric, maps.egocentric_background),
            prototype(exocentric, maps.exocentric),
            prototype(exocentric, maps.exocentric_background),
        ]
    )
    logits = anchors @ candidates.T / temperature
    exocentric_labels = labels.repeat_interleave(len(exocentric) // len(egocentric))
    same = labels[:, None] == labels[None]
    same_exocentric = labels[:, None] == exocentric_labels[None]
    itself = torch.eye(len(labels), dtype=torch.bool, device=labels.device)
    nowhere, no_exocentric = torch.zeros_like(same), torch.zeros_like(same_exocentric)
    positives = torch.cat([same & ~itself, nowhere, same_exocentric, no_exocentric], dim=1)
    compared = torch.cat([~itself, same, ~no_exocentric, same_exocentric], dim=1)
    others = logits.masked_fill(~compared, -torch.inf).logsumexp(dim=1)
    counts = positives.sum(dim=1)
    attraction = (logits * positives).sum(dim=1) / counts.clamp_min(1)
    learnt = (counts > 0).to(logits.dtype)
    return ((others - attraction) * learnt).sum() / learnt.sum().clamp_min(1)


_FLOOR = 0.01  # of the highest value: no patch of a label is infinitely unlikely


def map_divergence(maps: torch.Tensor, labels: torch.Tensor, known: torch.Tensor) -> torch.Tensor:
    """KL divergence of class maps from part labels, as the protocol "locate" compares them.

    Maps are brought to [0, 1] and then to sum 1, so that neither their scale nor their level,
    which classification decides, is pulled at.

    Args:
        maps: (B, h, w) float, of any sign and scale: of each image's own action.
        labels: (B, h, w) not negative.
        known: (B) bool, images whose label counts.

    Returns:
        Scalar, the mean over the known labels; 0 where there is none.
    """
    heat = min_max(maps).flatten(1) + _FLOOR
    wanted = labels.flatten(1) / labels.flatten(1).sum(dim=1, keepdim=True).clamp_min(1e-8)
    logarithms = (heat / heat.sum(dim=1, keepdim=True)).log()
    each = torch.nn.functional.kl_div(logarithms, wanted, reduction="none").sum(dim=1)
    return (each * known).sum() / known.sum().clamp_min(1)
