"""Baselines that a model has to beat: uniform heat, the centre, the mean training label."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from affordance_grounding_core.data.agd20k import EvaluationImage, TrainingSet
from affordance_grounding_core.data.blur import blur_mask
from affordance_grounding_core.errors import DatasetError
from affordance_grounding_core.evaluation.ground_truth import has_ground_truth, read_heat
from affordance_grounding_core.evaluation.protocols import (
    PROTOCOL_SIZE,
    EvaluationProtocol,
    resize_map,
)
from affordance_grounding_core.evaluation.summary import ImageScore
from affordance_grounding_core.images import read_grey

CENTRE_PRIOR_DEVIATION = 0.22
"""Standard deviation of the centre prior as a share of the image's side.

Near the best of its kind for KLD on the rendered test set (.20), where it scores
1.745 / .258 / 1.08.
"""


@dataclass(frozen=True)
class Baseline:
    """A guess that does not look at the image.

    Attributes:
        name: in reports.
        predictions: action to (224, 224) float64, prepared for the protocol.
    """

    name: str
    predictions: Mapping[str, NDArray[np.float64]]


def uniform_baseline(actions: Collection[str]) -> Baseline:
    """The same heat everywhere.

    It is prepared already: min-max would turn it into no heat at all.
    """
    size = (PROTOCOL_SIZE, PROTOCOL_SIZE)
    return Baseline("uniform", dict.fromkeys(actions, np.full(size, 1.0 / np.prod(size))))


def centre_prior_baseline(actions: Collection[str], protocol: EvaluationProtocol) -> Baseline:
    """A Gaussian in the middle of the squashed image."""
    offset = (np.arange(PROTOCOL_SIZE) - (PROTOCOL_SIZE - 1) / 2) / PROTOCOL_SIZE
    profile = np.exp(-(offset**2) / (2 * CENTRE_PRIOR_DEVIATION**2))
    prepared = protocol.prepare_prediction(np.outer(profile, profile).astype(np.float32))
    return Baseline("centre_prior", dict.fromkeys(actions, prepared))


def mean_label_baseline(
    training: TrainingSet, protocol: EvaluationProtocol, *, show_progress: bool = False
) -> Baseline:
    """The mean of the blurred part masks of every action, each with the same total.

    Args:
        training: training set with part masks.
        protocol: protocol for which the means are prepared.
        show_progress: whether to draw a progress bar, where stderr is a terminal.

    Returns:
        Predictions for the actions that have part masks.

    Raises:
        DatasetError: the training set has no part masks.
        InvalidImageError: a part mask cannot be read.
    """
    sums: dict[str, NDArray[np.float64]] = {}
    items = tqdm(
        training.egocentric, desc="mean label", unit="mask", disable=None if show_progress else True
    )
    for item in items:
        if item.part_mask is None:
            continue
        label = resize_map(blur_mask(read_grey(item.part_mask) >= 0.5))
        if label.sum() > 0:
            total = sums.setdefault(item.action, np.zeros_like(label))
            total += label / label.sum()
    if not sums:
        raise DatasetError(
            f"training set {str(training.folder)!r} has no part masks; expected "
            "PL/ACTION/OBJECT/NAME_pl.png beside egocentric for the mean label"
        )
    return Baseline(
        "mean_of_train",
        {
            action: protocol.prepare_prediction((total / total.max()).astype(np.float32))
            for action, total in sums.items()
        },
    )


def evaluate_baselines(
    baselines: Sequence[Baseline],
    images: Iterable[EvaluationImage],
    protocol: EvaluationProtocol,
) -> dict[str, list[ImageScore]]:
    """Score baselines, best on the very images that a model was scored on.

    Args:
        baselines: baselines to score.
        images: images of a test set; those without ground truth are left out.
        protocol: protocol for which the baselines were prepared.

    Returns:
        Baseline's name to its scores; an image is left out where it has no guess.

    Raises:
        InvalidImageError: a ground truth cannot be read.
    """
    scores: dict[str, list[ImageScore]] = {baseline.name: [] for baseline in baselines}
    for item in images:
        if not has_ground_truth(item):
            continue
        ground_truth = protocol.prepare_ground_truth(read_heat(item))
        for baseline in baselines:
            if item.action in baseline.predictions:
                score = protocol.score(baseline.predictions[item.action], ground_truth)
                scores[baseline.name].append(ImageScore(item, score))
    return scores
