"""Snaps a learned mask to the segments it overlaps."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from affordance_grounding_core.methods.plsp.refinement.config import SnapConfig


def choose_proposals(
    mask: NDArray[np.bool_],
    proposals: NDArray[np.bool_],
    whole: NDArray[np.bool_],
    config: SnapConfig,
) -> NDArray[np.bool_]:
    """Choose the proposals that a mask points at.

    Overlap is the share of a proposal that lies in the mask. Those near the best count;
    those that swallow the mask do not.

    Args:
        mask: (H, W) bool.
        proposals: (N, H, W) bool, segments of the same picture.
        whole: (H, W) bool, the object that the mask is a part of.
        config: thresholds.

    Returns:
        (N) bool; none where the mask is empty or no proposal overlaps enough.
    """
    count, area = len(proposals), int(mask.sum())
    if not count or not area:
        return np.zeros(count, np.bool_)
    shared = _areas(proposals & mask)
    overlap = shared / np.maximum(_areas(proposals), 1)
    swallowing = shared >= config.swallow * area
    if not config.published_quirks:
        covered = _areas(proposals & whole) / max(int(whole.sum()), 1)
        swallowing &= (overlap < config.swallow) | (covered >= config.swallow)
    overlap[swallowing] = 0.0
    needed = config.near_best * float(overlap.max())
    return np.asarray((overlap >= needed) & (overlap > config.minimum_overlap), np.bool_)


def snap(
    mask: NDArray[np.bool_],
    proposals: NDArray[np.bool_],
    whole: NDArray[np.bool_],
    config: SnapConfig,
) -> NDArray[np.bool_] | None:
    """Replace a mask by the union of the proposals it points at.

    Args:
        mask: (H, W) bool.
        proposals: (N, H, W) bool.
        whole: (H, W) bool, the object that the mask is a part of.
        config: thresholds.

    Returns:
        (H, W) bool, or None where nothing results.
    """
    chosen = proposals[choose_proposals(mask, proposals, whole, config)]
    return np.asarray(chosen.any(axis=0), np.bool_) if len(chosen) else None


def _areas(masks: NDArray[np.bool_]) -> NDArray[np.float64]:
    return np.asarray(masks.reshape(len(masks), -1).sum(axis=1), np.float64)
