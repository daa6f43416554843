"""From heat and part mask to grasp regions: thresholds, connected components, oriented boxes."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import cv2
import numpy as np
from numpy.typing import NDArray

from affordance_grounding_core.images.arrays import RgbImage
from affordance_grounding_core.inference.part_colours import colour_thresholds
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
        colour_weight: how much the picture's colours say about where a part ends, at least 0;
            0 for nothing, see `part_colours`.
    """

    threshold: float = 0.5
    minimum_area: float = 0.0005
    minimum_score: float = 0.0
    maximum_regions: int = 8
    mask_threshold: float = 0.5
    colour_weight: float = 0.0

    def __post_init__(self) -> None:
        for name in ("threshold", "mask_threshold"):
            if not 0.0 < getattr(self, name) <= 1.0:
                raise ValueError(f"{name} must lie in (0, 1], got {getattr(self, name)}")
        for name in ("minimum_area", "minimum_score"):
            if not 0.0 <= getattr(self, name) <= 1.0:
                raise ValueError(f"{name} must lie in [0, 1], got {getattr(self, name)}")
        if not 0.0 <= self.colour_weight < math.inf:
            raise ValueError(
                f"colour_weight must be finite and not negative, got {self.colour_weight}"
            )
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
    image: RgbImage | None = None,
) -> tuple[list[AffordanceRegion], NDArray[np.bool_]]:
    """Find the connected regions (8-neighbourhood) of an image that are hot enough.

    With a part mask, a region is a connected piece of it whose highest heat reaches the
    threshold. Without one, and where no piece is hot enough, it is a connected piece of the heat
    at or above the threshold.

    Args:
        heatmap: (H, W) float32 in [0, 1], finite.
        config: thresholds and limits.
        part_mask: (H, W) float32 in [0, 1], how sure each pixel belongs to the part.
        image: what was grounded, of the heatmap's size; its colours say more exactly where a part
            ends.

    Returns:
        The regions by falling score, then falling area; and their union, (H, W) bool.
    """
    candidates = []
    if part_mask is not None and heatmap.max() >= config.threshold:
        chosen = part_mask >= config.mask_threshold
        candidates = _hot_pieces(chosen, heatmap, config)
        if candidates and image is not None and config.colour_weight > 0.0:
            _follow_colours(chosen, candidates, part_mask, image, config)
            candidates = _hot_pieces(chosen, heatmap, config) or candidates
    if not candidates:
        candidates = _pieces(heatmap >= config.threshold, heatmap, config)
    candidates.sort(key=lambda pair: (-pair[0].score, -pair[0].area))
    kept = candidates[: config.maximum_regions]
    return [region for region, _ in kept], _union(kept, heatmap.shape)


_Piece = tuple[AffordanceRegion, NDArray[np.bool_]]
"""A region, and which pixels of its box belong to it."""


def _union(pieces: list[_Piece], shape: tuple[int, ...]) -> NDArray[np.bool_]:
    mask = np.zeros(shape, np.bool_)
    for region, inside in pieces:
        box = region.box
        mask[box.y : box.y + box.height, box.x : box.x + box.width] |= inside
    return mask


def _follow_colours(
    chosen: NDArray[np.bool_],
    pieces: list[_Piece],
    part_mask: NDArray[np.float32],
    image: RgbImage,
    config: RegionConfig,
) -> None:
    """Choose again, in place, the pixels in and around pieces of a part by their colours."""
    place, needed = colour_thresholds(
        image,
        part_mask,
        _union(pieces, chosen.shape),
        min(config.mask_threshold, 0.99),
        config.colour_weight,
    )
    following = part_mask[place] >= needed
    # Colours move the border; a lamp's reflection makes no hole.
    outlines, _ = cv2.findContours(
        following.view(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE
    )
    filled = cv2.drawContours(np.zeros(following.shape, np.uint8), outlines, -1, 1, cv2.FILLED)
    chosen[place] = following | (chosen[place] & (filled > 0))


def _hot_pieces(
    chosen: NDArray[np.bool_], heatmap: NDArray[np.float32], config: RegionConfig
) -> list[_Piece]:
    """Pieces of a part mask whose highest heat reaches the threshold."""
    pieces = _pieces(chosen, heatmap, config)
    return [piece for piece in pieces if piece[0].score >= config.threshold]


def _pieces(
    chosen: NDArray[np.bool_], heatmap: NDArray[np.float32], config: RegionConfig
) -> list[_Piece]:
    """Connected pieces of chosen pixels that are large and hot enough, each with its pixels."""
    # Most of an image is not chosen: the box of what is, is looked at alone.
    left, top, width, height = cv2.boundingRect(chosen.view(np.uint8))
    window = (slice(top, top + height), slice(left, left + width))
    if not width:
        return []
    count, labels, statistics, _ = cv2.connectedComponentsWithStats(
        chosen[window].astype(np.uint8), connectivity=8
    )
    smallest = max(1, math.ceil(config.minimum_area * heatmap.size))
    pieces = []
    for label in range(1, count):
        if statistics[label, cv2.CC_STAT_AREA] < smallest:
            continue
        x, y, width, height = (int(value) for value in statistics[label, :4])
        inside = labels[y : y + height, x : x + width] == label
        region = _describe(heatmap, inside, Box(left + x, top + y, width, height))
        if region.score >= config.minimum_score:
            pieces.append((region, inside))
    return pieces


def _describe(
    heatmap: NDArray[np.float32], inside: NDArray[np.bool_], box: Box
) -> AffordanceRegion:
    """Describe the region that some pixels of a box make."""
    x, y, width, height = box.x, box.y, box.width, box.height
    own = heatmap[y : y + height, x : x + width]
    heat = np.where(inside, own, 0.0)
    score = float(heat.max())
    if not score:  # part of a mask without any heat: its middle is that of its pixels
        heat = inside.astype(np.float32)
    total = float(heat.sum(dtype=np.float64))
    weights_x, weights_y = heat.sum(axis=0, dtype=np.float64), heat.sum(axis=1, dtype=np.float64)
    return AffordanceRegion(
        box=box,
        oriented_box=_oriented_box(inside, x, y),
        centroid=(
            x + float(weights_x @ np.arange(width)) / total,
            y + float(weights_y @ np.arange(height)) / total,
        ),
        area=int(np.count_nonzero(inside)),
        score=score,
        mask=inside,
    )


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
