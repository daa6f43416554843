"""Blurs part masks to soft labels by the rule of AGD20K's ground truth."""

from __future__ import annotations

import math

import cv2
import numpy as np
from numpy.typing import NDArray


def blur_kernel_size(height: int, width: int) -> int:
    """Width of AGD20K's Gaussian for an image: int(sqrt(height * width) / 3), made odd.

    Args:
        height: height of the image, in px.
        width: width of the image, in px.

    Returns:
        Side of the square kernel in px, odd, at least 1.
    """
    size = int(math.sqrt(height * width) / 3)
    return size if size % 2 else size + 1


def blur_mask(mask: NDArray[np.bool_] | NDArray[np.uint8]) -> NDArray[np.float32]:
    """Turn a part mask into a heat map by AGD20K's own rule.

    A Gaussian with the kernel of `blur_kernel_size` and OpenCV's standard deviation for it,
    at the image's original size. The result is not normalised: divide by its sum for a
    distribution, by its maximum for a picture. An empty mask stays zero.

    Args:
        mask: (H, W) bool, or uint8 where any value above 0 belongs to the part.

    Returns:
        (H, W) float32 in [0, 1].

    Raises:
        ValueError: a mask of another shape or type, or without pixels.
    """
    if mask.ndim != 2 or mask.size == 0 or mask.dtype not in (np.bool_, np.uint8):
        raise ValueError(
            f"a part mask must have shape (H, W) with at least one pixel and type bool or uint8, "
            f"got shape {mask.shape} and type {mask.dtype}"
        )
    size = blur_kernel_size(*mask.shape)
    binary = (mask > 0).astype(np.float32)
    return np.asarray(cv2.GaussianBlur(binary, (size, size), 0), dtype=np.float32)
