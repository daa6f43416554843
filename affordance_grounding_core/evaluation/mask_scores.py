"""How well grasp masks meet the parts themselves."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class MaskOverlap:
    """One mask against the part.

    Attributes:
        intersection: pixels in both.
        union: pixels in either; above 0.
    """

    intersection: int
    union: int

    @property
    def iou(self) -> float:
        """Intersection over union."""
        return self.intersection / self.union


@dataclass(frozen=True)
class MaskScore:
    """Masks of many pairs.

    Attributes:
        n: number of pairs.
        giou: mean of their intersections over unions.
        ciou: sum of their intersections over the sum of their unions.
        p50: share of pairs above one half.
    """

    n: int
    giou: float
    ciou: float
    p50: float


def compare_masks(mask: NDArray[np.bool_], part: NDArray[np.bool_]) -> MaskOverlap | None:
    """Compare a mask with the part.

    Args:
        mask: (H, W) bool, of the picture's size.
        part: (h, w) bool of the same picture, of any resolution; brought to that of `mask`.

    Returns:
        None for a part without pixels.
    """
    if not part.any():
        return None
    size = (mask.shape[1], mask.shape[0])
    true = cv2.resize(part.astype(np.uint8), size, interpolation=cv2.INTER_NEAREST) > 0
    union = int(np.count_nonzero(mask | true))
    return MaskOverlap(int(np.count_nonzero(mask & true)), union) if union else None


def mask_score(overlaps: Sequence[MaskOverlap]) -> MaskScore | None:
    """Put overlaps together; None for none."""
    if not overlaps:
        return None
    shares = [overlap.iou for overlap in overlaps]
    return MaskScore(
        len(overlaps),
        float(np.mean(shares)),
        sum(o.intersection for o in overlaps) / sum(o.union for o in overlaps),
        float(np.mean([share > 0.5 for share in shares])),
    )
