"""A label folder as `affordance-grounding label` makes them, of objects that people hold."""

from __future__ import annotations

import zlib
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from affordance_grounding_core.data.agd20k import TrainingSet
from affordance_grounding_core.images import read_rgb
from affordance_grounding_core.labelling.describers import load_describer
from affordance_grounding_core.labelling.manifest import Manifest
from affordance_grounding_core.labelling.partners import find_partners
from affordance_grounding_core.labelling.records import Finding, ImageRecord, View
from affordance_grounding_core.labelling.store import LabelStore, mask_names
from tools.studies.corruptions import CORRUPTIONS
from tools.studies.held_tools import (
    ACTION,
    HELD_OBJECTS,
    held_images,
    read_part,
    whole_objects,
)
from tools.studies.object_finder import ObjectFinder, PatchDescriber, bounding_box

Mask = NDArray[np.bool_]

KINDS = ("whole", "dilated", "shifted")
"""What is wrong with first labels: the whole object is marked, or the part's corrupted mask."""

_SMALLEST = 150
"""px; less of an object than this in somebody's hand is taken for nothing found."""

_OTHERS = 12
"""Pictures of each other class that the finder of an object is fitted against."""


def first_label(part: Mask, whole: Mask, kind: str, number: int) -> Mask:
    """Make a label worse.

    Args:
        part: exact, (H, W) bool.
        whole: the object, likewise.
        kind: one of `KINDS`.
        number: of the direction of a shift.

    Returns:
        (H, W) bool.
    """
    if kind == "whole":
        return whole
    changed = CORRUPTIONS[kind](part.astype(np.uint8) * 255, number)
    return np.zeros_like(part) if changed is None else changed > 0


def label_number(seed: int, stem: str) -> int:
    """A number that stands for a picture and a seed."""
    return zlib.crc32(f"{seed}/{stem}".encode())


def write_label_folder(
    training: TrainingSet,
    folder: Path,
    describer: PatchDescriber,
    kind: str,
    seed: int,
) -> Manifest:
    """Write masks of objects, first labels and the manifest of held objects.

    Args:
        training: with exact part masks.
        folder: to write to.
        describer: to find objects in people's hands with.
        kind: what is wrong with the first labels.
        seed: of directions.

    Raises:
        DatasetError: the folder holds masks of another hand.
        OSError: a file cannot be written.
    """
    store = LabelStore(folder)
    store.claim(overwrite=False)
    wholes = whole_objects(training, HELD_OBJECTS)
    records = [
        _write(store, record, masks)
        for record, masks in (
            *_egocentric(training, wholes, kind, seed),
            *_exocentric(training, wholes, describer),
        )
    ]
    alike = load_describer("dinov2", None, "cpu")
    partners = find_partners(records, alike, training.folder, folder / "records" / "partners")
    manifest = Manifest(
        {"identity": "stand-in: exact egocentric objects, exocentric ones by a linear classifier"},
        alike.identity,
        tuple(records),
        tuple(partners),
    )
    manifest.write(folder)
    return manifest


_Labelled = tuple[ImageRecord, Mapping[str, Mask]]


def _egocentric(
    training: TrainingSet, wholes: Mapping[tuple[str, str], Mask], kind: str, seed: int
) -> Iterator[_Labelled]:
    for item in held_images(training, HELD_OBJECTS):
        whole = wholes.get((item.object_name, item.image.stem))
        if whole is None:
            continue
        number = label_number(seed, item.image.stem)
        label = first_label(read_part(item), whole, kind, number)
        if label.any():
            yield _record("egocentric", item.object_name, item.image.name, [label, whole])


def _exocentric(
    training: TrainingSet, wholes: Mapping[tuple[str, str], Mask], describer: PatchDescriber
) -> Iterator[_Labelled]:
    people = [item for item in training.exocentric if item.action == ACTION]
    counted: Counter[str] = Counter()
    others = []
    for item in people:
        counted[item.object_name] += 1
        if item.object_name not in HELD_OBJECTS and counted[item.object_name] <= _OTHERS:
            others.append(describer.describe(read_rgb(item.image)))
    for name in HELD_OBJECTS:
        examples = [
            (read_rgb(item.image), wholes[name, item.image.stem])
            for item in held_images(training, [name])
            if (name, item.image.stem) in wholes
        ]
        finder = ObjectFinder(describer, examples, torch.cat(others))
        for item in people:
            if item.object_name == name:
                mask = finder.find(read_rgb(item.image))
                if mask.sum() >= _SMALLEST:
                    yield _record("exocentric", name, item.image.name, [mask])


def _record(view: View, name: str, image: str, masks: Sequence[Mask]) -> _Labelled:
    files = mask_names(view, ACTION, name, image)
    findings = [
        Finding((name,), (bounding_box(mask),), (1.0,), file)
        for file, mask in zip(files, masks, strict=True)
    ]
    height, width = masks[0].shape
    part = findings[0] if view == "egocentric" else None
    record = ImageRecord(
        f"{view}/{image}", view, ACTION, name, image, height, width, part, findings[-1]
    )
    return record, dict(zip(files, masks, strict=True))


def _write(store: LabelStore, record: ImageRecord, masks: Mapping[str, Mask]) -> ImageRecord:
    store.write(record, masks)
    return record
