"""Evaluation of a grounder on a test set: heat, masks, and what is not afforded."""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from affordance_grounding_core.data.agd20k import EvaluationImage, EvaluationSet
from affordance_grounding_core.errors import (
    DatasetError,
    InvalidImageError,
    UnknownActionError,
)
from affordance_grounding_core.evaluation.ground_truth import (
    GroundTruth,
    has_ground_truth,
    read_ground_truth,
)
from affordance_grounding_core.evaluation.masks import MaskScore, score_hot_region, score_mask
from affordance_grounding_core.evaluation.protocols import EvaluationProtocol
from affordance_grounding_core.evaluation.summary import ImageScore
from affordance_grounding_core.images import read_bytes, read_rgb
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
        mask: overlap of the published mask with the mask of the part; None where the data has
            heatmaps alone.
        peak_in_mask: whether the hottest pixel lies in the mask of the part; None likewise.
        hot_region: overlap of the published mask with the ground truth's region by AGD20K's rule,
            see `hot_region`.
    """

    result: ImageScore
    found: bool
    peak: float
    peak_on_part: bool | None
    mask: MaskScore | None = None
    peak_in_mask: bool | None = None
    hot_region: MaskScore | None = None


@dataclass(frozen=True)
class WrongPair:
    """A test image and an action that its object does not afford anywhere in the data.

    Attributes:
        image: file of the image.
        object_name: class of the object shown.
        action: action that is not afforded.
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
        refused: sentences that the model did not understand as one of its actions.
        refusals: why, for the first of them.
    """

    right: tuple[RightPair, ...]
    wrong: tuple[WrongPair, ...]
    without_ground_truth: int
    unknown_actions: Mapping[str, int]
    unreadable: tuple[str, ...]
    raw_maps: Mapping[str, tuple[ImageScore, ...]] = field(default_factory=dict)
    refused: int = 0
    refusals: tuple[str, ...] = ()

    @property
    def scores(self) -> tuple[ImageScore, ...]:
        """The scores of all right pairs."""
        return tuple(pair.result for pair in self.right)


@dataclass
class Tally:
    """What has been evaluated so far; see `Evaluation`."""

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
        grounder: grounder to evaluate.
        dataset: images and ground truth.
        protocol: evaluation protocol that scores the maps.
        affordances: object class to the actions it appears under anywhere in the data.
        show_progress: whether to draw a progress bar, where stderr is a terminal.

    Returns:
        One entry a pair, in the order of the data set.

    Raises:
        DatasetError: no image could be scored.
    """
    tally = Tally()
    known = set(grounder.actions)
    unknown: dict[str, int] = {}
    for item in dataset.images:
        if item.action not in known:
            unknown[item.action] = unknown.get(item.action, 0) + 1
    groups = _same_pictures(dataset.images, tally)
    for group in tqdm(
        groups, desc="evaluate", unit="picture", disable=None if show_progress else True
    ):
        wrong = wrong_actions(grounder, affordances.get(group[0].object_name, ()))
        evaluate_picture(grounder, protocol, group, wrong, tally)
    if not tally.right:
        raise DatasetError(_nothing_scored(grounder, dataset, tally))
    order = {item.image: position for position, item in enumerate(dataset.images)}
    return Evaluation(
        tuple(sorted(tally.right, key=lambda pair: order[pair.result.image.image])),
        tuple(tally.wrong),
        sum(not has_ground_truth(item) for item in dataset.images),
        dict(sorted(unknown.items())),
        tuple(tally.unreadable),
        {
            name: tuple(sorted(scores, key=lambda score: order[score.image.image]))
            for name, scores in tally.raw_maps.items()
        },
    )


def _same_pictures(images: Sequence[EvaluationImage], tally: Tally) -> list[list[EvaluationImage]]:
    """Group the entries that show one picture of one object, by the content of the files."""
    groups: dict[tuple[str, bytes], list[EvaluationImage]] = {}
    for item in images:
        digest = _digest(item.image, tally)
        if digest is not None:
            groups.setdefault((item.object_name, digest), []).append(item)
    return list(groups.values())


def _digest(file: Path, tally: Tally) -> bytes | None:
    try:
        return hashlib.sha256(read_bytes(file)).digest()
    except InvalidImageError as error:
        tally.unreadable.append(str(error))
        return None


