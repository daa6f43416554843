"""Training pictures of the action head, each with its labels and the actions it lacks."""

from __future__ import annotations

import logging
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from affordance_grounding_core.data.agd20k import (
    TrainingImage,
    TrainingSet,
    affordances_of_objects,
    read_training_set,
)
from affordance_grounding_core.data.part_masks import image_size, is_boxes, read_part_mask
from affordance_grounding_core.errors import DatasetError, InvalidImageError
from affordance_grounding_core.images import read_rgb

logger = logging.getLogger(__name__)


@dataclass(frozen=True, eq=False)
class Sample:
    """One picture of an object and what is known of it.

    Attributes:
        path: file of the picture.
        object_name: class of the object shown.
        masks: action to the file of its part mask, for actions that are labelled here.
        absent: actions that the object class never appears under.
    """

    path: Path
    object_name: str
    masks: dict[str, Path]
    absent: tuple[str, ...]


@dataclass(frozen=True)
class SamplePicture:
    """What labels of a sample are made of.

    Attributes:
        height: height of its picture in px.
        width: width of its picture in px.
        labels: action to (height, width): bool part masks where `exact`, float32 in [0, 1]
            soft labels otherwise.
        exact: whether the labels are the parts themselves, not blurred.
        boxes: actions whose exact label is made of upright boxes around the parts.
    """

    height: int
    width: int
    labels: Mapping[str, NDArray[np.bool_] | NDArray[np.float32]]
    exact: bool = False
    boxes: frozenset[str] = frozenset()

    @classmethod
    def of(cls, sample: Sample) -> SamplePicture:
        """Read a sample's picture and part masks; masks that cannot be used are left out."""
        height, width = image_size(sample.path) or read_rgb(sample.path).shape[:2]
        read = {action: _usable(file, height, width) for action, file in sample.masks.items()}
        masks = {action: mask for action, mask in read.items() if mask is not None}
        boxes = frozenset(action for action, mask in masks.items() if is_boxes(mask))
        return cls(height, width, masks, exact=True, boxes=boxes)

    def centres(self) -> list[tuple[float, float]]:
        """Where the parts are: (x, y) of each label's centre in [0, 1], by name of the action."""
        found = []
        for _, label in sorted(self.labels.items()):
            rows, columns = np.nonzero(label > 0.5 * label.max())
            found.append(
                (float(columns.mean() + 0.5) / self.width, float(rows.mean() + 0.5) / self.height)
            )
        return found


def _usable(file: Path, height: int, width: int) -> NDArray[np.bool_] | None:
    """Read a part mask; None, and a line in the log, where it cannot be used."""
    try:
        return read_part_mask(file, height, width)
    except InvalidImageError as error:
        logger.warning("Left out: %s", error)
        return None


def read_pictures(samples: Sequence[Sample]) -> dict[Sample, SamplePicture]:
    """Read all pictures and part masks, and log how many masks are left out."""
    pictures = {sample: SamplePicture.of(sample) for sample in samples}
    left_out = sum(len(s.masks) - len(picture.labels) for s, picture in pictures.items())
    if left_out:
        logger.warning("%d part masks are left out, named above", left_out)
    return pictures


def read_samples(
    roots: str | Path | Sequence[str | Path],
    actions: Sequence[str],
    with_masks: bool = True,
    listed: Collection[str] | None = None,
) -> list[Sample]:
    """List the egocentric pictures of training sets, by default those that have part masks.

    A picture that stands under several actions (same object, same file name) is one sample. What
    a class of object affords is what it appears under in any of the sets.

    Args:
        roots: folder or folders in AGD20K layout with part masks in `trainset/PL`.
        actions: vocabulary of the model; pictures of other actions are not used.
        with_masks: False lists all pictures, and no masks.
        listed: names (without folder) of the pictures to use from all sets but the first; None
            for all.

    Returns:
        Samples set by set, by object class and file name.

    Raises:
        DatasetError: no training set, no part masks, or no pictures of the actions.
    """
    folders = [roots] if isinstance(roots, str | Path) else list(roots)
    sets = [read_training_set(root) for root in folders]
    kept: list[tuple[int, TrainingImage]] = []
    for number, training in enumerate(sets):
        chosen = [
            image
            for image in training.egocentric
            if number == 0 or listed is None or image.image.name in listed
        ]
        kept += [(number, image) for image in chosen]
        _require_pictures(training, chosen, actions, with_masks)
    shown = [image for _, image in kept]
    affordances = affordances_of_objects(
        [*shown, *(image for training in sets for image in training.exocentric)]
    )
    pictures: dict[tuple[int, str, str], list[TrainingImage]] = {}
    for number, image in kept:
        if image.action in actions and not (with_masks and image.part_mask is None):
            key = (number, image.object_name, image.image.stem)
            pictures.setdefault(key, []).append(image)
    return [
        Sample(
            path=images[0].image,
            object_name=name,
            masks={i.action: i.part_mask for i in images if with_masks and i.part_mask},
            absent=tuple(action for action in actions if action not in affordances[name]),
        )
        for (_, name, _), images in sorted(pictures.items())
    ]


def _require_pictures(
    training: TrainingSet, chosen: Sequence[TrainingImage], actions: Sequence[str], with_masks: bool
) -> None:
    wanted = [image for image in chosen if image.action in actions]
    if not wanted:
        raise DatasetError(
            f"training set {training.folder} has no egocentric pictures of the actions "
            f"{list(actions)} that are to be used; expected egocentric/ACTION/OBJECT/<image>"
        )
    if with_masks and not any(image.part_mask for image in wanted):
        raise DatasetError(
            f"training set {training.folder} has no part masks for the actions {list(actions)}; "
            "expected PL/ACTION/OBJECT/<image>_pl.png beside egocentric/"
        )
