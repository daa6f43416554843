"""Loads a segmenter by its name on the command line."""

from __future__ import annotations

from typing import Literal

from affordance_grounding_core.labelling.segmenters.base import PartSegmenter, SelectionRule
from affordance_grounding_core.labelling.segmenters.grounding_dino_sam2 import (
    GroundingDinoSam2Segmenter,
)
from affordance_grounding_core.labelling.segmenters.models import ModelSource
from affordance_grounding_core.labelling.segmenters.sam3 import Sam3Segmenter

SegmenterName = Literal["sam3", "grounding-dino+sam2"]


def load_segmenter(name: SegmenterName, source: ModelSource, rule: SelectionRule) -> PartSegmenter:
    """Load a segmenter with its pinned weights.

    Raises:
        WeightsError: the weights cannot be had.
        RuntimeUnavailableError: transformers is not installed.
        ValueError: no such segmenter.
    """
    if name == "sam3":
        return Sam3Segmenter.from_source(source, rule)
    if name == "grounding-dino+sam2":
        return GroundingDinoSam2Segmenter.from_source(source, rule)
    raise ValueError(f"segmenter must be 'sam3' or 'grounding-dino+sam2', got {name!r}")
