"""From raw maps to heat that means the same in every frame.

A class map has any sign and scale. Scaling it to [0, 1] image by image, as the papers do for
their metrics, makes every image hot somewhere; a robot must be able to see "not here". So heat
is one fixed monotone function of the map, or of its peak (WSAG-PLSP), fitted once, on whether the
action is afforded, and kept in the checkpoint.

Source: "Probabilistic Outputs for Support Vector Machines", Platt, 1999.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray

from affordance_grounding_core.inference.network import KeepsFloat32

_STEPS = 100
_TOLERANCE = 1e-10
_LEAST_SPREAD = 1e-30  # below it, peaks are equal in float32
_ROUNDING = 1e-12  # share of the largest peak: a spread below it is what sums of equal peaks leave
_LEAST_SLOPE = 1e-2  # by standard deviation of the peaks


@dataclass(frozen=True)
class HeatCalibration:
    """Heat as sigmoid(scale * value + offset).

    Attributes:
        scale: above 0, so that what is hotter in the map is hotter in the heat.
        offset: the heat of a map's zero, as a logit.
        fitted_on: what it was fitted on; None for the default, which orders the places of a
            frame rightly and says little about how sure they are.
    """

    scale: float = 1.0
    offset: float = 0.0
    fitted_on: str | None = None

    def __post_init__(self) -> None:
        stored = np.asarray([self.scale, self.offset], np.float64).astype(np.float32)
        if not (np.isfinite(stored).all() and stored[0] > 0):
            raise ValueError(
                "heat needs a finite scale above 0 and a finite offset, both within float32, got "
                f"{self.scale} and {self.offset}"
            )


class CalibratedHeat(KeepsFloat32):
    """Layer that turns raw maps into heat, with the calibration as buffers.

    Args:
        calibration: as fitted.
    """

    scale: torch.Tensor
    offset: torch.Tensor

    def __init__(self, calibration: HeatCalibration) -> None:
        super().__init__()
        self.register_buffer("scale", torch.tensor(calibration.scale, dtype=torch.float32))
        self.register_buffer("offset", torch.tensor(calibration.offset, dtype=torch.float32))

    def forward(self, maps: torch.Tensor) -> torch.Tensor:
        """Turn raw maps of any shape into heat in [0, 1]."""
        return torch.sigmoid(maps * self.scale + self.offset)


def fit_heat_calibration(
    present_peaks: ArrayLike, absent_peaks: ArrayLike, fitted_on: str | None = None
) -> HeatCalibration:
    """Fit heat so that 0.5 parts what is afforded from what is not.

    Logistic regression on the highest value of a map, both kinds of pairs with the same total
    weight, targets drawn in a little as Platt does, so that separable peaks give a finite slope.

    Args:
        present_peaks: highest raw value of the map, for (image, action) pairs whose object
            affords the action.
        absent_peaks: likewise for pairs whose object does not.
        fitted_on: what the pairs are from, for the checkpoint.

    Returns:
        The calibration. Where the absent peaks are the higher ones, the map knows nothing of
        presence: heat then stays near 0.5 and hardly rises.

    Raises:
        ValueError: no pair of one kind, or a value that is not finite.
    """
    present = np.asarray(present_peaks, np.float64).ravel()
    absent = np.asarray(absent_peaks, np.float64).ravel()
    for name, peaks in (("present", present), ("absent", absent)):
        if not peaks.size or not np.isfinite(peaks).all():
            raise ValueError(
                f"heat is fitted on finite peaks of both kinds, got {peaks.size} {name} ones, "
                f"{np.count_nonzero(~np.isfinite(peaks))} of them not finite"
            )
    values = np.concatenate([present, absent])
    centre, spread = float(values.mean()), float(values.std())
    largest = float(np.abs(values).max())
    if spread < max(_LEAST_SPREAD, _ROUNDING * largest):
        spread = max(1.0, largest)
    slope, intercept = _logistic_regression((present - centre) / spread, (absent - centre) / spread)
    scale = slope / spread
    return HeatCalibration(scale, intercept - scale * centre, fitted_on)


def _logistic_regression(
    present: NDArray[np.float64], absent: NDArray[np.float64]
) -> tuple[float, float]:
    """Slope and intercept by Newton's method; Platt's targets keep both finite."""
    values = np.concatenate([present, absent])
    targets = np.concatenate(
        [
            np.full(present.size, (present.size + 1.0) / (present.size + 2.0)),
            np.full(absent.size, 1.0 / (absent.size + 2.0)),
        ]
    )
    weights = np.concatenate(
        [np.full(present.size, 0.5 / present.size), np.full(absent.size, 0.5 / absent.size)]
    )
    design = np.stack([values, np.ones_like(values)], axis=1)
    solution = np.zeros(2)
    loss = _loss(design, solution, targets, weights)
    for _ in range(_STEPS):
        predicted = _sigmoid(design @ solution)
        gradient = design.T @ (weights * (predicted - targets))
        curvature = weights * predicted * (1.0 - predicted)
        hessian = design.T @ (design * curvature[:, None]) + 1e-12 * np.eye(2)
        step = np.linalg.solve(hessian, gradient)
        size = 1.0
        while size > 1e-6 and _loss(design, solution - size * step, targets, weights) > loss:
            size /= 2.0
        solution = solution - size * step
        previous, loss = loss, _loss(design, solution, targets, weights)
        if previous - loss < _TOLERANCE:
            break
    if solution[0] < _LEAST_SLOPE:  # the best slope that rises is the smallest one
        mean_target = float((weights * targets).sum())
        return _LEAST_SLOPE, math.log(mean_target / (1.0 - mean_target))
    return float(solution[0]), float(solution[1])


def _loss(
    design: NDArray[Any], solution: NDArray[Any], targets: NDArray[Any], weights: NDArray[Any]
) -> float:
    logits = design @ solution
    return float((weights * (np.logaddexp(0.0, logits) - targets * logits)).sum())


def _sigmoid(logits: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.asarray(0.5 * (1.0 + np.tanh(0.5 * logits)))
