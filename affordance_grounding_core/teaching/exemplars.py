"""Exemplars: the patches of one marked picture, in few enough prototypes to be kept."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from affordance_grounding_core.errors import TeachingError

MAXIMUM_FOREGROUND = 64
"""Most patches of the part that are kept of a picture."""

MAXIMUM_BACKGROUND = 64
"""Most prototypes of the rest of a picture that are kept."""

LEAST_COVERAGE = 0.1
"""Share of its best patch that a part must cover: what is smaller has no feature of its own."""

_CLEARLY_COVERED = 0.5
_UNTOUCHED = 0.05


@dataclass(frozen=True)
class Exemplar:
    """What is kept of one marked picture.

    Attributes:
        foreground: (n, C) float16, unit features of the part's patches.
        coverage: (n,) float16 in (0, 1], share of each that belongs to the part.
        background: (m, C) float16, unit prototypes of the rest of the picture.
        share: (m,) float16, share of the rest's patches that each stands for; sums to 1.
        source: name of the picture, without its folder; may be empty.
        mark: how the part was marked.
    """

    foreground: NDArray[np.float16]
    coverage: NDArray[np.float16]
    background: NDArray[np.float16]
    share: NDArray[np.float16]
    source: str
    mark: str


def make_exemplar(
    features: NDArray[np.float32],
    coverage: NDArray[np.float32],
    inside: NDArray[np.float32],
    *,
    source: str,
    mark: str,
) -> Exemplar:
    """Keep the patches of a part and prototypes of what surrounds it.

    Args:
        features: (rows, columns, C) float32 unit features of a picture.
        coverage: (rows, columns) share of each patch that belongs to the part.
        inside: (rows, columns) share of each patch that belongs to the picture; the rest is
            padding.
        source: name of the picture.
        mark: how the part was marked.

    Raises:
        TeachingError: the part covers too little of any patch, or leaves no background.
    """
    best = float(coverage.max())
    if best < LEAST_COVERAGE:
        raise TeachingError(
            f"the marked part ({mark}) covers {best:.0%} of a patch of the network's input at "
            f"most; expected at least {LEAST_COVERAGE:.0%}: move the camera closer, crop the "
            "picture around the object, or mark more"
        )
    chosen = coverage >= min(_CLEARLY_COVERED, 0.5 * best)
    rest = (coverage < _UNTOUCHED) & (inside > _CLEARLY_COVERED)
    if not rest.any():
        raise TeachingError(
            f"the marked part ({mark}) leaves nothing of the picture as background; mark the "
            "part alone, in a picture that shows what is around it"
        )
    order = np.argsort(-coverage[chosen], kind="stable")[:MAXIMUM_FOREGROUND]
    centres, share = summarise(features[rest], MAXIMUM_BACKGROUND)
    return Exemplar(
        foreground=features[chosen][order].astype(np.float16),
        coverage=coverage[chosen][order].astype(np.float16),
        background=centres.astype(np.float16),
        share=share.astype(np.float16),
        source=source,
        mark=mark,
    )


def summarise(
    features: NDArray[np.float32], count: int
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Stand for many unit features by few, spread as far apart as they go.

    Centres are picked one by one, each the feature least like those picked before, and are then
    moved to the mean of the features nearest to them. No random number is drawn.

    Args:
        features: (N, C) float32 unit features, at least one.
        count: most prototypes wanted.

    Returns:
        (m, C) float32 unit prototypes, and (m,) float32, the share of the features that each
        stands for.
    """
    middle = features.mean(axis=0)
    nearest = np.full(len(features), -np.inf, np.float32)
    label = np.zeros(len(features), np.int64)
    pick = int(np.argmax(features @ middle))
    for index in range(min(count, len(features))):
        likeness = features @ features[pick]
        label = np.where(likeness > nearest, index, label)
        nearest = np.maximum(nearest, likeness)
        pick = int(np.argmin(nearest))
    members = [features[label == index] for index in np.unique(label)]
    centres = np.stack([one.mean(axis=0) for one in members])
    share = np.array([len(one) / len(features) for one in members], np.float32)
    return unit(centres), share


def unit(features: NDArray[np.float32]) -> NDArray[np.float32]:
    """Scale features to length 1 along their last axis; a zero stays zero."""
    length = np.linalg.norm(features, axis=-1, keepdims=True)
    return np.asarray(features / np.maximum(length, 1e-12), np.float32)
