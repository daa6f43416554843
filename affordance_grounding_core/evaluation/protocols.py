"""The two published evaluation protocols: preparation of maps, and their metrics."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from affordance_grounding_core.evaluation import metrics

PROTOCOL_SIZE = 224
"""Side in px of the maps that both protocols compare."""


@dataclass(frozen=True)
class MapScore:
    """How well one map meets its ground truth.

    Attributes:
        kld: Kullback-Leibler divergence, lower is better.
        sim: histogram intersection, at most 1, higher is better.
        nss: normalised scanpath saliency, higher is better.
    """

    kld: float
    sim: float
    nss: float


class EvaluationProtocol(ABC):
    """Prepares maps and scores them; numbers of different protocols are not comparable.

    Args:
        size: side in px of the maps that are compared; the published one by default.
    """

    name: str
    """By which it is chosen and reported."""

    def __init__(self, size: int = PROTOCOL_SIZE) -> None:
        self.size = size

    @abstractmethod
    def prepare_prediction(self, heat: NDArray[np.float32]) -> NDArray[np.float64]:
        """Bring heat of any resolution to the map that is scored.

        Args:
            heat: (h, w) float32, not negative: a grounder's heatmap or a coarser grid.

        Returns:
            (size, size) float64.
        """

    @abstractmethod
    def prepare_raw_map(self, raw: NDArray[np.float32]) -> NDArray[np.float64]:
        """Bring a network's raw map to the map that is scored, as the published code does.

        Args:
            raw: (h, w) float32 of any sign and scale, usually coarse.

        Returns:
            (size, size) float64.
        """

    @abstractmethod
    def prepare_ground_truth(self, ground_truth: NDArray[np.float32]) -> NDArray[np.float64]:
        """Bring a ground truth to the map it is scored against.

        Args:
            ground_truth: (h, w) float32 in [0, 1]: the grey picture / 255.

        Returns:
            (size, size) float64.
        """

    @abstractmethod
    def score(self, prediction: NDArray[np.float64], ground_truth: NDArray[np.float64]) -> MapScore:
        """Compare one prepared prediction with one prepared ground truth."""


class LocateProtocol(EvaluationProtocol):
    """Protocol of LOCATE, SelectiveCL and their kin.

    The prediction is resized bilinearly to 224 x 224 and min-maxed; the ground truth is only
    resized.
    """

    name = "locate"

    def prepare_prediction(self, heat: NDArray[np.float32]) -> NDArray[np.float64]:
        """Resize and min-max; a constant map becomes zero."""
        resized = _resize(heat, self.size)
        low, high = float(resized.min()), float(resized.max())
        prepared = np.subtract(resized, low, dtype=np.float64)
        prepared /= high - low + 1e-10
        return prepared

    def prepare_raw_map(self, raw: NDArray[np.float32]) -> NDArray[np.float64]:
        """Resize and min-max, as heat."""
        return self.prepare_prediction(raw)

    def prepare_ground_truth(self, ground_truth: NDArray[np.float32]) -> NDArray[np.float64]:
        """Resize."""
        return resize_map(ground_truth, self.size)

    def score(self, prediction: NDArray[np.float64], ground_truth: NDArray[np.float64]) -> MapScore:
        """Compare one prepared prediction with one prepared ground truth."""
        return MapScore(*map(float, metrics.locate_scores(prediction, ground_truth)))


class PlspProtocol(EvaluationProtocol):
    """Protocol of WSAG-PLSP, which compares distributions over the pixels.

    The published code takes the softmax of the network's logits. A grounder answers with
    heat in [0, 1] instead, so its logits are taken to be log(heat), whose softmax is heat / sum:
    the share of the heat that lies in a pixel. This neither sharpens nor flattens the map, and
    a constant factor on the heat changes nothing.
    """

    name = "plsp"

    def prepare_prediction(self, heat: NDArray[np.float32]) -> NDArray[np.float64]:
        """Resize and divide by the sum; a map without heat becomes uniform."""
        return _distribution(resize_map(heat, self.size))

    def prepare_raw_map(self, raw: NDArray[np.float32]) -> NDArray[np.float64]:
        """Resize and take the softmax over the pixels."""
        logits = resize_map(raw, self.size)
        return _distribution(np.exp(logits - logits.max()))

    def prepare_ground_truth(self, ground_truth: NDArray[np.float32]) -> NDArray[np.float64]:
        """Resize and divide by the sum; an all-zero ground truth becomes uniform."""
        return _distribution(resize_map(ground_truth, self.size))

    def score(self, prediction: NDArray[np.float64], ground_truth: NDArray[np.float64]) -> MapScore:
        """Compare one prepared prediction with one prepared ground truth."""
        return MapScore(*map(float, metrics.plsp_scores(prediction, ground_truth)))


PROTOCOLS: dict[str, EvaluationProtocol] = {
    protocol.name: protocol for protocol in (LocateProtocol(), PlspProtocol())
}
"""The protocols by name."""


def resize_map(values: NDArray[np.float32], size: int = PROTOCOL_SIZE) -> NDArray[np.float64]:
    """Resize a map bilinearly, as OpenCV does, to the size of the protocols.

    Args:
        values: (h, w) float32, at least one pixel.
        size: side of the result in px.

    Returns:
        (size, size) float64.
    """
    return np.asarray(_resize(values, size), np.float64)


def _resize(values: NDArray[np.float32], size: int) -> NDArray[np.float32]:
    resized = cv2.resize(
        np.asarray(values, np.float32), (size, size), interpolation=cv2.INTER_LINEAR
    )
    return np.asarray(resized)


def _distribution(values: NDArray[np.float64]) -> NDArray[np.float64]:
    total = values.sum()
    return values / total if total > 0 else np.full(values.shape, 1.0 / values.size)
