"""The pictures of a training set with, for every action, its label, its absence or neither."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from affordance_grounding_core.data.agd20k import (
    TrainingImage,
    affordances_of_objects,
    read_training_set,
)
from affordance_grounding_core.data.blur import blur_mask
from affordance_grounding_core.errors import DatasetError


@dataclass(frozen=True, eq=False)
class Sample:
    """One picture of an object and what is known of it.

    Attributes:
        path: of the picture.
        object_name: class of the object shown.
        masks: action to the file of its part mask, for actions that are labelled here.
        absent: actions that the object class never appears under.
    """

    path: Path
    object_name: str
    masks: dict[str, Path]
    absent: tuple[str, ...]

    def labels(self, height: int, width: int) -> dict[str, NDArray[np.float32]]:
        """Read the part masks as soft labels, blurred by AGD20K's rule.

        Args:
            height: of the picture in px; a mask of another size is refused.
            width: likewise.

        Returns:
            Action to (H, W) float32 in [0, 1]. Actions whose mask is empty are left out.

        Raises:
            DatasetError: a mask that cannot be read or has another size.
        """
        labels = {}
        for action, path in self.masks.items():
            mask = cv2.imread(str(path), cv2.IMREAD_GRAYSCALE)
            if mask is None or mask.shape != (height, width):
                found = "no image" if mask is None else f"{mask.shape[0]} x {mask.shape[1]} px"
                raise DatasetError(
                    f"part mask {path} must be an image of {height} x {width} px like its "
                    f"picture {self.path}, got {found}; make the label again"
                )
            inside = mask >= 128
            if inside.any():
                labels[action] = blur_mask(inside)
        return labels


def read_samples(root: str | Path, actions: Sequence[str], with_masks: bool = True) -> list[Sample]:
    """List the egocentric pictures of a training set, by default those that have part masks.

    A picture that stands under several actions (same object, same file name) is one sample.

    Args:
        root: folder in AGD20K layout with part masks in `trainset/PL`.
        actions: vocabulary of the model; pictures of other actions are not used.
        with_masks: False lists all pictures, and no masks.

    Returns:
        Samples by object class and file name.

    Raises:
        DatasetError: no training set, no part masks, or no pictures of the actions.
    """
    training = read_training_set(root)
    affordances = affordances_of_objects([*training.egocentric, *training.exocentric])
    pictures: dict[tuple[str, str], list[TrainingImage]] = {}
    for image in training.egocentric:
        if image.action in actions and not (with_masks and image.part_mask is None):
            pictures.setdefault((image.object_name, image.image.stem), []).append(image)
    if not pictures and not with_masks:
        raise DatasetError(
            f"training set {training.folder} has no egocentric pictures of the actions "
            f"{list(actions)}; expected egocentric/ACTION/OBJECT/<image>"
        )
    if not pictures:
        raise DatasetError(
            f"training set {training.folder} has no part masks for the actions {list(actions)}; "
            "expected PL/ACTION/OBJECT/<image>_pl.png beside egocentric/"
        )
    return [
        Sample(
            path=images[0].image,
            object_name=name,
            masks={i.action: i.part_mask for i in images if with_masks and i.part_mask},
            absent=tuple(action for action in actions if action not in affordances[name]),
        )
        for (name, _), images in sorted(pictures.items())
    ]
