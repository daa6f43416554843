"""Ground truth of an image: its heat, and the mask of its part."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from affordance_grounding_core.data.agd20k import EvaluationImage
from affordance_grounding_core.data.blur import blur_mask
from affordance_grounding_core.data.part_masks import read_part_mask
from affordance_grounding_core.images import read_grey


@dataclass(frozen=True)
class GroundTruth:
    """What is known of where an image affords an action.

    Attributes:
        heat: (h, w) float32 in [0, 1]: the heatmap, or the mask blurred by AGD20K's rule.
        mask: (H, W) bool of the image's size; None where only heat is known.
    """

    heat: NDArray[np.float32]
    mask: NDArray[np.bool_] | None


def has_ground_truth(item: EvaluationImage) -> bool:
    """Whether an image can be scored: whether it has a heatmap or a mask."""
    return item.ground_truth is not None or item.mask is not None


def read_ground_truth(item: EvaluationImage, height: int, width: int) -> GroundTruth:
    """Read the heatmap and the mask of an image, as far as it has them.

    Args:
        item: image with at least one of the two.
        height: height of the image in px.
        width: width of the image in px.

    Raises:
        InvalidImageError: unreadable; or a mask that is empty or of another size than its image.
        ValueError: the image has neither.
    """
    mask = None if item.mask is None else read_part_mask(item.mask, height, width)
    if item.ground_truth is not None:
        return GroundTruth(read_grey(item.ground_truth), mask)
    if mask is None:
        raise ValueError(f"image {item.image} has neither a heatmap nor a mask")
    return GroundTruth(blur_mask(mask), mask)


def read_heat(item: EvaluationImage) -> NDArray[np.float32]:
    """Read the heat of an image alone: its heatmap, or its mask blurred by AGD20K's rule.

    Raises:
        InvalidImageError: unreadable, or an empty mask.
        ValueError: the image has neither.
    """
    if item.ground_truth is not None:
        return read_grey(item.ground_truth)
    if item.mask is None:
        raise ValueError(f"image {item.image} has neither a heatmap nor a mask")
    height, width = read_grey(item.mask).shape
    return blur_mask(read_part_mask(item.mask, height, width))
