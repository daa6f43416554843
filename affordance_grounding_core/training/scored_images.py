"""Images that the epochs of a run are scored on, and their ground truth."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, TypeVar

import numpy as np
from numpy.typing import NDArray

from affordance_grounding_core.data.agd20k import TrainingSet, read_evaluation_set
from affordance_grounding_core.data.blur import blur_mask
from affordance_grounding_core.data.part_masks import read_part_mask
from affordance_grounding_core.data.splits import is_held_out
from affordance_grounding_core.errors import DatasetError, InvalidImageError
from affordance_grounding_core.evaluation.protocols import LocateProtocol
from affordance_grounding_core.images import read_grey

Image = TypeVar("Image")

Selection = Literal["test", "validation", "none"]
"""What the best epoch is chosen by."""


@dataclass(frozen=True)
class LabelledImage:
    """One image and what is known of it.

    Attributes:
        image: file of the image.
        action: action that it stands under.
        object_name: class of the object shown.
        label: picture of the heat, or of the part, that a prediction is scored against; None
            for an image that is not scored.
        is_mask: whether `label` is a part mask, to be blurred by AGD20K's rule.
    """

    image: Path
    action: str
    object_name: str
    label: Path | None = None
    is_mask: bool = False

    def ground_truth(self) -> NDArray[np.float64]:
        """Read the label as the protocol "locate" compares it, (224, 224).

        Raises:
            InvalidImageError: it cannot be read.
            ValueError: the image has none.
        """
        if self.label is None:
            raise ValueError(f"image {self.image} has no label to be scored against")
        grey = blur_mask(read_part_mask(self.label)) if self.is_mask else read_grey(self.label)
        return LocateProtocol().prepare_ground_truth(grey)


def scored_images(
    selection: Selection,
    root: str,
    split: str | None,
    training: TrainingSet,
    actions: Sequence[str],
    validation_every: int,
) -> tuple[LabelledImage, ...]:
    """List what the epochs are scored on.

    Args:
        selection: "test": the test set, as the papers do; "validation": training images held
            out by their name, which needs part masks; "none": nothing.
        root: folder of the data.
        split: split of the data.
        training: listing to hold out from.
        actions: vocabulary; images of other actions are left out.
        validation_every: share held out, as one in so many.

    Raises:
        DatasetError: nothing to score on.
    """
    if selection == "none":
        return ()
    if selection == "test":
        dataset = read_evaluation_set(root, split)
        images = [
            LabelledImage(item.image, item.action, item.object_name, item.ground_truth)
            for item in dataset.annotated
            if item.action in actions
        ]
        hint = "expected testset/egocentric with a GT of the model's actions"
    else:
        images = [
            LabelledImage(item.image, item.action, item.object_name, item.part_mask, True)
            for item in training.egocentric
            if item.part_mask
            and item.action in actions
            and is_held_out(item.object_name, item.image, validation_every)
        ]
        hint = "expected part masks in trainset/PL; AGD20K has none, so use test or none"
    if not images:
        raise DatasetError(f"selection {selection!r} has no image to score under {root!r}; {hint}")
    return tuple(images)


def readable_labels(
    images: Iterable[LabelledImage],
) -> tuple[tuple[LabelledImage, ...], tuple[str, ...]]:
    """Part images whose label can be read from the messages about the others."""
    judged = [(item, _label_problem(item)) for item in images]
    kept = tuple(item for item, problem in judged if problem is None)
    return kept, tuple(problem for _, problem in judged if problem is not None)


def _label_problem(item: LabelledImage) -> str | None:
    try:
        item.ground_truth()
    except InvalidImageError as error:
        return str(error)
    return None


def evenly(images: Sequence[Image], count: int) -> tuple[Image, ...]:
    """Choose some images, evenly over the listing, the same every time."""
    if len(images) <= count:
        return tuple(images)
    places = np.linspace(0, len(images) - 1, count).round().astype(int)
    return tuple(images[int(place)] for place in places)
