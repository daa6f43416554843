"""Affinity without text: what stands out in an image, and where a person meets the object.

The class attention of a vision transformer follows the object in DINO, and does less so in
DINOv2, where single patches of the background draw much of it. What holds for both: patches
of the object are unlike those at the border of the image.
"""

from __future__ import annotations

import torch

from affordance_grounding_core.methods.selective_cl.affinity import local_mean, min_max, unit

_BORDER_MATCHES = 8
"""Border patches that a background patch is expected to resemble."""


def border_contrast(descriptors: torch.Tensor, rows: int, columns: int) -> torch.Tensor:
    """How unlike the border of its image each patch is.

    A patch is compared with the 8 border patches that it resembles most, so that the border
    may show several things, a part of the object among them.

    Args:
        descriptors: (B, rows * columns, C) float.
        rows: of patches.
        columns: of patches.

    Returns:
        (B, rows, columns) in [0, 1], min-maxed.
    """
    # Indices, not a mask: an exported graph must know how many there are.
    border = [
        row * columns + column
        for row in range(rows)
        for column in range(columns)
        if row in (0, rows - 1) or column in (0, columns - 1)
    ]
    vectors = unit(descriptors)
    chosen = vectors.index_select(1, torch.tensor(border, device=descriptors.device))
    similarity = vectors @ chosen.transpose(1, 2)
    matches = similarity.topk(min(_BORDER_MATCHES, similarity.shape[2]), dim=2).values
    return min_max(-matches.mean(dim=2).reshape(-1, rows, columns))


def contact(
    egocentric: torch.Tensor,
    exocentric: torch.Tensor,
    object_mask: torch.Tensor,
    exocentric_saliency: torch.Tensor,
) -> torch.Tensor:
    """Where exocentric images show the object next to a person.

    Built like the affinity of the paper, with the egocentric image in the place of the text:
    the local mean of what stands out and is nowhere in the egocentric image (a hand, an arm),
    times the likeness to its object.

    Args:
        egocentric: (B, N, C) descriptors.
        exocentric: (B * E, N, C) descriptors, image b * E + e.
        object_mask: (B, N) bool, the egocentric object.
        exocentric_saliency: (B, E, h, w) in [0, 1].

    Returns:
        (B, E, h, w) in [0, 1].
    """
    shape = exocentric_saliency.shape
    by_image = exocentric.reshape(len(egocentric), -1, exocentric.shape[-1])
    likeness = unit(by_image) @ unit(egocentric).transpose(1, 2)
    anything = likeness.amax(dim=2).reshape(shape)
    # An image without an object resembles it nowhere more than elsewhere.
    of_object = likeness.masked_fill(~object_mask[:, None], -1.0).amax(dim=2).reshape(shape)
    person = exocentric_saliency * (1 - min_max(anything))
    return local_mean(person) * min_max(of_object)
