"""Refines one label by a trained mask network."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch.nn import functional

from affordance_grounding_core.data.part_masks import read_part_mask
from affordance_grounding_core.images import read_rgb
from affordance_grounding_core.labelling.part_names import Pair
from affordance_grounding_core.labelling.partners import box_window
from affordance_grounding_core.labelling.records import Box
from affordance_grounding_core.methods.plsp.refinement.config import SnapConfig
from affordance_grounding_core.methods.plsp.refinement.mask_snapping import snap
from affordance_grounding_core.methods.plsp.refinement.network import MaskNetwork
from affordance_grounding_core.methods.plsp.refinement.pictures import PictureFormat
from affordance_grounding_core.methods.plsp.refinement.proposals import ProposalSource
from affordance_grounding_core.methods.plsp.refinement.samples import RefinementSample


@dataclass(frozen=True)
class RefinedLabel:
    """What became of a label.

    Attributes:
        mask: (H, W) bool, or None where the first label is kept.
        reason: why it is kept; empty where it is not.
        overlap: intersection over union with the first label; 1 where it is kept.
    """

    mask: NDArray[np.bool_] | None
    reason: str
    overlap: float


class LabelRefiner:
    """Refines labels one by one.

    Args:
        network: trained.
        pairs: numbers of the pairs it knows.
        picture_format: format of its input.
        proposals: proposals to snap to.
        config: thresholds.
    """

    def __init__(
        self,
        network: MaskNetwork,
        pairs: Mapping[Pair, int],
        picture_format: PictureFormat,
        proposals: ProposalSource,
        config: SnapConfig,
    ) -> None:
        self._network = network.eval()
        self._pairs = pairs
        self._format = picture_format
        self._proposals = proposals
        self._config = config

    def refine(self, sample: RefinementSample) -> RefinedLabel:
        """Refine one label.

        Raises:
            InvalidImageError: picture or mask cannot be read, or they differ in size.
        """
        image = read_rgb(sample.image)
        height, width = image.shape[:2]
        whole = read_part_mask(sample.mask, height, width, may_be_empty=True)
        first = read_part_mask(sample.label, height, width, may_be_empty=True)
        mask = whole & (self.probability(image, sample.pair) > self._config.probability)
        if not mask.any():
            return RefinedLabel(None, "no part of the object is masked", 1.0)
        pieces = [self._snapped(image, mask, whole, box) for box in sample.boxes]
        found = [piece for piece in pieces if piece is not None]
        refined = np.logical_or.reduce(found) if found else None
        if refined is None:
            return RefinedLabel(None, "no segment of the object fits the mask", 1.0)
        union = int((refined | first).sum())
        return RefinedLabel(refined, "", float((refined & first).sum()) / max(union, 1))

    @torch.no_grad()
    def probability(self, image: NDArray[np.uint8], pair: Pair) -> NDArray[np.float32]:
        """Compute the mask of a picture before any threshold.

        Args:
            image: (H, W, 3) uint8 RGB.
            pair: action and object.

        Returns:
            (H, W) float32 in [0, 1].
        """
        height, width = image.shape[:2]
        device = next(self._network.parameters()).device
        pixels = self._format.square(self._format.normalise(image))[None].to(device)
        number = torch.tensor([self._pairs[pair]], device=device)
        longer = max(height, width)
        logits = functional.interpolate(
            self._network(pixels, number)[:, None],
            size=(longer, longer),
            mode="bilinear",
            align_corners=False,
        )[0, 0]
        top, left = (longer - height) // 2, (longer - width) // 2
        inside = logits[top : top + height, left : left + width]
        return np.asarray(inside.sigmoid().float().cpu().numpy(), np.float32)

    def _snapped(
        self,
        image: NDArray[np.uint8],
        mask: NDArray[np.bool_],
        whole: NDArray[np.bool_],
        box: Box,
    ) -> NDArray[np.bool_] | None:
        """Snap the mask to the segments of one object, of the picture's size."""
        window = box_window(box, *mask.shape)
        segments = self._proposals.propose(np.ascontiguousarray(image[window]))
        placed = np.zeros((len(segments), *mask.shape), np.bool_)
        placed[(slice(None), *window)] = segments
        return snap(mask, placed, whole, self._config)
