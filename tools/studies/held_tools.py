"""Held tools: masks of the whole object in place of the part that people hold.

Whole objects are put together from the exact masks of their parts.
"""

from __future__ import annotations

import shutil
from collections import defaultdict
from collections.abc import Collection, Mapping
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from affordance_grounding_core.data.agd20k import TrainingImage, TrainingSet
from affordance_grounding_core.data.part_masks import MASK_FOLDERS
from affordance_grounding_core.files import replace_file
from affordance_grounding_core.images import read_grey
from affordance_grounding_core.labelling.store import encode_mask

Mask = NDArray[np.bool_]

ACTION = "hold"
HELD_OBJECTS = ("hammer", "knife", "scissors")
"""Tools of the rendered set whose marked parts together are the whole object."""

REFINED_FOLDER, FIRST_FOLDER = MASK_FOLDERS

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


def mark_whole_objects(training: TrainingSet, labels: Path) -> int:
    """Replace the labels of held tools by their whole object.

    A tool with a single marked part keeps its label: its parts are not the whole object.

    Args:
        training: with exact part masks.
        labels: folder with `PL/ACTION/OBJECT/NAME_pl.png`.

    Returns:
        How many labels were replaced.

    Raises:
        InvalidImageError: a mask cannot be read.
        OSError: a label cannot be written.
    """
    wholes = whole_objects(training, HELD_OBJECTS)
    count = 0
    for item in held_images(training, HELD_OBJECTS):
        whole = wholes.get((item.object_name, item.image.stem))
        if whole is not None:
            name = f"{item.image.stem}_pl.png"
            place = labels / FIRST_FOLDER / item.action / item.object_name / name
            replace_file(place, encode_mask(whole))
            count += 1
    return count


def use_refined(refined: Path, labels: Path) -> int:
    """Put refined labels beside the first ones, where training looks before it takes those.

    Args:
        refined: folder of a refinement; its manifest stays there, since the other settings of
            the study have none.
        labels: folder to train from.

    Returns:
        How many there are; all other labels are still the first ones.

    Raises:
        OSError: a label cannot be copied.
    """
    source, target = refined / REFINED_FOLDER, labels / REFINED_FOLDER
    shutil.rmtree(target, ignore_errors=True)  # of an interrupted run with another refinement
    files = sorted(source.rglob("*_pl.png"))
    for file in files:
        replace_file(target / file.relative_to(source), file.read_bytes())
    return len(files)