def wrong_actions(grounder: Grounder, afforded: Collection[str]) -> list[str]:
    """List the actions of the vocabulary that an object does not afford.

    Args:
        grounder: grounder with the vocabulary.
        afforded: actions that the object appears under, aliases included.
    """
    right = {_entry(grounder, action) for action in afforded}
    return [action for action in grounder.actions if action not in right]


def _entry(grounder: Grounder, action: str) -> str | None:
    try:
        return grounder.vocabulary.resolve(action)
    except UnknownActionError:
        return None  # the model cannot be asked for it, so it cannot be wrong about it


def evaluate_picture(
    grounder: Grounder,
    protocol: EvaluationProtocol,
    group: Sequence[EvaluationImage],
    wrong: Sequence[str],
    tally: Tally,
) -> None:
    """Ground one picture with its right and its wrong actions, and score what comes back.

    Args:
        grounder: grounder to evaluate.
        protocol: evaluation protocol that scores the maps.
        group: entries of one picture of one object, at least one.
        wrong: actions that its object does not afford.
        tally: what is added to.
    """
    picture = group[0].image
    try:
        image = read_rgb(picture)
    except InvalidImageError as error:
        tally.unreadable.append(str(error))
        return
    truths = _ground_truths(group, grounder.actions, image.shape[:2], tally)
    actions = [*(item.action for item, _ in truths), *wrong]
    if not actions:
        return
    _score_raw_maps(grounder, protocol, image, truths, tally)
    results = grounder.ground_several(image, actions)
    for (item, truth), result in zip(truths, results, strict=False):
        tally.right.append(_score_pair(protocol, item, truth, result))
    for action, result in zip(wrong, results[len(truths) :], strict=True):
        tally.wrong.append(
            WrongPair(picture, group[0].object_name, action, result.found, result.score)
        )


def _score_pair(
    protocol: EvaluationProtocol, item: EvaluationImage, truth: GroundTruth, result: GroundingResult
) -> RightPair:
    score = protocol.score(
        protocol.prepare_prediction(result.heatmap), protocol.prepare_ground_truth(truth.heat)
    )
    return RightPair(
        ImageScore(item, score),
        result.found,
        result.score,
        peak_on_part(result.heatmap, truth.heat),
        None if truth.mask is None else score_mask(result.mask, truth.mask),
        None if truth.mask is None else bool(truth.mask.flat[int(result.heatmap.argmax())]),
        score_hot_region(result.mask, truth.heat),
    )


def _score_raw_maps(
    grounder: Grounder,
    protocol: EvaluationProtocol,
    image: NDArray[np.uint8],
    truths: Sequence[tuple[EvaluationImage, GroundTruth]],
    tally: Tally,
) -> None:
    """Score what the paper scores, from input prepared as in the paper."""
    maps = grounder.evaluation_maps(image, [item.action for item, _ in truths])
    for name, values in maps.items():
        scores = tally.raw_maps.setdefault(name, [])
        for (item, truth), raw in zip(truths, values, strict=True):
            prediction = protocol.prepare_raw_map(raw)
            score = protocol.score(prediction, protocol.prepare_ground_truth(truth.heat))
            scores.append(ImageScore(item, score))


def _ground_truths(
    group: Sequence[EvaluationImage],
    known: Collection[str],
    size: tuple[int, ...],
    tally: Tally,
) -> list[tuple[EvaluationImage, GroundTruth]]:
    truths = []
    for item in group:
        if item.action not in known or not has_ground_truth(item):
            continue
        try:
            truths.append((item, read_ground_truth(item, size[0], size[1])))
        except InvalidImageError as error:
            tally.unreadable.append(str(error))
    return truths


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
    row, column = divmod(int(heatmap.argmax()), heatmap.shape[1])
    true_row = int((row + 0.5) * ground_truth.shape[0] / heatmap.shape[0])
    true_column = int((column + 0.5) * ground_truth.shape[1] / heatmap.shape[1])
    return bool(ground_truth[true_row, true_column] > highest / 2)


def _nothing_scored(grounder: Grounder, dataset: EvaluationSet, tally: Tally) -> str:
    actions = sorted({item.action for item in dataset.images})
    message = (
        f"no image of {str(dataset.folder)!r} could be scored: "
        f"{sum(map(has_ground_truth, dataset.images))} of {len(dataset.images)} images have a "
        f"ground truth, the data's actions are {actions}, "
        f"the model knows {list(grounder.actions)}; expected an overlap and a GT folder"
    )
    return message + (f"; unreadable: {tally.unreadable[0]}" if tally.unreadable else "")
