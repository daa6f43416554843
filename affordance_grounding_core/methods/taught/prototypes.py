"""Heat of a taught action: how much more a patch is like the part than like anything else.

The likeness of a patch to a set of prototypes is the soft maximum of its cosines to them. The
contrast is the likeness to the part less the likeness to the rest: the rest of the exemplars'
pictures and generic background. Heat is one fixed monotone function of the contrast, set by how
far the part and its surroundings lie apart, so that it means the same in every frame.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from affordance_grounding_core.methods.taught.exemplars import Exemplar


@dataclass(frozen=True)
class PrototypeConfig:
    """How likeness becomes heat. The defaults were chosen on training pictures alone.

    Attributes:
        temperature: of the soft maximum over prototypes, in units of the cosine; towards 0 the
            most similar prototype alone decides.
        generic_share: weight of the generic background against the exemplars' own, in [0, 1].
        steepness: of the heat, in logits over the distance from surroundings to part.
        boundary: where on the way from the surroundings (0) to the part (1) the heat reaches the
            threshold of the model.
        surroundings: quantile of the background's contrast that stands for the surroundings.
        smoothing: standard deviation of the Gaussian over the heat, in patches.
    """

    temperature: float = 0.1
    generic_share: float = 0.5
    steepness: float = 6.0
    boundary: float = 0.75
    surroundings: float = 0.95
    smoothing: float = 0.8

    def __post_init__(self) -> None:
        for name in ("temperature", "steepness"):
            if not getattr(self, name) > 0.0:
                raise ValueError(f"{name} must be above 0, got {getattr(self, name)}")
        for name in ("generic_share", "surroundings"):
            if not 0.0 <= getattr(self, name) <= 1.0:
                raise ValueError(f"{name} must lie in [0, 1], got {getattr(self, name)}")
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
        exemplars: of the action, at least one.
        generic: background that is not of the exemplars' pictures; None where there is none.
        threshold: of the model, in (0, 1): the heat at the boundary.
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
        self._part = _part(exemplars)
        self._rest = _rest(exemplars, generic, self.config.generic_share)
        part, rest = self._levels(exemplars, generic)
        # Where the part looks like its surroundings, the heat must not become a step.
        distance = max(part - rest, 0.05)
        self._scale = self.config.steepness / distance
        self._middle = rest + self.config.boundary * (part - rest)
        self._offset = math.log(threshold / (1.0 - threshold))

    def contrast(self, patches: NDArray[np.float32]) -> NDArray[np.float32]:
        """How much more patches are like the part than like the rest.

        Args:
            patches: (..., C) float32 unit features.

        Returns:
            (...) float32, in [-2, 2].
        """
        temperature = self.config.temperature
        return self._part.likeness(patches, temperature) - self._rest.likeness(patches, temperature)

    def heat(self, patches: NDArray[np.float32]) -> NDArray[np.float32]:
        """Heat of the patches of a picture, before smoothing.

        Args:
            patches: (..., C) float32 unit features.

        Returns:
            (...) float32 in [0, 1].
        """
        logits = self._scale * (self.contrast(patches) - self._middle) + self._offset
        return np.asarray(0.5 * (1.0 + np.tanh(0.5 * logits)), np.float32)

    def _levels(
        self, exemplars: Sequence[Exemplar], generic: Prototypes | None
    ) -> tuple[float, float]:
        """Contrast of the part and of its surroundings.

        With two exemplars or more each is looked at with the eyes of the others, which is what a
        new picture will meet.
        """
        parts: list[float] = []
        rests: list[float] = []
        for index, exemplar in enumerate(exemplars):
            others = [*exemplars[:index], *exemplars[index + 1 :]]
            scorer = self if not others else _Unscaled(others, generic, self.config)
            part = scorer.contrast(exemplar.foreground.astype(np.float32))
            rest = scorer.contrast(exemplar.background.astype(np.float32))
            parts.append(float(np.median(part)))
            rests.append(_quantile(rest, exemplar.share, self.config.surroundings))
        return sum(parts) / len(parts), sum(rests) / len(rests)


class _Unscaled(TaughtScorer):
    """A scorer that is asked for contrast only."""

    def __init__(
        self, exemplars: Sequence[Exemplar], generic: Prototypes | None, config: PrototypeConfig
    ) -> None:
        self.config = config
        self._part = _part(exemplars)
        self._rest = _rest(exemplars, generic, config.generic_share)


def _part(exemplars: Sequence[Exemplar]) -> Prototypes:
    features = np.concatenate([one.foreground.astype(np.float32) for one in exemplars])
    weights = np.concatenate([one.coverage.astype(np.float32) for one in exemplars])
    return Prototypes(features, weights / weights.sum())


def _rest(
    exemplars: Sequence[Exemplar], generic: Prototypes | None, generic_share: float
) -> Prototypes:
    features = [one.background.astype(np.float32) for one in exemplars]
    shares = [one.share.astype(np.float32) / len(exemplars) for one in exemplars]
    if generic is not None and generic_share > 0.0:
        shares = [(1.0 - generic_share) * share for share in shares]
        features.append(generic.features)
        shares.append(generic_share * generic.weights)
    weights = np.concatenate(shares)
    return Prototypes(np.concatenate(features), weights / weights.sum())


def _quantile(values: NDArray[np.float32], weights: NDArray[np.float16], share: float) -> float:
    order = np.argsort(values, kind="stable")
    running = np.cumsum(weights[order].astype(np.float64))
    index = int(np.searchsorted(running, share * running[-1]))
    return float(values[order][min(index, len(values) - 1)])
