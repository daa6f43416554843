"""Drawn scenes of patch descriptors: ground, an object of two parts, a hand."""

from __future__ import annotations

import torch

from affordance_grounding_core.methods.selective_cl.frozen_backbones import FrozenFeatures

ROWS, COLUMNS, WIDTH = 6, 7, 16
GROUND, HANDLE, HEAD, HAND = range(4)


def scene(*things: tuple[int, int, int], seed: int = 0) -> FrozenFeatures:
    """Make an image of single-patch things on the ground.

    Args:
        things: what, row and column.
        seed: of a little noise.
    """
    kinds = torch.full((ROWS, COLUMNS), GROUND)
    for kind, row, column in things:
        kinds[row, column] = kind
    # All descriptors share a direction, as the keys of real backbones do.
    directions = torch.eye(4, WIDTH) + 0.5 * torch.eye(5, WIDTH)[4]
    directions[[HANDLE, HEAD]] += torch.eye(6, WIDTH)[5]
    noise = torch.randn(ROWS * COLUMNS, WIDTH, generator=torch.Generator().manual_seed(seed))
    descriptors = directions[kinds.flatten()] + 0.02 * noise
    attention = (kinds.flatten() != GROUND).float().expand(1, 6, -1)
    return FrozenFeatures(descriptors[None], attention.contiguous(), None, ROWS, COLUMNS)


def together(*images: FrozenFeatures) -> FrozenFeatures:
    """Make a batch of images."""
    attention = [image.class_attention for image in images if image.class_attention is not None]
    return FrozenFeatures(
        torch.cat([image.descriptors for image in images]),
        torch.cat(attention),
        None,
        ROWS,
        COLUMNS,
    )


def tool() -> FrozenFeatures:
    """An object of two handle patches and two head patches, nobody near."""
    return scene((HANDLE, 2, 2), (HANDLE, 2, 3), (HEAD, 2, 4), (HEAD, 3, 4))


def grasped(seed: int) -> FrozenFeatures:
    """The same kind of object elsewhere, a hand at its handle."""
    return scene(
        (HAND, 4, 1),
        (HAND, 3, 1),
        (HANDLE, 3, 2),
        (HANDLE, 3, 3),
        (HEAD, 3, 4),
        (HEAD, 2, 5),
        seed=seed,
    )
