"""Complement alignment: compares an object without its part to objects in use.

The hand of a person hides the part that affords the action. So if a mask covers that part,
what it leaves of the object in an egocentric picture has the features of what is visible of
the object in an exocentric one.

Source: WSAG-PLSP, section 3.3.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch.nn import functional

CropBox = tuple[int, int, int, int]
"""x0, y0, x1, y1 in whole px of the network's input; empty where the crop missed the object."""


def masked_mean(features: torch.Tensor, weights: torch.Tensor) -> torch.Tensor:
    """Average features where a mask is.

    Args:
        features: (B, N, C).
        weights: (B, N), not negative.

    Returns:
        (B, C); zero where there is no weight at all.
    """
    total = weights.sum(dim=1, keepdim=True).clamp_min(1e-8)
    return torch.einsum("bnc,bn->bc", features, weights / total)


def visible_weights(masks: torch.Tensor, rows: int, columns: int) -> torch.Tensor:
    """Turn masks of visible objects into weights of patches.

    A patch counts if more than half of it is the object. Where no patch is that full, as with
    thin things, each counts by its share.

    Args:
        masks: (B, h, w) float in [0, 1].
        rows: number of rows of patches.
        columns: number of columns of patches.

    Returns:
        (B, rows * columns) float; zero for an empty mask.
    """
    shares = functional.adaptive_avg_pool2d(masks[:, None], (rows, columns)).flatten(1)
    full = (shares > 0.5).to(shares.dtype)
    return torch.where(full.any(dim=1, keepdim=True), full, shares)


def complement_weights(
    mask: torch.Tensor, boxes: Sequence[CropBox], rows: int, columns: int
) -> torch.Tensor:
    """Say how much of each patch of an object's crop the mask leaves.

    The crop is padded to a square as its picture was, so that mask and features stay aligned;
    padding has no weight.

    Args:
        mask: (B, h, w) in [0, 1], of the network's input.
        boxes: boxes of the object in that input, one for each of the B.
        rows: number of rows of patches of the crop's features.
        columns: number of columns of patches of the crop's features.

    Returns:
        (B, rows * columns), differentiable; zero where a box is empty.
    """
    weights = []
    for left_over, (left, top, right, bottom) in zip(1 - mask, boxes, strict=True):
        if right <= left or bottom <= top:
            # Zero, but still a function of the mask: a batch of such crops has a gradient too.
            weights.append((0 * left_over.sum()).expand(rows * columns))
            continue
        crop = pad_to_square(left_over[None, top:bottom, left:right])
        # Enlarged first: pooling a few pixels into more patches would repeat them unevenly.
        scale = max(1, -(-max(rows, columns) // crop.shape[-1]))
        crop = crop.repeat_interleave(scale, dim=1).repeat_interleave(scale, dim=2)
        weights.append(functional.adaptive_avg_pool2d(crop, (rows, columns)).flatten())
    return torch.stack(weights)


def pad_to_square(image: torch.Tensor) -> torch.Tensor:
    """Pad an image with zeros to a square, itself in the middle.

    Args:
        image: (C, h, w).

    Returns:
        (C, s, s) with s the longer side.
    """
    height, width = image.shape[-2:]
    side = max(height, width)
    top, left = (side - height) // 2, (side - width) // 2
    return functional.pad(image, (left, side - width - left, top, side - height - top))


def complement_loss(
    remaining: torch.Tensor, visible: torch.Tensor, counted: torch.Tensor
) -> torch.Tensor:
    """Compare what masks leave of objects with what is visible of others.

    Args:
        remaining: (B, C) mean features of egocentric objects under the complement of a mask.
        visible: (B, E, C) mean features of visible exocentric objects, without gradient.
        counted: (B, E) float, 0 for a comparison that does not count.

    Returns:
        Mean of 1 - cosine over what counts; 0 with a gradient of 0 where nothing does.
    """
    cosine = functional.cosine_similarity(visible, remaining[:, None].expand_as(visible), dim=2)
    return ((1 - cosine) * counted).sum() / counted.sum().clamp_min(1e-8)
