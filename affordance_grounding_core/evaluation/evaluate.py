"""Run a grounder over a test set: how good is the heat, and does it know what is not afforded."""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from affordance_grounding_core.data.agd20k import EvaluationImage, EvaluationSet
from affordance_grounding_core.data.part_masks import is_boxes
from affordance_grounding_core.errors import (
    DatasetError,
    InvalidImageError,
    UnknownActionError,
)
from affordance_grounding_core.evaluation.mask_scores import MaskOverlap, compare_masks
from affordance_grounding_core.evaluation.protocols import EvaluationProtocol
from affordance_grounding_core.evaluation.summary import ImageScore
from affordance_grounding_core.images import read_bytes, read_grey, read_rgb
from affordance_grounding_core.inference.grounder import Grounder
from affordance_grounding_core.inference.result import GroundingResult


@dataclass(frozen=True)
class RightPair:
    """A test image and the action of its ground truth.

    Attributes:
        result: scores of the heat.
        found: whether the grounder called the action found.
        peak: highest heat, in [0, 1].
        peak_on_part: whether the hottest pixel lies where the ground truth exceeds half its
            maximum; None if the ground truth is empty.
        overlap: of the grounder's mask with the part; None where the data has no part mask, or
            boxes in its place.
    """

    result: ImageScore
    found: bool
    peak: float
    peak_on_part: bool | None
    overlap: MaskOverlap | None = None


@dataclass(frozen=True)
class WrongPair:
    """A test image and an action that its object does not afford anywhere in the data.

    Attributes:
        image: file of the image.
        object_name: class of the object shown.
        action: that is not afforded.
        found: whether the grounder called it found, which is an error.
        peak: highest heat, in [0, 1].
    """

    image: Path
    object_name: str
    action: str
    found: bool
    peak: float


@dataclass(frozen=True)
class Evaluation:
    """Outcome of a grounder on a test set.

    Attributes:
        right: one entry for every image with ground truth whose action the model knows.
        wrong: one for every picture and action of the vocabulary its object does not afford.
        without_ground_truth: images that were not scored for lack of one.
        unknown_actions: images whose action the model does not know, by action.
        unreadable: what is wrong with each image or ground truth that could not be read.
        raw_maps: scores of the maps that the method's paper scores, by their name; empty where
            the grounder has none beside its heat.
    """

    right: tuple[RightPair, ...]
    wrong: tuple[WrongPair, ...]
    without_ground_truth: int
    unknown_actions: Mapping[str, int]
    unreadable: tuple[str, ...]
    raw_maps: Mapping[str, tuple[ImageScore, ...]] = field(default_factory=dict)

    @property
    def scores(self) -> tuple[ImageScore, ...]:
        """The scores of all right pairs."""
        return tuple(pair.result for pair in self.right)


@dataclass
class _Tally:
    right: list[RightPair] = field(default_factory=list)
    wrong: list[WrongPair] = field(default_factory=list)
    unreadable: list[str] = field(default_factory=list)
    raw_maps: dict[str, list[ImageScore]] = field(default_factory=dict)


def evaluate_grounder(
    grounder: Grounder,
    dataset: EvaluationSet,
    protocol: EvaluationProtocol,
    affordances: Mapping[str, Collection[str]],
    *,
    show_progress: bool = False,
) -> Evaluation:
    """Ground every picture of a test set with the right and with the wrong actions.

    A picture that lies under several actions is grounded once. Actions count as known where
    the vocabulary has the very name of the folder; to decide what is *not* afforded, aliases
    are followed too, so that no synonym is held against the model.

    Args:
        grounder: to evaluate.
        dataset: images and ground truth.
        protocol: of the scores.
        affordances: object class to the actions it appears under anywhere in the data.
        show_progress: whether to draw a progress bar, where stderr is a terminal.

    Returns:
        One entry a pair, in the order of the data set.

    Raises:
        DatasetError: no image could be scored.
    """
    tally = _Tally()
    known = set(grounder.actions)
    unknown: dict[str, int] = {}
    for item in dataset.images:
        if item.action not in known:
            unknown[item.action] = unknown.get(item.action, 0) + 1
    groups = _same_pictures(dataset.images, tally)
    for group in tqdm(
        groups, desc="evaluate", unit="picture", disable=None if show_progress else True
    ):
        wrong = _wrong_actions(grounder, affordances.get(group[0].object_name, ()))
        _evaluate_picture(grounder, protocol, group, wrong, tally)
    if not tally.right:
        raise DatasetError(_nothing_scored(grounder, dataset, tally))
    order = {item.image: position for position, item in enumerate(dataset.images)}
    return Evaluation(
        tuple(sorted(tally.right, key=lambda pair: order[pair.result.image.image])),
        tuple(tally.wrong),
        len(dataset.images) - len(dataset.annotated),
        dict(sorted(unknown.items())),
        tuple(tally.unreadable),
        {
            name: tuple(sorted(scores, key=lambda score: order[score.image.image]))
            for name, scores in tally.raw_maps.items()
        },
    )


