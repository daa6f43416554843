"""The numeric gate: a runtime may answer only if it answers as eager PyTorch in float32 does.

Compilers have mis-computed vision transformers without a word. So every candidate is compared
with the reference on real frames, on the machine it will run on, and the figures are kept.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from affordance_grounding_core.inference.runtime import GateFigures

MINIMUM_FRAMES = 16

_CONTRAST = 0.05
"""A map that varies less than this has no peak and no mask to speak of."""


_TIE = 0.01
"""Places whose heat is so close to the peak's, as a share of the map's range, are as good."""


@dataclass(frozen=True)
class GateLimits:
    """What a candidate must keep to.

    Attributes:
        cosine: lowest cosine between a frame's heat and the reference's, all actions in one
            vector.
        max_abs: largest difference of heat.
        mask_iou: lowest mean overlap of the masks.
        argmax_shift: largest way the peak moves, in px of the network input, in 95 % of maps.
            A peak where the reference is nearly as hot as at its own has not moved.
    """

    cosine: float
    max_abs: float
    mask_iou: float
    argmax_shift: float


LIMITS = {
    "fp32": GateLimits(cosine=0.99999, max_abs=0.002, mask_iou=0.99, argmax_shift=2.0),
    "fp16": GateLimits(cosine=0.999, max_abs=0.05, mask_iou=0.95, argmax_shift=16.0),
    "bf16": GateLimits(cosine=0.997, max_abs=0.1, mask_iou=0.9, argmax_shift=24.0),
    "int8": GateLimits(cosine=0.98, max_abs=0.25, mask_iou=0.8, argmax_shift=32.0),
}
"""By precision. One patch is 14 or 16 px: a peak between two patches may move to the other."""


def compare(
    reference: Sequence[NDArray[np.float32]],
    candidate: Sequence[NDArray[np.float32]],
    *,
    threshold: float,
    height: int,
    width: int,
) -> GateFigures:
    """Compare the heat of the same frames.

    Args:
        reference: one (K, rows, columns) float32 a frame, of eager PyTorch in float32.
        candidate: likewise, of the same shapes.
        threshold: heat from which a pixel belongs to the mask. A map whose peak stays below is
            cut at half its range.
        height: px of the network input, at which masks and peaks are compared.
        width: likewise.

    Raises:
        ValueError: no frame, or lists or shapes that differ.
    """
    if not reference or len(reference) != len(candidate):
        raise ValueError(
            f"the gate needs the same frames twice and at least one, got {len(reference)} and "
            f"{len(candidate)}"
        )
    for expected, got in zip(reference, candidate, strict=True):
        if expected.shape != got.shape:
            raise ValueError(f"heat must have shape {expected.shape}, the runtime gave {got.shape}")
    maps = sum(len(frame) for frame in reference)
    if not all(np.isfinite(frame).all() for frame in candidate):
        return GateFigures(len(reference), maps, False, 0.0, 0.0, None, None, None, 0)
    pairs = list(zip(reference, candidate, strict=True))
    cosines = [_cosine(expected, got) for expected, got in pairs]
    overlaps: list[float] = []
    shifts: list[float] = []
    for expected, got in pairs:
        for one, other in zip(expected, got, strict=True):
            if one.max() - one.min() < _CONTRAST:
                continue
            size = (width, height)
            large = cv2.resize(one, size, interpolation=cv2.INTER_LINEAR)
            other_large = cv2.resize(other, size, interpolation=cv2.INTER_LINEAR)
            level = threshold if one.max() >= threshold else (one.max() + one.min()) / 2
            overlaps.append(_overlap(large >= level, other_large >= level))
            shifts.append(_distance(large, other_large))
    return GateFigures(
        frames=len(reference),
        maps=maps,
        finite=True,
        cosine=min(cosines),
        mean_cosine=float(np.mean(cosines)),
        max_abs=max(float(np.abs(expected - got).max()) for expected, got in pairs),
        mask_iou=float(np.mean(overlaps)) if overlaps else None,
        argmax_shift=float(np.percentile(shifts, 95)) if shifts else None,
        contrasted_maps=len(shifts),
    )


def judge(figures: GateFigures, limits: GateLimits) -> list[str]:
    """Say what keeps a candidate from passing.

    Args:
        figures: of the candidate.
        limits: of its precision.

    Returns:
        One sentence a violated limit; none if it passes.
    """
    if not figures.finite:
        return ["heat is not finite"]
    failures = []
    if figures.frames < MINIMUM_FRAMES:
        failures.append(f"compared on {figures.frames} frames, needs {MINIMUM_FRAMES}")
    if not figures.cosine >= limits.cosine:
        failures.append(f"cosine {figures.cosine:.5f} is below {limits.cosine}")
    if figures.max_abs is None or not figures.max_abs <= limits.max_abs:
        failures.append(f"max |d| {figures.max_abs} is above {limits.max_abs}")
    if figures.mask_iou is not None and not figures.mask_iou >= limits.mask_iou:
        failures.append(f"mask IoU {figures.mask_iou:.3f} is below {limits.mask_iou}")
    if figures.argmax_shift is not None and not figures.argmax_shift <= limits.argmax_shift:
        failures.append(
            f"peak shift {figures.argmax_shift:.1f} px is above {limits.argmax_shift} px"
        )
    return failures


def _cosine(expected: NDArray[np.float32], got: NDArray[np.float32]) -> float:
    one, other = expected.ravel().astype(np.float64), got.ravel().astype(np.float64)
    product = float(np.linalg.norm(one) * np.linalg.norm(other))
    if product == 0.0:  # both empty of heat agree; one of them does not
        return float(not one.any() and not other.any())
    return float(one @ other) / product


def _overlap(one: NDArray[np.bool_], other: NDArray[np.bool_]) -> float:
    union = np.count_nonzero(one | other)
    return np.count_nonzero(one & other) / union if union else 1.0


def _distance(one: NDArray[np.float32], other: NDArray[np.float32]) -> float:
    """Way from peak to peak in px; 0 where the other's peak is about as hot in the first map.

    Where two places are equally good, either answer is right.
    """
    here = np.unravel_index(int(one.argmax()), one.shape)
    there = np.unravel_index(int(other.argmax()), other.shape)
    if one[here] - one[there] <= _TIE * (one[here] - one.min()):
        return 0.0
    return float(np.hypot(float(here[0] - there[0]), float(here[1] - there[1])))
