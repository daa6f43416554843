"""From the masks of detections to one label."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

HOLE_AREA = 400
"""Background pieces smaller than this, in px, are filled (WSAG-PLSP, section 3.2)."""


def unite(masks: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Unite masks.

    Args:
        masks: (K, H, W) bool, K at least 1.

    Returns:
        (H, W) bool.
    """
    return np.asarray(masks.any(axis=0), np.bool_)


def fill_holes(mask: NDArray[np.bool_], area: int = HOLE_AREA) -> NDArray[np.bool_]:
    """Fill small pieces of background, which segmenters leave in flat parts.

    Pieces are 8-connected, as in SAM's own clean-up. An empty mask stays empty.

    Args:
        mask: (H, W) bool.
        area: pieces of fewer px are filled.

    Returns:
        (H, W) bool, a superset of the mask.
    """
    if not mask.any():
        return mask.copy()
    background = (~mask).astype(np.uint8)
    _, labels, statistics, _ = cv2.connectedComponentsWithStats(background, connectivity=8)
    small = statistics[:, cv2.CC_STAT_AREA] < area
    small[0] = False  # component 0 is what is not background: the mask itself
    return np.asarray(mask | small[labels], np.bool_)
