"""Computes the heat of a taught action: a patch is compared with part and background.

The likeness of a patch to a set of prototypes is the soft maximum of its cosines to them. The
contrast is the likeness to the part less the likeness to the rest: the rest of the exemplars'
pictures and generic background. Heat is one fixed rising function of the contrast, the same for
every frame.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from affordance_grounding_core.teaching.exemplars import Exemplar


@dataclass(frozen=True)
class PrototypeConfig:
    """How likeness becomes heat.

    Boundaries and slopes were chosen on rendered training pictures that were no exemplars: about
    one in ten objects that do not afford an action is called found. See docs/use/teach.md.

    Attributes:
        temperature: temperature of the soft maximum over prototypes, in units of the cosine;
            towards 0 the most similar prototype alone decides.
        generic_share: weight of the generic background against the exemplars' own, in [0, 1].
        single_boundary: contrast at which the heat reaches the threshold of the model, where
            there is one exemplar to go by.
        single_slope: slope of the heat, in logits by contrast, there.
        boundary: the same boundary where exemplars can be looked at with the eyes of the others:
            this much, and
        boundary_share: this share of the contrast that the others find in an exemplar's part.
        slope: slope of the heat, in logits by contrast, there.
        smoothing: standard deviation of the Gaussian over the heat, in patches. The peak keeps
            its height, or small parts would be lost.
    """

    temperature: float = 0.07
    generic_share: float = 0.5
    single_boundary: float = 0.245
    single_slope: float = 15.0
    boundary: float = 0.155
    boundary_share: float = 0.35
    slope: float = 28.0
    smoothing: float = 0.8

    def __post_init__(self) -> None:
        for name in ("temperature", "single_slope", "slope"):
            if not getattr(self, name) > 0.0:
                raise ValueError(f"{name} must be above 0, got {getattr(self, name)}")
        if not 0.0 <= self.generic_share <= 1.0:
            raise ValueError(f"generic_share must lie in [0, 1], got {self.generic_share}")
        if self.smoothing < 0.0:
            raise ValueError(f"smoothing must not be negative, got {self.smoothing}")


@dataclass(frozen=True)
class Prototypes:
    """Unit features and how much each counts.

    Attributes:
        features: (n, C) float32.
        weights: (n,) float32 above 0, of sum 1.
    """

    features: NDArray[np.float32]
    weights: NDArray[np.float32]

    def likeness(self, patches: NDArray[np.float32], temperature: float) -> NDArray[np.float32]:
        """Soft maximum of the cosines to the prototypes.

        Args:
            patches: (..., C) float32 unit features.
            temperature: see `PrototypeConfig`.

        Returns:
            (...) float32, between the weighted mean and the maximum of the cosines.
        """
        cosines = patches @ self.features.T
        highest = cosines.max(axis=-1, keepdims=True)
        raised = np.exp((cosines - highest) / temperature) @ self.weights
        return np.asarray(temperature * np.log(raised) + highest[..., 0], np.float32)


class TaughtScorer:
    """Scores patches for one taught action.

    Args:
        exemplars: exemplars of the action, at least one.
        generic: background that is not of the exemplars' pictures; None where there is none.
        threshold: threshold of the model, in (0, 1): the heat at the boundary.
        config: options.
    """

    def __init__(
        self,
        exemplars: Sequence[Exemplar],
        generic: Prototypes | None,
        threshold: float,
        config: PrototypeConfig | None = None,
    ) -> None:
        self.config = config or PrototypeConfig()
        self._contrast = Contrast(exemplars, generic, self.config)
        self._offset = math.log(threshold / (1.0 - threshold))
        self._boundary, self._slope = self.config.single_boundary, self.config.single_slope
        if len(exemplars) > 1:
            part = held_out_contrast(exemplars, generic, self.config)
            self._boundary = self.config.boundary + self.config.boundary_share * part
            self._slope = self.config.slope

    def heat(self, features: NDArray[np.float32]) -> NDArray[np.float32]:
        """Heat of a picture.

        Args:
            features: (rows, columns, C) float32 unit features of its patches.

        Returns:
            (rows, columns) float32 in [0, 1].
        """
        logits = self._slope * (self._contrast(features) - self._boundary) + self._offset
        heat = np.asarray(0.5 * (1.0 + np.tanh(0.5 * logits)), np.float32)
        if self.config.smoothing == 0.0:
            return heat
        smooth = cv2.GaussianBlur(
            heat, (0, 0), self.config.smoothing, borderType=cv2.BORDER_REPLICATE
        )
        return np.asarray(smooth * (heat.max() / max(float(smooth.max()), 1e-12)), np.float32)


class Contrast:
    """How much more patches are like the part than like the rest.

    Args:
        exemplars: exemplars of the action, at least one.
        generic: see `TaughtScorer`.
        config: see `TaughtScorer`.
    """

    def __init__(
        self, exemplars: Sequence[Exemplar], generic: Prototypes | None, config: PrototypeConfig
    ) -> None:
        self._temperature = config.temperature
        self._part = _part(exemplars)
        self._rest = _rest(exemplars, generic, config.generic_share)

    def __call__(self, features: NDArray[np.float32]) -> NDArray[np.float32]:
        """Compute contrast.

        Args:
            features: (..., C) float32 unit features.

        Returns:
            (...) float32, in [-2, 2].
        """
        part = self._part.likeness(features, self._temperature)
        return part - self._rest.likeness(features, self._temperature)


def held_out_contrast(
    exemplars: Sequence[Exemplar], generic: Prototypes | None, config: PrototypeConfig
) -> float:
    """How well exemplars know each other: what a new picture will meet.

    Args:
        exemplars: at least two.
        generic: see `TaughtScorer`.
        config: see `TaughtScorer`.

    Returns:
        Contrast that the others find in the part of an exemplar: the median over its patches,
        the mean over exemplars.
    """
    found = []
    for index, exemplar in enumerate(exemplars):
        others = Contrast([*exemplars[:index], *exemplars[index + 1 :]], generic, config)
        found.append(float(np.median(others(exemplar.foreground.astype(np.float32)))))
    return sum(found) / len(found)


def _part(exemplars: Sequence[Exemplar]) -> Prototypes:
    features = np.concatenate([one.foreground.astype(np.float32) for one in exemplars])
    weights = np.concatenate([one.coverage.astype(np.float32) for one in exemplars])
    return Prototypes(features, weights / weights.sum())


def _rest(
    exemplars: Sequence[Exemplar], generic: Prototypes | None, generic_share: float
) -> Prototypes:
    features: list[NDArray[np.float32]] = [one.background.astype(np.float32) for one in exemplars]
    shares: list[NDArray[np.floating[Any]]] = [
        one.share.astype(np.float32) / len(exemplars) for one in exemplars
    ]
    if generic is not None and generic_share > 0.0:
        shares = [(1.0 - generic_share) * share for share in shares]
        features.append(generic.features)
        shares.append(generic_share * generic.weights)
    weights = np.concatenate(shares)
    return Prototypes(np.concatenate(features), (weights / weights.sum()).astype(np.float32))
