"""Means of scores over images, overall and by group."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import TypeVar

from affordance_grounding_core.data.agd20k import EvaluationImage
from affordance_grounding_core.evaluation.protocols import MapScore

Item = TypeVar("Item")


@dataclass(frozen=True)
class ImageScore:
    """How well the map for one test image meets its ground truth.

    Attributes:
        image: what was scored.
        score: under the protocol of the evaluation.
    """

    image: EvaluationImage
    score: MapScore


@dataclass(frozen=True)
class MeanScore:
    """Mean over images.

    Attributes:
        kld: Kullback-Leibler divergence, lower is better.
        sim: histogram intersection, at most 1, higher is better.
        nss: normalised scanpath saliency, higher is better.
        n: number of images.
    """

    kld: float
    sim: float
    nss: float
    n: int


def mean_score(scores: Sequence[ImageScore]) -> MeanScore:
    """Average over images, every image with the same weight.

    Raises:
        ValueError: no scores.
    """
    if not scores:
        raise ValueError("a mean needs the score of at least one image, got none")
    count = len(scores)
    return MeanScore(
        sum(item.score.kld for item in scores) / count,
        sum(item.score.sim for item in scores) / count,
        sum(item.score.nss for item in scores) / count,
        count,
    )


def mean_by_action(scores: Iterable[ImageScore]) -> dict[str, MeanScore]:
    """Average the images of every action, by name."""
    return {
        action: mean_score(group)
        for action, group in group_by(scores, lambda item: item.image.action).items()
    }


def mean_by_object(scores: Iterable[ImageScore]) -> dict[str, MeanScore]:
    """Average the images of every object class, by name."""
    return {
        name: mean_score(group)
        for name, group in group_by(scores, lambda item: item.image.object_name).items()
    }


def group_by(items: Iterable[Item], key: Callable[[Item], str]) -> dict[str, list[Item]]:
    """Collect items under their key; the keys are sorted, the items keep their order."""
    groups: dict[str, list[Item]] = {}
    for item in items:
        groups.setdefault(key(item), []).append(item)
    return {name: groups[name] for name in sorted(groups)}
