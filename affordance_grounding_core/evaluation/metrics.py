"""KLD, SIM and NSS as the two published evaluations compute them.

The two differ in where small constants stand, in the standard deviation and in the edge of
the fixation mask, so that numbers of one must not stand beside numbers of the other.
All functions take batches and return one value a map; `locate_scores` and `plsp_scores` answer all
three at once and share what they have in common. Where the published code divides by
zero and answers NaN, the value here is finite and written in the docstring.
"""

from __future__ import annotations

import math
import threading
from collections.abc import Callable
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import ArrayLike, NDArray

LOCATE_EPSILON = 1e-12
PLSP_EPSILON = 1e-10
FIXATION_THRESHOLD = 0.1

Scores = tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]
"""KLD, SIM and NSS, one value a map each."""


def locate_scores(prediction: ArrayLike, ground_truth: ArrayLike) -> Scores:
    """KLD, SIM and NSS of LOCATE's evaluation at once.

    Args:
        prediction: (..., H, W), not negative, of any scale.
        ground_truth: (..., H, W), of the same kind.

    Returns:
        What `locate_kld`, `locate_sim` and `locate_nss` return.

    Raises:
        ValueError: shapes that differ or values that are negative or not finite.
    """
    return _score(prediction, ground_truth, _locate)


def locate_kld(prediction: ArrayLike, ground_truth: ArrayLike) -> NDArray[np.float64]:
    """Kullback-Leibler divergence of the ground truth from a prediction; lower is better.

    Args:
        prediction: (..., H, W), not negative, of any scale.
        ground_truth: (..., H, W), of the same kind.

    Returns:
        (...) float64. An empty ground truth gives 0, as in the published code.

    Raises:
        ValueError: shapes that differ or values that are negative or not finite.
    """
    return _score(prediction, ground_truth, _locate)[0]


def locate_sim(prediction: ArrayLike, ground_truth: ArrayLike) -> NDArray[np.float64]:
    """Histogram intersection of prediction and ground truth; higher is better, at most 1.

    Args:
        prediction: (..., H, W), not negative, of any scale.
        ground_truth: (..., H, W), of the same kind.

    Returns:
        (...) float64. An empty ground truth or prediction gives 0.

    Raises:
        ValueError: shapes that differ or values that are negative or not finite.
    """
    return _score(prediction, ground_truth, _locate)[1]


def locate_nss(prediction: ArrayLike, ground_truth: ArrayLike) -> NDArray[np.float64]:
    """Normalised scanpath saliency: mean z-score where the ground truth is hot.

    Args:
        prediction: (..., H, W), not negative, of any scale.
        ground_truth: (..., H, W), not negative; hot where it exceeds 0.1 after min-max.

    Returns:
        (...) float64, population standard deviation. A constant prediction gives 0 (the
        published code gives NaN): a map without contrast prefers no place. So does a
        constant ground truth.

    Raises:
        ValueError: shapes that differ or values that are negative or not finite.
    """
    return _score(prediction, ground_truth, _locate)[2]


def plsp_scores(prediction: ArrayLike, ground_truth: ArrayLike) -> Scores:
    """KLD, SIM and NSS of WSAG-PLSP's evaluation at once.

    Args:
        prediction: (..., H, W), a distribution: not negative, sum 1.
        ground_truth: (..., H, W), of the same kind.

    Returns:
        What `plsp_kld`, `plsp_sim` and `plsp_nss` return.

    Raises:
        ValueError: shapes that differ or values that are negative or not finite.
    """
    return _score(prediction, ground_truth, _plsp)


def plsp_kld(prediction: ArrayLike, ground_truth: ArrayLike) -> NDArray[np.float64]:
    """Kullback-Leibler divergence of the ground truth from a prediction; lower is better.

    Args:
        prediction: (..., H, W), a distribution: not negative, sum 1.
        ground_truth: (..., H, W), of the same kind.

    Returns:
        (...) float64; cells without ground truth count 0.

    Raises:
        ValueError: shapes that differ or values that are negative or not finite.
    """
    return _score(prediction, ground_truth, _plsp)[0]


def plsp_sim(prediction: ArrayLike, ground_truth: ArrayLike) -> NDArray[np.float64]:
    """Histogram intersection of two distributions; higher is better, at most 1.

    Args:
        prediction: (..., H, W), a distribution: not negative, sum 1.
        ground_truth: (..., H, W), of the same kind.

    Returns:
        (...) float64.

    Raises:
        ValueError: shapes that differ or values that are negative or not finite.
    """
    return _score(prediction, ground_truth, _plsp)[1]


