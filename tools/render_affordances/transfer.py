"""From exocentric to egocentric pictures: which patches are beside a hand, in plain numpy."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import binary_dilation, distance_transform_edt, label

Patches = NDArray[np.float32]
Grid = NDArray[np.float32]


@dataclass(frozen=True)
class TransferConfig:
    """How the transfer is learnt.

    Attributes:
        novelty: a patch counts as foreign to egocentric pictures where its distance from all of
            them is above this quantile of the distances of egocentric patches among themselves,
            and it is one of several neighbours that are.
        cluster: least number of those neighbours.
        objectness: likewise a patch belongs to the object where it is nearer to pictures of its
            class than of others by more than this quantile over all egocentric patches.
        reach: patches; object patches up to this far from foreign ones are beside them.
        ridge: weight of the penalty on the classifier's weights, a share of the patches.
        stored: patches of a picture that are compared with, drawn evenly.
    """

    novelty: float = 0.97
    cluster: int = 4
    objectness: float = 0.8
    reach: float = 1.5
    ridge: float = 0.02
    stored: int = 96

    def __post_init__(self) -> None:
        for name in ("novelty", "objectness"):
            if not 0 < getattr(self, name) < 1:
                raise ValueError(f"{name} must be between 0 and 1, got {getattr(self, name)}")
        if min(self.reach, self.ridge, self.stored, self.cluster) <= 0:
            raise ValueError(f"reach, ridge, stored and cluster must be above 0, got {self}")


@dataclass
class Bank:
    """Patches of a training set.

    Attributes:
        egocentric: class of object to its pictures, each (n, n, C) float32 of unit length.
        exocentric: class and action to its pictures, likewise.
    """

    egocentric: dict[str, list[Patches]] = field(default_factory=dict)
    exocentric: dict[tuple[str, str], list[Patches]] = field(default_factory=dict)

    def add_egocentric(self, name: str, patches: Patches) -> None:
        """Add a picture of an object."""
        self.egocentric.setdefault(name, []).append(patches)

    def add_exocentric(self, name: str, action: str, patches: Patches) -> None:
        """Add a picture of an action with an object."""
        self.exocentric.setdefault((name, action), []).append(patches)


@dataclass(frozen=True)
class ActionModel:
    """A linear classifier of patches.

    Attributes:
        weights: (C,) float32.
        bias: added to the product.
    """

    weights: NDArray[np.float32]
    bias: float

    def heat(self, patches: Patches) -> Grid:
        """Heat of a picture's patches (n, n, C): (n, n) float32 in [0, 1]."""
        score = patches @ self.weights + self.bias
        low, high = float(score.min()), float(score.max())
        share = (score - low) / (high - low + 1e-9)
        return np.asarray(share**4, np.float32)  # most of a picture is not the part


def learn_actions(bank: Bank, config: TransferConfig) -> Mapping[str, ActionModel]:
    """Learn where actions happen from image-level labels.

    Args:
        bank: of a training set; a class with exocentric pictures and no egocentric ones is
            left out.
        config: how.

    Returns:
        Action to its classifier, where any patch of its pictures was beside something foreign.
    """
    stored = {
        name: np.concatenate([_thinned(one, config.stored) for one in pictures])
        for name, pictures in bank.egocentric.items()
    }
    novel_above, object_above = _thresholds(bank, stored, config)
    inside: dict[str, list[Patches]] = {}
    outside: dict[str, list[Patches]] = {}
    for (name, action), pictures in bank.exocentric.items():
        if name not in stored:
            continue
        for patches in pictures:
            likeness = _likeness(patches, stored)
            foreign = _clusters(_novelty(likeness) > novel_above, config.cluster)
            own = _objectness(likeness, name) > object_above
            beside = _beside(foreign, own, config.reach)
            inside.setdefault(action, []).append(patches[beside])
            far = ~binary_dilation(beside) & ~foreign
            outside.setdefault(action, []).append(patches[far])
    models = {}
    for action, found in inside.items():
        positive, negative = np.concatenate(found), np.concatenate(outside[action])
        if len(positive) >= 8 and len(negative) >= 8:
            models[action] = _classifier(positive, negative, config.ridge)
    return models


def _thinned(patches: Patches, count: int) -> Patches:
    flat = patches.reshape(-1, patches.shape[-1])
    drawn = np.linspace(0, len(flat) - 1, min(count, len(flat))).astype(int)
    return np.asarray(flat[drawn])


def _likeness(patches: Patches, stored: Mapping[str, Patches]) -> dict[str, Grid]:
    """Class to the similarity of its nearest egocentric patch to each patch, (n, n)."""
    return {name: np.max(patches @ other.T, axis=-1) for name, other in stored.items()}


def _novelty(likeness: Mapping[str, Grid]) -> Grid:
    """Distance of patches from everything egocentric, (n, n)."""
    return np.asarray(1 - np.max(list(likeness.values()), axis=0), np.float32)


def _objectness(likeness: Mapping[str, Grid], name: str) -> Grid:
    """How much nearer patches are to pictures of a class than to all others, (n, n)."""
    others = [near for other, near in likeness.items() if other != name]
    rest = np.max(others, axis=0) if others else np.zeros_like(likeness[name])
    return np.asarray(likeness[name] - rest, np.float32)


def _thresholds(
    bank: Bank,
    stored: Mapping[str, Patches],
    config: TransferConfig,
) -> tuple[float, float]:
    """What is foreign and what is object, from one picture of each class against all others."""
    foreign, own = [], []
    for name, pictures in bank.egocentric.items():
        if len(pictures) < 2:
            continue
        rest = np.concatenate([_thinned(one, config.stored) for one in pictures[1:]])
        likeness = _likeness(pictures[0], {**stored, name: rest})
        foreign.append(_novelty(likeness).ravel())
        own.append(_objectness(likeness, name).ravel())
    if not foreign:
        raise ValueError("the bank needs at least two egocentric pictures of some class")
    return (
        float(np.quantile(np.concatenate(foreign), config.novelty)),
        float(np.quantile(np.concatenate(own), config.objectness)),
    )


def _clusters(mask: NDArray[np.bool_], least: int) -> NDArray[np.bool_]:
    """Keep connected pieces of a mask that have at least so many patches."""
    pieces, _ = label(mask)
    return np.asarray((np.bincount(pieces.ravel()) >= least)[pieces] & mask)


def _beside(foreign: NDArray[np.bool_], own: NDArray[np.bool_], reach: float) -> NDArray[np.bool_]:
    if not foreign.any():
        return np.zeros_like(foreign)
    distance = distance_transform_edt(~foreign)
    return np.asarray(own & ~foreign & (distance <= reach))


def _classifier(positive: Patches, negative: Patches, ridge: float) -> ActionModel:
    """Ridge regression to 1 and 0 with both sides weighing the same."""
    values = np.concatenate([positive, negative]).astype(np.float64)
    goal = np.concatenate([np.ones(len(positive)), np.zeros(len(negative))])
    weight = np.concatenate([np.full(len(side), 0.5 / len(side)) for side in (positive, negative)])
    middle = weight @ values
    centred = values - middle
    covariance = (centred * weight[:, None]).T @ centred
    penalty = ridge * np.trace(covariance) / len(covariance) * np.eye(len(covariance))
    target = goal - weight @ goal
    weights = np.linalg.solve(covariance + penalty, (centred * weight[:, None]).T @ target)
    return ActionModel(weights.astype(np.float32), float(weight @ goal - middle @ weights))
