"""Samples of the refinement: a picture, and the visible objects it is compared with."""

from __future__ import annotations

import logging
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path

from affordance_grounding_core.errors import DatasetError
from affordance_grounding_core.labelling.manifest import Manifest
from affordance_grounding_core.labelling.part_names import Pair
from affordance_grounding_core.labelling.partners import POOL
from affordance_grounding_core.labelling.records import Box, ImageRecord

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class VisibleObject:
    """An object in somebody's hand.

    Attributes:
        image: image of the person.
        mask: PNG of all such objects in it.
        box: box of this one, in px.
    """

    image: Path
    mask: Path
    box: Box


@dataclass(frozen=True)
class RefinementSample:
    """One object in an egocentric picture.

    Attributes:
        image: its file.
        action: action that its part affords.
        object_name: its class.
        mask: PNG of all such objects in the picture.
        label: PNG of the part, the one to refine.
        boxes: boxes of the objects, in px; one is drawn in training.
        partners: for each box, visible objects to compare with, best first; never empty.
    """

    image: Path
    action: str
    object_name: str
    mask: Path
    label: Path
    boxes: tuple[Box, ...]
    partners: tuple[tuple[VisibleObject, ...], ...]

    @property
    def pair(self) -> Pair:
        """Action and object."""
        return self.action, self.object_name


def read_samples(
    manifest: Manifest, trainset: Path, labels: Path, pairs: Collection[Pair]
) -> list[RefinementSample]:
    """List the pictures that can be refined.

    A picture needs a part label, an object, and an exocentric picture with an object; what
    lacks one keeps its first label and is counted in the log.

    Args:
        manifest: manifest of the labels.
        trainset: folder of the pictures.
        labels: folder of the manifest.
        pairs: pairs that are refined.

    Raises:
        DatasetError: no picture of those pairs can be refined.
    """
    samples, left_out = [], 0
    for record in manifest.records:
        if record.view != "egocentric" or (record.action, record.object_name) not in pairs:
            continue
        sample = _sample(record, manifest, trainset, labels)
        if sample is None:
            left_out += 1
        else:
            samples.append(sample)
    if not samples:
        named = sorted("/".join(pair) for pair in pairs)
        raise DatasetError(
            f"none of the pictures of {named} has a part label, an object and an exocentric "
            f"partner in {str(labels)!r}; label the data with --similarity clip or dinov2 first"
        )
    if left_out:
        logger.warning(
            "%d pictures keep their first label, for they have no part, no object or no partner.",
            left_out,
        )
    return samples


def _sample(
    record: ImageRecord, manifest: Manifest, trainset: Path, labels: Path
) -> RefinementSample | None:
    part, whole = record.part, record.whole
    if part is None or whole is None or part.mask is None or whole.mask is None:
        return None
    place = record.action, record.object_name
    boxes, partners = [], []
    for number, box in enumerate(whole.boxes):
        found = []
        for partner in manifest.partners(*place, record.image, number)[:POOL]:
            other = manifest.record("exocentric", *place, partner.image)
            if other is None or other.whole is None or other.whole.mask is None:
                continue
            if partner.box < len(other.whole.boxes):
                file = trainset.joinpath("exocentric", *place, partner.image)
                mask = labels / other.whole.mask
                found.append(VisibleObject(file, mask, other.whole.boxes[partner.box]))
        if found:
            boxes.append(box)
            partners.append(tuple(found))
    if not boxes:
        return None
    return RefinementSample(
        trainset.joinpath("egocentric", *place, record.image),
        record.action,
        record.object_name,
        labels / whole.mask,
        labels / part.mask,
        tuple(boxes),
        tuple(partners),
    )