def plsp_nss(prediction: ArrayLike, ground_truth: ArrayLike) -> NDArray[np.float64]:
    """Normalised scanpath saliency: mean z-score where the ground truth is hot.

    Args:
        prediction: (..., H, W), not negative.
        ground_truth: (..., H, W), not negative; hot where it reaches 0.1 after min-max.

    Returns:
        (...) float64, unbiased standard deviation. A constant prediction or a constant
        ground truth gives 0 (the published code gives NaN).

    Raises:
        ValueError: shapes that differ or values that are negative or not finite.
    """
    return _score(prediction, ground_truth, _plsp)[2]


_CANCELLED = 1e-4
"""Share of the mean square below which a variance is computed again from centred values: the
difference of two sums would have lost more than four of its sixteen digits."""

Score = tuple[float, float, float]
"""KLD, SIM and NSS of one map."""


class _Scratch(threading.local):
    """Memory for intermediate results of one thread, kept from call to call.

    Fresh memory of this size comes from the system, which clears it page by page: that took more
    time than the metrics.
    """

    def __init__(self) -> None:
        self._buffers: list[NDArray[np.float64]] = []

    def take(self, number: int, shape: tuple[int, ...]) -> NDArray[np.float64]:
        """Array of some shape, with whatever was left in it.

        Args:
            number: number of the buffer; arrays of one number share their memory.
            shape: shape of the array.
        """
        size = math.prod(shape)
        while len(self._buffers) <= number:
            self._buffers.append(np.empty(2**16))
        if self._buffers[number].size < size:
            self._buffers[number] = np.empty(size)
        return self._buffers[number][:size].reshape(shape)


_scratch = _Scratch()
_PREDICTION, _TRUTH, _WORK, _OTHER = range(4)
"""Numbers of the buffers."""


@dataclass(frozen=True)
class _Maps:
    """A prediction and its ground truth, with what several metrics need of them.

    Most ground truths are zero in most of the image. Outside the box of what is not zero, no term
    of KLD and SIM is anything but zero and no pixel is a fixation: the box alone is read.

    Attributes:
        whole: the prediction, (H, W) float64.
        prediction: what of it lies in the box, (h * w,) float64.
        truth: the ground truth in the box, (h * w,) float64.
        truth_low: lowest value of the whole ground truth.
        truth_high: highest value of the ground truth.
        prediction_sum: sum of the whole prediction.
        truth_sum: sum of the ground truth.
    """

    whole: NDArray[np.float64]
    prediction: NDArray[np.float64]
    truth: NDArray[np.float64]
    truth_low: float
    truth_high: float
    prediction_sum: float
    truth_sum: float

    @classmethod
    def read(cls, predicted: NDArray[np.float64], true: NDArray[np.float64]) -> _Maps:
        """Check maps, (H, W) each; a minimum or sum that is NaN says that a value is."""
        total = _sum(predicted)
        _check_range("prediction", predicted, float(predicted.min()), total)
        low = float(true.min())
        box = _box(true)
        inside, there = true[box], predicted[box]
        if inside.shape != true.shape:  # a zero border
            truth, prediction = (_scratch.take(n, inside.shape) for n in (_TRUTH, _PREDICTION))
            np.copyto(truth, inside)
            np.copyto(prediction, there)
        else:  # nothing to copy
            truth, prediction = true, predicted
        high = float(truth.max(initial=0.0))
        _check_range("ground truth", true, low, high)
        flat = truth.reshape(-1)
        return cls(predicted, prediction.reshape(-1), flat, low, high, total, _sum(flat))


def _score(
    prediction: ArrayLike, ground_truth: ArrayLike, metrics: Callable[[_Maps], Score]
) -> Scores:
    """Score the maps of a batch in turn, (...) float64 for each of the three metrics.

    One map stays in the processor's cache from one step to the next; several do not.
    """
    predicted = np.asarray(prediction, np.float64)
    true = np.asarray(ground_truth, np.float64)
    if predicted.shape != true.shape or predicted.ndim < 2 or predicted.size == 0:
        raise ValueError(
            f"prediction and ground truth must have one shape (..., H, W) with at least one "
            f"pixel, got {predicted.shape} and {true.shape}"
        )
    batch, sides = predicted.shape[:-2], predicted.shape[-2:]
    predicted, true = (np.ascontiguousarray(maps).reshape(-1, *sides) for maps in (predicted, true))
    scores = np.array([metrics(_Maps.read(*pair)) for pair in zip(predicted, true, strict=True)])
    kld, sim, nss = (column.reshape(batch) for column in scores.T)
    return kld, sim, nss


def _check_range(name: str, values: NDArray[np.float64], low: float, bound: float) -> None:
    """Refuse values that are negative or not finite.

    Args:
        name: name of the map, for the message.
        values: (H, W).
        low: minimum, NaN where a value is.
        bound: maximum, or sum of values that are not negative: finite where all values are.
    """
    if not (low >= 0 and bound < np.inf):
        raise ValueError(
            f"{name} must be finite and not negative, got values from {values.min()} to "
            f"{values.max()}"
        )


