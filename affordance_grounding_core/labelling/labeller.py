"""Labeller: turns a batch of images into records and masks."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from affordance_grounding_core.labelling.part_names import PartNames, object_phrase
from affordance_grounding_core.labelling.records import (
    Finding,
    ImageRecord,
    View,
    box_from,
)
from affordance_grounding_core.labelling.segmenters.base import (
    PartSegmenter,
    Phrases,
    Segmentation,
)
from affordance_grounding_core.labelling.store import LabelStore, mask_names

HOLE_AREA = 400
"""Background pieces smaller than this, in px, are filled (WSAG-PLSP, section 3.2)."""


def unite(masks: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Unite masks.

    Args:
        masks: (K, H, W) bool, K at least 1.

    Returns:
        (H, W) bool.
    """
    return np.asarray(masks.any(axis=0), np.bool_)


def fill_holes(mask: NDArray[np.bool_], area: int = HOLE_AREA) -> NDArray[np.bool_]:
    """Fill small pieces of background, which segmenters leave in flat parts.

    Pieces are 8-connected, as in SAM's own clean-up. An empty mask stays empty.

    Args:
        mask: (H, W) bool.
        area: pieces of fewer px are filled.

    Returns:
        (H, W) bool, a superset of the mask.
    """
    if not mask.any():
        return mask.copy()
    background = (~mask).astype(np.uint8)
    _, labels, statistics, _ = cv2.connectedComponentsWithStats(background, connectivity=8)
    small = statistics[:, cv2.CC_STAT_AREA] < area
    small[0] = False  # component 0 is what is not background: the mask itself
    return np.asarray(mask | small[labels], np.bool_)


Masks = dict[str, NDArray[np.bool_]]


@dataclass(frozen=True)
class LabelEntry:
    """An image to label.

    Attributes:
        view: view of the object alone, or of a person using it.
        action: folder the image lies in.
        object_name: class of the object.
        image: its file.
    """

    view: View
    action: str
    object_name: str
    image: Path


@dataclass(frozen=True)
class LoadedImage:
    """An image that was read, or could not be.

    Attributes:
        entry: what it is.
        digest: sha256 of the file; empty where it could not be read.
        pixels: (H, W, 3) uint8 RGB, or None.
        problem: why there are no pixels.
    """

    entry: LabelEntry
    digest: str
    pixels: NDArray[np.uint8] | None
    problem: str = ""


class Labeller:
    """Asks a segmenter for parts and objects, and writes down what it says.

    Args:
        segmenter: segmenter that finds the parts.
        names: names of the parts.
        store: store to write to.
    """

    def __init__(self, segmenter: PartSegmenter, names: PartNames, store: LabelStore) -> None:
        self.segmenter = segmenter
        self.names = names
        self.store = store
        self._identity = json.dumps(dict(segmenter.identity), sort_keys=True)

    def prompts(self, entry: LabelEntry) -> list[Phrases]:
        """Say what is looked for in an image: the part, unless it is the object, and the object.

        Raises:
            PartNameError: the pair has no part name.
        """
        whole = (object_phrase(entry.object_name),)
        if entry.view == "exocentric":
            return [whole]
        part = self.names.phrases(entry.action, entry.object_name)
        return [whole] if part == whole else [part, whole]

    def key(self, entry: LabelEntry, digest: str) -> str:
        """Hash everything the labels of an image depend on."""
        content = [self._identity, entry.view, digest, self.prompts(entry)]
        return hashlib.sha256(json.dumps(content).encode()).hexdigest()[:32]

    def finished(self, entry: LabelEntry) -> ImageRecord | None:
        """Return the record of an image that needs no work: same image, segmenter and phrases.

        An image that failed is tried again.
        """
        place = entry.view, entry.action, entry.object_name, entry.image.name
        record = self.store.read(*place)
        if record is None or record.problem:
            return None
        try:
            digest = hashlib.sha256(entry.image.read_bytes()).hexdigest()
        except OSError:
            return None
        return record if record.key == self.key(entry, digest) else None

    def label(self, batch: Sequence[LoadedImage]) -> list[ImageRecord]:
        """Label images and write masks and records.

        What is wrong with one image, be it unreadable or answered with a mask of another
        size, is written into its record and does not keep the others from being labelled.

        Raises:
            OSError: a file cannot be written.
        """
        readable = [image for image in batch if image.pixels is not None]
        answers = self.segmenter.segment(
            [image.pixels for image in readable if image.pixels is not None],
            [self.prompts(image.entry) for image in readable],
        )
        by_entry = {image.entry: answer for image, answer in zip(readable, answers, strict=True)}
        records = []
        for image in batch:
            record, masks = self._record(image, by_entry.get(image.entry, []))
            self.store.write(record, masks)
            records.append(record)
        return records

    def _record(
        self, image: LoadedImage, answers: Sequence[Segmentation]
    ) -> tuple[ImageRecord, Masks]:
        entry = image.entry
        key = self.key(entry, image.digest)
        place = entry.view, entry.action, entry.object_name, entry.image.name
        if image.pixels is None:
            return ImageRecord(key, *place, problem=image.problem), {}
        height, width = image.pixels.shape[:2]
        prompts = self.prompts(entry)
        problems = [problem for a in answers if (problem := a.problem(height, width))]
        if len(answers) != len(prompts):
            problems.append(f"{len(answers)} answers to {len(prompts)} sets of phrases")
        if problems:
            text = f"the segmenter gave {problems[0]}"
            return ImageRecord(key, *place, height, width, problem=text), {}
        names = mask_names(*place)
        # Where the part is the whole object, one answer is both.
        chosen = [0] * len(names) if len(prompts) < len(names) else range(len(names))
        found = [
            _finding(prompts[index], answers[index], name)
            for index, name in zip(chosen, names, strict=True)
        ]
        findings = [finding for finding, _ in found]
        masks = {
            finding.mask: mask
            for finding, mask in found
            if finding.mask is not None and mask is not None
        }
        part = findings[0] if entry.view == "egocentric" else None
        return ImageRecord(key, *place, height, width, part, findings[-1]), masks


def _finding(
    phrases: Phrases, answer: Segmentation, name: str
) -> tuple[Finding, NDArray[np.bool_] | None]:
    mask = fill_holes(unite(answer.masks)) if len(answer.scores) else None
    if mask is None or not mask.any():
        # A box without a single pixel in its mask is no label: it would train on nothing.
        return Finding(phrases), None
    boxes = tuple(box_from(np.round(box.astype(float), 2)) for box in answer.boxes)
    scores = tuple(round(float(score), 4) for score in answer.scores)
    return Finding(phrases, boxes, scores, name), mask
