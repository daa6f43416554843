"""Thresholds fitted on held-out pictures: when heat is a find, and where a part ends."""

from __future__ import annotations

from dataclasses import dataclass

import torch

from affordance_grounding_core.methods.action_head.scenes import MASK_FULL, MASK_UNKNOWN

HEAT_THRESHOLDS = torch.sigmoid(torch.linspace(-5.0, 3.0, 161))
"""Candidates for heat: fine where it is low, as that of rare actions is."""

MASK_THRESHOLDS = torch.linspace(0.05, 0.95, 91)
"""Candidates for part masks."""

_WRONG_FIND = 1.5
"""What a find where there is nothing weighs beside a miss: an arm reaches for it."""

_WRONG_FIND_OF_ONE = 3.0
"""The same for one action: each is absent from most pictures, so that is the better known."""

_BORROWED = 30.0
"""What all actions together say of each, in pairs of its own.

With fewer, present and absent actions of held-out photographs are told apart worse: an action has
tens of pairs there, and the loss has brought the heat of all actions together already.
"""

_LARGEST_OFFSET = 3.0
_CLOSE = 0.01


@dataclass(frozen=True)
class HeatThresholds:
    """When heat is a find.

    Attributes:
        threshold: for all actions, in (0, 1), once the offsets are added to the heat's logits.
        offsets: (A,) float32.
    """

    threshold: float
    offsets: torch.Tensor


def fit_thresholds(
    logits: torch.Tensor, present: torch.Tensor, absent: torch.Tensor, fallback: float = 0.5
) -> HeatThresholds:
    """Choose the heat that best parts present from absent actions.

    First for each action, near that of all where it has few pairs; the offsets bring these
    together. Then for all, once they are added. Both weigh the share of absent pairs spared more
    than the share of present ones found, whatever their numbers.

    Args:
        logits: (N, A) highest logit of each held-out picture.
        present: (N, A) bool, pairs with a label.
        absent: (N, A) bool, actions that the object does not afford.
        fallback: threshold where there are pairs of one kind alone.
    """
    offsets = torch.zeros(logits.shape[1])
    if not present.any() or not absent.any():
        return HeatThresholds(fallback, offsets)
    peaks = torch.sigmoid(logits)
    found, spared = _shares(peaks[present], peaks[absent])
    shared = _middle(HEAT_THRESHOLDS, found + _WRONG_FIND_OF_ONE * spared)
    for action in range(logits.shape[1]):
        own_present = peaks[present[:, action], action]
        own_absent = peaks[absent[:, action], action]
        own_found, own_spared = _shares(own_present, own_absent)
        score = _shrunk(own_found, len(own_present), found)
        own = _shrunk(own_spared, len(own_absent), spared)
        own_threshold = _middle(HEAT_THRESHOLDS, score + _WRONG_FIND_OF_ONE * own)
        shift = _logit(shared) - _logit(own_threshold)
        offsets[action] = min(max(shift, -_LARGEST_OFFSET), _LARGEST_OFFSET)
    peaks = torch.sigmoid(logits + offsets)
    found, spared = _shares(peaks[present], peaks[absent])
    threshold = _middle(HEAT_THRESHOLDS, found + _WRONG_FIND * spared)
    return HeatThresholds(round(threshold, 2), offsets)


def mask_overlaps(logits: torch.Tensor, masks: torch.Tensor) -> torch.Tensor:
    """Intersection over union of part masks at every candidate threshold.

    Args:
        logits: (N, h, w) of the masks.
        masks: (N, h, w) uint8, none of it unknown.

    Returns:
        (N, thresholds) float32.
    """
    if (masks == MASK_UNKNOWN).any():
        raise ValueError("overlaps need masks that are known everywhere, got unknown cells")
    predicted = torch.sigmoid(logits)
    true = masks > MASK_FULL // 2
    overlaps = []
    for threshold in MASK_THRESHOLDS:
        inside = predicted >= threshold
        union = (inside | true).sum((1, 2)).clamp_min(1)
        overlaps.append((inside & true).sum((1, 2)) / union)
    return torch.stack(overlaps, dim=1)


def best_mask_threshold(overlaps: torch.Tensor, fallback: float = 0.5) -> float:
    """Choose the threshold of the highest mean overlap; see `mask_overlaps`."""
    if not len(overlaps):
        return fallback
    return round(_middle(MASK_THRESHOLDS, overlaps.mean(dim=0)), 2)


def _shares(present: torch.Tensor, absent: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Share of present pairs found and of absent pairs spared, at every threshold."""
    found = (present[:, None] >= HEAT_THRESHOLDS).float().sum(0) / max(1, len(present))
    spared = (absent[:, None] < HEAT_THRESHOLDS).float().sum(0) / max(1, len(absent))
    return found, spared


def _shrunk(own: torch.Tensor, pairs: int, shared: torch.Tensor) -> torch.Tensor:
    return (own * pairs + shared * _BORROWED) / (pairs + _BORROWED)


def _middle(thresholds: torch.Tensor, score: torch.Tensor) -> float:
    """The middle of the thresholds whose score is near the best."""
    return float(thresholds[score >= score.max() - _CLOSE].median())


def _logit(share: float) -> float:
    return float(torch.logit(torch.tensor(share, dtype=torch.float64)))