def _box(true: NDArray[np.float64]) -> tuple[slice, slice]:
    """Rows and columns of the smallest box that holds what is not zero."""
    x, y, width, height = cv2.boundingRect((true > 0.0).view(np.uint8))
    return slice(y, y + height), slice(x, x + width)


def _locate(maps: _Maps) -> Score:
    """LOCATE's metrics; with the shares p and g, KLD is the sum of g log(g / (p + e) + e).

    The prediction is scaled to the ground truth's sum, so that no map is divided by its own:
    with p = x / (P + e), g = t / (G + e) and s = (G + e) p, KLD is the sum of
    t log(t / (s + e (G + e)) + e) / (G + e), and SIM the sum of min(s, t) / (G + e).
    """
    total = maps.truth_sum + LOCATE_EPSILON
    scaled = _scratch.take(_WORK, maps.truth.shape)
    np.multiply(maps.prediction, total / (maps.prediction_sum + LOCATE_EPSILON), out=scaled)
    smaller = _scratch.take(_OTHER, maps.truth.shape)
    sim = _sum(np.minimum(scaled, maps.truth, out=smaller)) / total
    scaled += LOCATE_EPSILON * total
    ratio = np.divide(maps.truth, scaled, out=scaled)
    ratio += LOCATE_EPSILON
    kld = _dot(maps.truth, np.log(ratio, out=ratio)) / total
    return kld, sim, _locate_nss(maps)


def _locate_nss(maps: _Maps) -> float:
    low, high = maps.truth_low, maps.truth_high
    # Both maps are pictures of 0..255 to the published code; the scale matters to its epsilon.
    level = low + FIXATION_THRESHOLD * (high - low + 255.0 * LOCATE_EPSILON)
    count, score = _fixations(maps, maps.truth > level, degrees_of_freedom=0)
    return score / (count + maps.whole.size * LOCATE_EPSILON)


def _plsp(maps: _Maps) -> Score:
    return _plsp_kld(maps), _plsp_sim(maps), _plsp_nss(maps)


def _plsp_kld(maps: _Maps) -> float:
    ratio = _scratch.take(_WORK, maps.truth.shape)
    np.add(maps.prediction, PLSP_EPSILON, out=ratio)
    np.divide(maps.truth, ratio, out=ratio)
    ratio += np.finfo(np.float64).tiny  # cells without ground truth: 0 times a finite number
    np.log(ratio, out=ratio)
    return _dot(maps.truth, ratio)


def _plsp_sim(maps: _Maps) -> float:
    smaller = _scratch.take(_WORK, maps.truth.shape)
    return _sum(np.minimum(maps.prediction, maps.truth, out=smaller))


def _plsp_nss(maps: _Maps) -> float:
    low, high = maps.truth_low, maps.truth_high
    # As the published code scales: the level times the spread could round to the other side.
    scaled = np.subtract(maps.truth, low, out=_scratch.take(_WORK, maps.truth.shape))
    scaled /= high - low if high > low else 1.0
    count, score = _fixations(maps, scaled >= FIXATION_THRESHOLD, degrees_of_freedom=1)
    return score / max(count, 1)


def _fixations(maps: _Maps, hot: NDArray[np.bool_], degrees_of_freedom: int) -> tuple[int, float]:
    """Count the hot pixels, and add up the prediction's z-scores there.

    Args:
        maps: maps that are scored.
        hot: (h * w,), which pixels of the box are hot.
        degrees_of_freedom: number of degrees of freedom that the deviation loses.
    """
    size = maps.whole.size
    mean = maps.prediction_sum / size
    weights = _scratch.take(_WORK, hot.shape)
    np.copyto(weights, hot)
    count, above = int(np.count_nonzero(hot)), _dot(maps.prediction, weights)
    squares = _squares(maps.whole, mean)
    if squares <= 0:
        return count, 0.0
    deviation = math.sqrt(squares / max(1, size - degrees_of_freedom))
    return count, (above - count * mean) / deviation


def _squares(values: NDArray[np.float64], mean: float) -> float:
    """Sum of squared differences from the mean; exactly 0 for a constant map."""
    total = float(cv2.norm(values, cv2.NORM_L2SQR))
    squares = total - values.size * mean**2
    if squares > _CANCELLED * total:
        return squares
    # Rounding leaves a constant map a deviation near 1e-17 rather than 0.
    if values.min() == values.max():
        return 0.0
    return float(cv2.norm(values - mean, cv2.NORM_L2SQR))


def _dot(first: NDArray[np.float64], second: NDArray[np.float64]) -> float:
    """Sum of a product of vectors, by BLAS."""
    return float(first @ second)


def _sum(values: NDArray[np.float64]) -> float:
    """Sum of values that are not negative, which OpenCV adds up in half of the time of NumPy."""
    return float(cv2.norm(values, cv2.NORM_L1)) if values.size else 0.0
