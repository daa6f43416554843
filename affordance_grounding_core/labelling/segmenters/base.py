"""Interface of segmenters, and the rule by which their detections count."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

Phrases = tuple[str, ...]
"""What to look for in one go, for example ("motorcycle handlebars", "motorcycle seat")."""


@dataclass(frozen=True)
class SelectionRule:
    """Which detections count (WSAG-PLSP, section 3.2).

    Attributes:
        score: every detection that scores higher counts; where none does, the best one.
        minimum: a detection that scores no higher than this never counts, so that a picture
            without the part can be reported instead of mislabelled. 0 trusts every best one.
    """

    score: float = 0.5
    minimum: float = 0.05

    def __post_init__(self) -> None:
        if not 0.0 <= self.minimum <= self.score < 1.0:
            raise ValueError(
                "scores must satisfy 0 <= minimum <= score < 1, got minimum "
                f"{self.minimum} and score {self.score}"
            )

    def choose(self, scores: NDArray[np.float32]) -> NDArray[np.intp]:
        """Choose detections.

        Args:
            scores: (N,) in [0, 1]; a score that is no number never counts.

        Returns:
            (K,) indices, best first; none where nothing scores above the minimum.
        """
        order = np.argsort(-np.nan_to_num(scores, nan=-1.0), kind="stable")
        kept = order[scores[order] > self.score]
        if not len(kept):
            kept = order[:1]
        return np.asarray(kept[scores[kept] > self.minimum], np.intp)


@dataclass(frozen=True)
class Segmentation:
    """Detections that count, for one image and one set of phrases.

    Attributes:
        boxes: (K, 4) float32 x0, y0, x1, y1 in px of the image.
        scores: (K,) float32 in [0, 1], best first.
        masks: (K, H, W) bool, of the image's size.
    """

    boxes: NDArray[np.float32]
    scores: NDArray[np.float32]
    masks: NDArray[np.bool_]

    def problem(self, height: int, width: int) -> str | None:
        """Say what makes these detections unusable for an image of a size, or None."""
        count = len(self.scores)
        if self.scores.ndim != 1 or self.boxes.shape != (count, 4):
            return (
                f"boxes of shape {self.boxes.shape} and scores of shape {self.scores.shape}; "
                "expected (K, 4) and (K,)"
            )
        if self.masks.shape != (count, height, width) or self.masks.dtype != np.bool_:
            return (
                f"masks of shape {self.masks.shape} and type {self.masks.dtype} for an image of "
                f"{height} x {width} px; expected ({count}, {height}, {width}) and bool"
            )
        if not (np.isfinite(self.boxes).all() and np.isfinite(self.scores).all()):
            return "boxes or scores that are not finite"
        return None


class PartSegmenter(Protocol):
    """Finds what is named in pictures."""

    @property
    def identity(self) -> Mapping[str, str]:
        """What answers: models with their revisions, and the rule. Labels are keyed by it."""
        ...

    def segment(
        self, images: Sequence[NDArray[np.uint8]], prompts: Sequence[Sequence[Phrases]]
    ) -> list[list[Segmentation]]:
        """Look for phrases in images.

        Args:
            images: each (H, W, 3) uint8 RGB, of any size.
            prompts: for each image, one or more sets of phrases.

        Returns:
            For each image, an answer to each of its sets, in that order. A set may have no
            detection.
        """
        ...


def no_detection(height: int, width: int) -> Segmentation:
    """Return the answer that nothing was found in an image of a size."""
    return Segmentation(
        np.zeros((0, 4), np.float32),
        np.zeros(0, np.float32),
        np.zeros((0, height, width), np.bool_),
    )


def clip_boxes(boxes: NDArray[np.float32], height: int, width: int) -> NDArray[np.float32]:
    """Keep boxes inside an image.

    Args:
        boxes: (K, 4) x0, y0, x1, y1 in px.
        height: height of the image.
        width: width of the image.

    Returns:
        (K, 4) float32; a box outside the image has no area.
    """
    limits = np.array([width, height, width, height], np.float32)
    return np.asarray(np.clip(boxes, 0, limits), np.float32)
