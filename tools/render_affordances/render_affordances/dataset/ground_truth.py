"""From a part mask to the ground truth a test set holds."""

from __future__ import annotations

import math

import cv2
import numpy as np
from numpy.typing import NDArray


def blurred(mask: NDArray[np.bool_]) -> NDArray[np.uint8]:
    """Blur a part mask by AGD20K's rule.

    A Gaussian whose kernel is int(sqrt(height * width) / 3) wide, made odd, with OpenCV's
    standard deviation for it: what `affordance_grounding_core.data.blur` does, which cannot be
    imported here because Blender's Python has no torch.

    Args:
        mask: (H, W) bool with at least one true pixel.

    Returns:
        (H, W) uint8, 255 at its maximum.

    Raises:
        ValueError: an empty mask, which has no ground truth.
    """
    if not mask.any():
        raise ValueError("a ground truth needs a mask with at least one pixel, got an empty one")
    size = int(math.sqrt(mask.shape[0] * mask.shape[1]) / 3)
    size += 1 - size % 2
    heat = cv2.GaussianBlur(mask.astype(np.float32), (size, size), 0)
    return np.asarray(np.round(heat / heat.max() * 255), dtype=np.uint8)
