"""Scores of published masks against part masks: gIoU, cIoU and precision at an IoU.

docs/train/metrics.md has the definitions and where they come from.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import ArrayLike, NDArray

from affordance_grounding_core.evaluation.metrics import FIXATION_THRESHOLD
from affordance_grounding_core.evaluation.protocols import PROTOCOL_SIZE
from affordance_grounding_core.evaluation.summary import group_by

PRECISION_LEVELS = tuple(round(0.5 + 0.05 * step, 2) for step in range(10))
"""IoU of "P@50:95": .50, .55, ... .95."""


@dataclass(frozen=True)
class MaskScore:
    """Overlap of one published mask with the part.

    Attributes:
        intersection: pixels of both.
        union: pixels of either.
    """

    intersection: int
    union: int

    @property
    def iou(self) -> float:
        """Intersection over union, in [0, 1]; 1 where both masks are empty."""
        return self.intersection / self.union if self.union else 1.0


@dataclass(frozen=True)
class MeanMaskScore:
    """Masks of several images.

    Attributes:
        giou: mean IoU over images, in [0, 1].
        ciou: sum of intersections over sum of unions, in [0, 1]; large parts count more.
        p50: share of images with an IoU above .5.
        p50_95: mean share of images with an IoU above .50, .55, ... .95.
        n: number of images.
    """

    giou: float
    ciou: float
    p50: float
    p50_95: float
    n: int


def mask_overlaps(
    published: ArrayLike, parts: ArrayLike
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Count the pixels of both masks, and of either.

    Args:
        published: (..., H, W) bool.
        parts: (..., H, W) bool.

    Returns:
        Intersections and unions, each (...) int64.

    Raises:
        ValueError: shapes that differ, no pixel, or masks that are not bool.
    """
    first, second = np.asarray(published), np.asarray(parts)
    if first.shape != second.shape or first.ndim < 2 or first.size == 0:
        raise ValueError(
            f"published mask and part must have one shape (..., H, W) with at least one pixel, "
            f"got {first.shape} and {second.shape}"
        )
    if first.dtype != np.bool_ or second.dtype != np.bool_:
        raise ValueError(
            f"published mask and part must be bool, got {first.dtype} and {second.dtype}; "
            "compare them with a threshold first"
        )
    both, one, other = (_count(mask) for mask in (first & second, first, second))
    return both, one + other - both


def score_mask(published: NDArray[np.bool_], part: NDArray[np.bool_]) -> MaskScore:
    """Compare one published mask with the part, (H, W) bool each.

    Raises:
        ValueError: see `mask_overlaps`.
    """
    both, either = mask_overlaps(published, part)
    return MaskScore(int(both), int(either))


def hot_region(ground_truth: NDArray[np.float32]) -> NDArray[np.bool_]:
    """Region of a heatmap by the only rule that AGD20K's evaluation has.

    AGD20K has heatmaps and no masks. Where its evaluation needs a region, in NSS, it takes what
    exceeds 0.1 after min-max, at 224 x 224 px.

    Args:
        ground_truth: (h, w) float32 in [0, 1].

    Returns:
        (224, 224) bool; empty for a constant ground truth.
    """
    size = (PROTOCOL_SIZE, PROTOCOL_SIZE)
    values = cv2.resize(np.asarray(ground_truth, np.float32), size, interpolation=cv2.INTER_LINEAR)
    low, high, _, _ = cv2.minMaxLoc(values)
    level = low + FIXATION_THRESHOLD * (high - low)
    # Against the next float32 at or below it, so that no map is made float64 to be compared.
    rounded = np.float32(level)
    if float(rounded) > level:
        rounded = np.nextafter(rounded, np.float32(0))
    return np.asarray(values > rounded)


def score_hot_region(published: NDArray[np.bool_], ground_truth: NDArray[np.float32]) -> MaskScore:
    """Compare a published mask, (H, W) bool, with `hot_region` of a ground truth."""
    size = (PROTOCOL_SIZE, PROTOCOL_SIZE)
    mask = np.ascontiguousarray(published, np.bool_).view(np.uint8)  # 0 and 1, in the same memory
    squashed = cv2.resize(mask, size, interpolation=cv2.INTER_NEAREST)
    return score_mask(np.asarray(squashed).view(np.bool_), hot_region(ground_truth))


def mean_mask_score(scores: Sequence[MaskScore]) -> MeanMaskScore:
    """Put the masks of several images together.

    Raises:
        ValueError: no scores.
    """
    if not scores:
        raise ValueError("masks are averaged over at least one image, got none")
    ious = np.array([score.iou for score in scores])
    union = sum(score.union for score in scores)
    shares = (ious[:, None] > np.array(PRECISION_LEVELS)).mean(axis=0)
    return MeanMaskScore(
        giou=float(ious.mean()),
        ciou=sum(score.intersection for score in scores) / union if union else 1.0,
        p50=float(shares[0]),
        p50_95=float(shares.mean()),
        n=len(scores),
    )


def masks_as_dict(named: Iterable[tuple[str, MaskScore]]) -> dict[str, Any]:
    """Return plain values of the masks of all images and of every action.

    Args:
        named: action and score of each image.

    Returns:
        Empty without scores.
    """
    items = list(named)
    if not items:
        return {}
    groups = group_by(items, lambda item: item[0])
    return {
        "overall": asdict(mean_mask_score([score for _, score in items])),
        "per_action": {
            action: asdict(mean_mask_score([score for _, score in group]))
            for action, group in groups.items()
        },
    }


def _count(mask: NDArray[np.bool_]) -> NDArray[np.int64]:
    if mask.ndim == 2:  # many times as fast as along axes
        return np.asarray(np.count_nonzero(mask), np.int64)
    return np.asarray(np.count_nonzero(mask, axis=(-2, -1)), np.int64)
