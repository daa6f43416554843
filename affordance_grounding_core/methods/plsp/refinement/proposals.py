"""Sources of the segments that a part label may snap to."""

from __future__ import annotations

import math
from typing import Any, Literal, Protocol

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch.nn import functional

from affordance_grounding_core.clustering import k_means
from affordance_grounding_core.labelling.segmenters.models import (
    SAM,
    ModelSource,
    transformers_module,
)
from affordance_grounding_core.methods.plsp.refinement.feature_bank import PatchFeatures
from affordance_grounding_core.methods.plsp.refinement.pictures import PictureFormat

ProposalName = Literal["sam", "features"]

MINIMUM_AREA = 100
"""Segments of fewer px are left out (WSAG-PLSP, section 3.3)."""


class ProposalSource(Protocol):
    """Cuts a picture into segments, which may overlap."""

    @property
    def identity(self) -> str:
        """What cuts."""
        ...

    def propose(self, image: NDArray[np.uint8]) -> NDArray[np.bool_]:
        """Segment a picture.

        Args:
            image: (h, w, 3) uint8 RGB.

        Returns:
            (N, h, w) bool; N may be 0.
        """
        ...


class SamProposals:
    """Everything Segment Anything finds from a grid of points, as published.

    Args:
        model: `transformers.SamModel` or `Sam2Model`.
        image_processor: image processor that goes with it.
        identity: identity of the weights.
        points: number of points along a side of the grid.
        predicted_iou: masks for which the model predicts a lower quality are left out.
        stability: masks that change more than this with the threshold are left out.
        device: device to compute on.
    """

    def __init__(
        self,
        model: Any,
        image_processor: Any,
        identity: str = "sam",
        points: int = 8,
        predicted_iou: float = 0.88,
        stability: float = 0.95,
        device: str = "cpu",
    ) -> None:
        self.identity = identity
        self._options = {
            "points_per_crop": points,
            "pred_iou_thresh": predicted_iou,
            "stability_score_thresh": stability,
        }
        self._pipeline = transformers_module().MaskGenerationPipeline(
            model=model.requires_grad_(False).eval(), image_processor=image_processor, device=device
        )

    @classmethod
    def from_source(cls, source: ModelSource, device: str) -> SamProposals:
        """Load the pinned weights.

        Raises:
            WeightsError: they cannot be had.
            RuntimeUnavailableError: transformers is not installed.
        """
        library = transformers_module()
        model = source.load(SAM, library.SamModel.from_pretrained, use_safetensors=True)
        processor = source.load(SAM, library.SamImageProcessor.from_pretrained)
        return cls(model, processor, source.resolve(SAM).identity, device=device)

    def propose(self, image: NDArray[np.uint8]) -> NDArray[np.bool_]:
        """Segment a picture; see `ProposalSource.propose`."""
        from PIL import Image

        found = self._pipeline(Image.fromarray(image), **self._options)["masks"]
        masks = [np.asarray(mask, np.bool_) for mask in found]
        kept = [mask for mask in masks if mask.sum() >= MINIMUM_AREA]
        return np.stack(kept) if kept else np.zeros((0, *image.shape[:2]), np.bool_)


class FeatureProposals:
    """Clusters of frozen patch features and their connected pieces, where no SAM can be had.

    Coarser than SAM: borders follow patches, smoothed between them.

    Args:
        features: frozen.
        picture_format: format of their input; a larger size gives finer segments.
        identity: identity of the features.
        counts: numbers of clusters; the segments of all of them are proposed.
        device: device to compute on.
    """

    def __init__(
        self,
        features: PatchFeatures,
        picture_format: PictureFormat,
        identity: str = "features",
        counts: tuple[int, ...] = (2, 3, 4, 6, 8),
        device: str = "cpu",
    ) -> None:
        self.identity = f"clusters of {identity}"
        self._features = features
        self._format = picture_format
        self._counts = counts
        self._device = device

    @torch.no_grad()
    def propose(self, image: NDArray[np.uint8]) -> NDArray[np.bool_]:
        """Segment a picture; see `ProposalSource.propose`."""
        height, width = image.shape[:2]
        pixels = self._format.square(self._format.normalise(image))
        patches = self._features(pixels[None].to(self._device)).float().cpu()
        side = math.isqrt(patches.shape[1])
        inside = self._format.square(torch.ones(1, height, width))
        shown = functional.adaptive_avg_pool2d(inside, (side, side)).flatten(1) > 0.5
        patches = functional.normalize(patches, dim=2)
        pieces: list[NDArray[np.bool_]] = []
        for count in self._counts:
            generator = torch.Generator().manual_seed(0)
            clusters = k_means(patches, shown, count, generator, restarts=2)
            nearness = (patches @ clusters.centroids.transpose(1, 2))[0].T
            nearness = nearness - 0.5 * clusters.centroids[0].square().sum(dim=1)[:, None]
            pieces += _pieces(self._to_image(nearness.reshape(count, side, side), height, width))
        return np.stack(pieces) if pieces else np.zeros((0, height, width), np.bool_)

    @staticmethod
    def _to_image(values: torch.Tensor, height: int, width: int) -> NDArray[np.intp]:
        """Number of the cluster that is nearest to each pixel, (h, w)."""
        longer = max(height, width)
        full = functional.interpolate(
            values[None], size=(longer, longer), mode="bilinear", align_corners=False
        )[0]
        top, left = (longer - height) // 2, (longer - width) // 2
        nearest = full.argmax(dim=0)[top : top + height, left : left + width]
        return np.asarray(nearest.numpy(), np.intp)


def load_proposals(
    name: ProposalName,
    source: ModelSource,
    features: PatchFeatures,
    picture_format: PictureFormat,
    identity: str,
    device: str,
) -> ProposalSource:
    """Load a source of proposals.

    Raises:
        WeightsError: SAM's weights cannot be had.
        RuntimeUnavailableError: transformers is not installed.
    """
    if name == "sam":
        return SamProposals.from_source(source, device)
    return FeatureProposals(features, picture_format, identity, device=device)


def _pieces(clusters: NDArray[np.intp]) -> list[NDArray[np.bool_]]:
    pieces = []
    for number in np.unique(clusters):
        count, labels = cv2.connectedComponents((clusters == number).astype(np.uint8))
        pieces += [
            piece for index in range(1, count) if (piece := labels == index).sum() >= MINIMUM_AREA
        ]
    return pieces
