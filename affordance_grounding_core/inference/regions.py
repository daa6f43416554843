"""From heat and part mask to grasp regions: thresholds, connected components, oriented boxes."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import cv2
import numpy as np
from numpy.typing import NDArray

from affordance_grounding_core.inference.result import AffordanceRegion, Box, OrientedBox


@dataclass(frozen=True)
class RegionConfig:
    """How regions are taken from heat, and from part masks where a model draws them.

    Attributes:
        threshold: heat above or at which a place is found, in (0, 1]. Without part masks also
            where a region ends.
        minimum_area: smallest region, as a share of the image's pixels, in [0, 1].
        minimum_score: lowest peak heat of a region, in [0, 1].
        maximum_regions: how many are kept, the best first; at least 1.
        mask_threshold: value of a part mask above or at which a pixel belongs to the part, in
            (0, 1]; of no effect on models without.
    """

    threshold: float = 0.5
    minimum_area: float = 0.0005
    minimum_score: float = 0.0
    maximum_regions: int = 8
    mask_threshold: float = 0.5

    def __post_init__(self) -> None:
        for name in ("threshold", "mask_threshold"):
            if not 0.0 < getattr(self, name) <= 1.0:
                raise ValueError(f"{name} must lie in (0, 1], got {getattr(self, name)}")
        for name in ("minimum_area", "minimum_score"):
            if not 0.0 <= getattr(self, name) <= 1.0:
                raise ValueError(f"{name} must lie in [0, 1], got {getattr(self, name)}")
        if self.maximum_regions < 1:
            raise ValueError(f"maximum_regions must be at least 1, got {self.maximum_regions}")

    def with_threshold(self, threshold: float) -> RegionConfig:
        """Replace the threshold.

        Raises:
            ValueError: a threshold outside (0, 1].
        """
        return replace(self, threshold=float(threshold))


def extract_regions(
    heatmap: NDArray[np.float32],
    config: RegionConfig,
    part_mask: NDArray[np.float32] | None = None,
) -> tuple[list[AffordanceRegion], NDArray[np.bool_]]:
    """Find the connected regions (8-neighbourhood) of an image that are hot enough.

    With a part mask, a region is a connected piece of it whose highest heat reaches the
    threshold. Without one, and where no piece is hot enough, it is a connected piece of the heat
    at or above the threshold.

    Args:
        heatmap: (H, W) float32 in [0, 1], finite.
        config: thresholds and limits.
        part_mask: (H, W) float32 in [0, 1], how sure each pixel belongs to the part.

    Returns:
        The regions by falling score, then falling area; and their union, (H, W) bool.
    """
    candidates = []
    if part_mask is not None and heatmap.max() >= config.threshold:
        pieces = _pieces(part_mask >= config.mask_threshold, heatmap, config)
        candidates = [piece for piece in pieces if piece[0].score >= config.threshold]
    if not candidates:
        candidates = _pieces(heatmap >= config.threshold, heatmap, config)
    candidates.sort(key=lambda pair: (-pair[0].score, -pair[0].area))
    mask = np.zeros(heatmap.shape, np.bool_)
    kept = candidates[: config.maximum_regions]
    for region, inside in kept:
        box = region.box
        mask[box.y : box.y + box.height, box.x : box.x + box.width] |= inside
    return [region for region, _ in kept], mask


def _pieces(
    chosen: NDArray[np.bool_], heatmap: NDArray[np.float32], config: RegionConfig
) -> list[tuple[AffordanceRegion, NDArray[np.bool_]]]:
    """Connected pieces of chosen pixels that are large and hot enough, each with its pixels."""
    count, labels, statistics, _ = cv2.connectedComponentsWithStats(
        chosen.astype(np.uint8), connectivity=8
    )
    smallest = max(1, math.ceil(config.minimum_area * heatmap.size))
    pieces = []
    for label in range(1, count):
        if statistics[label, cv2.CC_STAT_AREA] < smallest:
            continue
        region, inside = _describe(heatmap, np.asarray(labels), statistics[label], label)
        if region.score >= config.minimum_score:
            pieces.append((region, inside))
    return pieces


def _describe(
    heatmap: NDArray[np.float32],
    labels: NDArray[np.int32],
    statistics: NDArray[np.int32],
    label: int,
) -> tuple[AffordanceRegion, NDArray[np.bool_]]:
    x, y, width, height, area = (int(value) for value in statistics[:5])
    inside = labels[y : y + height, x : x + width] == label
    heat = np.where(inside, heatmap[y : y + height, x : x + width], 0.0)
    if not heat.any():  # part of a mask without any heat: its middle is that of its pixels
        heat = inside.astype(np.float32)
    total = float(heat.sum(dtype=np.float64))
    weights_x, weights_y = heat.sum(axis=0, dtype=np.float64), heat.sum(axis=1, dtype=np.float64)
    region = AffordanceRegion(
        box=Box(x, y, width, height),
        oriented_box=_oriented_box(inside, x, y),
        centroid=(
            x + float(weights_x @ np.arange(width)) / total,
            y + float(weights_y @ np.arange(height)) / total,
        ),
        area=area,
        score=float(heatmap[y : y + height, x : x + width][inside].max()),
        mask=inside,
    )
    return region, inside


def _oriented_box(inside: NDArray[np.bool_], x: int, y: int) -> OrientedBox:
    """Fit the smallest rotated rectangle to the outer edges of a region's pixels."""
    contours, _ = cv2.findContours(
        inside.astype(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE, offset=(x, y)
    )
    centres = np.concatenate([contour.reshape(-1, 2) for contour in contours]).astype(np.float32)
    corners = np.array([[-0.5, -0.5], [-0.5, 0.5], [0.5, -0.5], [0.5, 0.5]], np.float32)
    points = (centres[:, None] + corners[None]).reshape(-1, 2)
    (center_x, center_y), (length, width), degrees = cv2.minAreaRect(points)
    if length < width:
        length, width, degrees = width, length, degrees + 90.0
    angle = math.radians(degrees)
    angle = math.atan2(math.sin(2 * angle), math.cos(2 * angle)) / 2
    if angle <= -math.pi / 2 + 1e-9:
        angle = math.pi / 2
    return OrientedBox(center_x, center_y, length, width, angle)
