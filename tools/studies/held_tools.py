"""Masks of whole objects, put together from the exact masks of their parts."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping

import cv2
import numpy as np
from numpy.typing import NDArray

from affordance_grounding_core.data.agd20k import TrainingImage, TrainingSet
from affordance_grounding_core.images import read_grey

Mask = NDArray[np.bool_]

ACTION = "hold"
HELD_OBJECTS = ("hammer", "knife", "scissors")
"""Tools of the rendered set whose marked parts together are the whole object."""

_GAP = 9
"""px; what is not marked between two parts of an object is narrower."""


def held_images(training: TrainingSet, objects: Collection[str]) -> list[TrainingImage]:
    """List the egocentric images of objects under "hold" that have a part mask."""
    return [
        item
        for item in training.egocentric
        if item.action == ACTION and item.object_name in objects and item.part_mask is not None
    ]


def whole_objects(
    training: TrainingSet, objects: Collection[str]
) -> Mapping[tuple[str, str], Mask]:
    """Unite the part masks that a picture has under all its actions.

    Args:
        training: with exact part masks; a picture has the same file name under every action.
        objects: classes of which all parts are marked.

    Returns:
        (H, W) bool, by object class and stem of the file name.
    """
    parts: dict[tuple[str, str], list[Mask]] = defaultdict(list)
    for item in training.egocentric:
        if item.object_name in objects and item.part_mask is not None:
            parts[item.object_name, item.image.stem].append(read_part(item))
    kernel = np.ones((_GAP, _GAP), np.uint8)
    return {
        key: cv2.morphologyEx(np.any(masks, axis=0).astype(np.uint8), cv2.MORPH_CLOSE, kernel) > 0
        for key, masks in parts.items()
        if len(masks) > 1
    }


def read_part(item: TrainingImage) -> Mask:
    """Read the exact mask of a part, (H, W) bool.

    Raises:
        InvalidImageError: it cannot be read.
        ValueError: the image has none.
    """
    if item.part_mask is None:
        raise ValueError(f"image {item.image} has no part mask")
    return np.asarray(read_grey(item.part_mask) >= 0.5, np.bool_)