def _same_pictures(images: Sequence[EvaluationImage], tally: _Tally) -> list[list[EvaluationImage]]:
    """Group the entries that show one picture of one object, by the content of the files."""
    groups: dict[tuple[str, bytes], list[EvaluationImage]] = {}
    for item in images:
        digest = _digest(item.image, tally)
        if digest is not None:
            groups.setdefault((item.object_name, digest), []).append(item)
    return list(groups.values())


def _digest(file: Path, tally: _Tally) -> bytes | None:
    try:
        return hashlib.sha256(read_bytes(file)).digest()
    except InvalidImageError as error:
        tally.unreadable.append(str(error))
        return None


def _wrong_actions(grounder: Grounder, afforded: Collection[str]) -> list[str]:
    right = {_entry(grounder, action) for action in afforded}
    return [action for action in grounder.actions if action not in right]


def _entry(grounder: Grounder, action: str) -> str | None:
    try:
        return grounder.vocabulary.resolve(action)
    except UnknownActionError:
        return None  # the model cannot be asked for it, so it cannot be wrong about it


def _evaluate_picture(
    grounder: Grounder,
    protocol: EvaluationProtocol,
    group: Sequence[EvaluationImage],
    wrong: Sequence[str],
    tally: _Tally,
) -> None:
    picture = group[0].image
    truths = _ground_truths(group, grounder.actions, tally)
    actions = [*(item.action for item, _ in truths), *wrong]
    try:
        image = read_rgb(picture)
    except InvalidImageError as error:
        tally.unreadable.append(str(error))
        return
    if not actions:
        return
    _score_raw_maps(grounder, protocol, image, truths, tally)
    answers = grounder.ground_several(image, actions)
    for (item, ground_truth), answer in zip(truths, answers, strict=False):
        heatmap = answer.heatmap
        score = protocol.score(
            protocol.prepare_prediction(heatmap), protocol.prepare_ground_truth(ground_truth)
        )
        on_part = peak_on_part(heatmap, ground_truth)
        overlap = _overlap(item, answer, tally)
        found, peak = answer.found, answer.score
        tally.right.append(RightPair(ImageScore(item, score), found, peak, on_part, overlap))
    for action, answer in zip(wrong, answers[len(truths) :], strict=True):
        found, peak = answer.found, answer.score
        tally.wrong.append(WrongPair(picture, group[0].object_name, action, found, peak))


def _score_raw_maps(
    grounder: Grounder,
    protocol: EvaluationProtocol,
    image: NDArray[np.uint8],
    truths: Sequence[tuple[EvaluationImage, NDArray[np.float32]]],
    tally: _Tally,
) -> None:
    """Score what the paper scores, from input prepared as in the paper."""
    maps = grounder.evaluation_maps(image, [item.action for item, _ in truths])
    for name, values in maps.items():
        scores = tally.raw_maps.setdefault(name, [])
        for (item, ground_truth), raw in zip(truths, values, strict=True):
            prediction = protocol.prepare_raw_map(raw)
            score = protocol.score(prediction, protocol.prepare_ground_truth(ground_truth))
            scores.append(ImageScore(item, score))


def _ground_truths(
    group: Sequence[EvaluationImage], known: Collection[str], tally: _Tally
) -> list[tuple[EvaluationImage, NDArray[np.float32]]]:
    truths = []
    for item in group:
        if item.ground_truth is None or item.action not in known:
            continue
        try:
            truths.append((item, read_grey(item.ground_truth)))
        except InvalidImageError as error:
            tally.unreadable.append(str(error))
    return truths


def _overlap(item: EvaluationImage, answer: GroundingResult, tally: _Tally) -> MaskOverlap | None:
    if item.part_mask is None:
        return None
    try:
        part = read_grey(item.part_mask) >= 0.5
    except InvalidImageError as error:
        tally.unreadable.append(str(error))
        return None
    return None if is_boxes(part) else compare_masks(answer.mask, part)


def peak_on_part(heatmap: NDArray[np.float32], ground_truth: NDArray[np.float32]) -> bool | None:
    """Whether the hottest pixel lies where the ground truth exceeds half its maximum.

    Args:
        heatmap: (H, W) float32.
        ground_truth: (h, w) float32 in [0, 1] of the same picture, of any resolution.

    Returns:
        None if the ground truth is empty.
    """
    highest = float(ground_truth.max())
    if highest <= 0:
        return None
    row, column = np.unravel_index(int(heatmap.argmax()), heatmap.shape)
    true_row = int((row + 0.5) * ground_truth.shape[0] / heatmap.shape[0])
    true_column = int((column + 0.5) * ground_truth.shape[1] / heatmap.shape[1])
    return bool(ground_truth[true_row, true_column] > highest / 2)


def _nothing_scored(grounder: Grounder, dataset: EvaluationSet, tally: _Tally) -> str:
    actions = sorted({item.action for item in dataset.images})
    message = (
        f"no image of {str(dataset.folder)!r} could be scored: {len(dataset.annotated)} of "
        f"{len(dataset.images)} images have a ground truth, the data's actions are {actions}, "
        f"the model knows {list(grounder.actions)}; expected an overlap and a GT folder"
    )
    return message + (f"; unreadable: {tally.unreadable[0]}" if tally.unreadable else "")
