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
from functools import lru_cache

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


_PIECE = 2**16
"""Pixels that are scored at once: more than one 224 x 224 px map, and little enough to stay in
the processor's cache from one step to the next."""

_CANCELLED = 1e-4
"""Share of the mean square below which a variance is computed again from centred values: the
difference of two sums would have lost more than four of its sixteen digits."""


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
            self._buffers.append(np.empty(_PIECE))
        if self._buffers[number].size < size:
            self._buffers[number] = np.empty(size)
        return self._buffers[number][:size].reshape(shape)


_scratch = _Scratch()
_PREDICTION, _TRUTH, _WORK, _OTHER = range(4)
"""Numbers of the buffers."""


@dataclass(frozen=True)
class _Maps:
    """A few predictions and their ground truths, with what several metrics need of them.

    Most ground truths are zero in most of the image. Outside the box of what is not zero, no term
    of KLD and SIM is anything but zero and no pixel is a fixation: the box alone is read.

    Attributes:
        whole: all of the predictions, (N, H * W) float64.
        prediction: what of them lies in the box, (N, h * w) float64.
        truth: the ground truths in the box, (N, h * w) float64.
        truth_low: lowest value of each whole ground truth, (N,).
        truth_high: highest value of each ground truth, (N,).
        prediction_sum: sum of each whole prediction, (N,).
        truth_sum: sum of each ground truth, (N,).
    """

    whole: NDArray[np.float64]
    prediction: NDArray[np.float64]
    truth: NDArray[np.float64]
    truth_low: NDArray[np.float64]
    truth_high: NDArray[np.float64]
    prediction_sum: NDArray[np.float64]
    truth_sum: NDArray[np.float64]

    @classmethod
    def read(cls, predicted: NDArray[np.float64], true: NDArray[np.float64]) -> _Maps:
        """Check maps, (N, H, W) each; a minimum or sum that is NaN says that a value is."""
        whole = _flat(predicted)
        total = _sum(whole)
        _check_range("prediction", whole, whole.min(axis=-1), total)
        flat = _flat(true)
        low = flat.min(axis=-1)
        box = (slice(None), *_box(true))
        inside, there = true[box], predicted[box]
        if inside.shape == true.shape:  # no zero border: nothing to copy
            truth, prediction = flat, whole
        else:
            truth, prediction = (_scratch.take(n, inside.shape) for n in (_TRUTH, _PREDICTION))
            np.copyto(truth, inside)
            np.copyto(prediction, there)
            truth, prediction = _flat(truth), _flat(prediction)
        high = truth.max(axis=-1, initial=0.0)
        _check_range("ground truth", flat, low, high)
        return cls(whole, prediction, truth, low, high, total, _sum(truth))


def _score(
    prediction: ArrayLike, ground_truth: ArrayLike, metrics: Callable[[_Maps], Scores]
) -> Scores:
    """Score a batch in pieces, (...) float64 for each of the three metrics."""
    predicted = np.asarray(prediction, np.float64)
    true = np.asarray(ground_truth, np.float64)
    if predicted.shape != true.shape or predicted.ndim < 2 or predicted.size == 0:
        raise ValueError(
            f"prediction and ground truth must have one shape (..., H, W) with at least one "
            f"pixel, got {predicted.shape} and {true.shape}"
        )
    batch, sides = predicted.shape[:-2], predicted.shape[-2:]
    predicted, true = (np.ascontiguousarray(maps).reshape(-1, *sides) for maps in (predicted, true))
    kld, sim, nss = np.empty((3, len(true)))
    count = max(1, _PIECE // math.prod(sides))
    for begin in range(0, len(true), count):
        piece = slice(begin, begin + count)
        kld[piece], sim[piece], nss[piece] = metrics(_Maps.read(predicted[piece], true[piece]))
    return kld.reshape(batch), sim.reshape(batch), nss.reshape(batch)


def _check_range(
    name: str, values: NDArray[np.float64], low: NDArray[np.float64], bound: NDArray[np.float64]
) -> None:
    """Refuse values that are negative or not finite.

    Args:
        name: name of the maps, for the message.
        values: (N, P).
        low: (N,) minima, NaN where a value is.
        bound: (N,) maxima or sums of values that are not negative: finite where all values are.
    """
    if not (np.all(low >= 0) and np.all(bound < np.inf)):
        raise ValueError(
            f"{name} must be finite and not negative, got values from {values.min()} to "
            f"{values.max()}"
        )


def _flat(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Join the last two axes."""
    return values.reshape(*values.shape[:-2], values.shape[-2] * values.shape[-1])


def _box(true: NDArray[np.float64]) -> tuple[slice, slice]:
    """Rows and columns of the smallest box that holds what is not zero in any of the maps."""
    places = true[0] > 0.0 if len(true) == 1 else (true > 0.0).any(axis=0)
    x, y, width, height = cv2.boundingRect(np.asarray(places, np.uint8))
    return slice(y, y + height), slice(x, x + width)


def _locate(maps: _Maps) -> Scores:
    """LOCATE's metrics; with the shares p and g, KLD is the sum of g log(g / (p + e) + e).

    The prediction is scaled to the ground truth's sum, so that no map is divided by its own:
    with p = x / (P + e), g = t / (G + e) and s = (G + e) p, KLD is the sum of
    t log(t / (s + e (G + e)) + e) / (G + e), and SIM the sum of min(s, t) / (G + e).
    """
    total = maps.truth_sum + LOCATE_EPSILON
    scaled = _scratch.take(_WORK, maps.truth.shape)
    factor = total / (maps.prediction_sum + LOCATE_EPSILON)
    np.multiply(maps.prediction, factor[:, None], out=scaled)
    smaller = _scratch.take(_OTHER, maps.truth.shape)
    sim = _sum(np.minimum(scaled, maps.truth, out=smaller)) / total
    scaled += (LOCATE_EPSILON * total)[:, None]
    ratio = np.divide(maps.truth, scaled, out=scaled)
    ratio += LOCATE_EPSILON
    kld = _dot(maps.truth, np.log(ratio, out=ratio)) / total
    return kld, np.asarray(sim), _locate_nss(maps)


def _locate_nss(maps: _Maps) -> NDArray[np.float64]:
    low, high = maps.truth_low, maps.truth_high
    # Both maps are pictures of 0..255 to the published code; the scale matters to its epsilon.
    level = low + FIXATION_THRESHOLD * (high - low + 255.0 * LOCATE_EPSILON)
    count, score = _fixations(maps, maps.truth > level[:, None], degrees_of_freedom=0)
    return np.asarray(score / (count + maps.whole.shape[-1] * LOCATE_EPSILON))


def _plsp(maps: _Maps) -> Scores:
    return _plsp_kld(maps), _plsp_sim(maps), _plsp_nss(maps)


def _plsp_kld(maps: _Maps) -> NDArray[np.float64]:
    ratio = _scratch.take(_WORK, maps.truth.shape)
    np.add(maps.prediction, PLSP_EPSILON, out=ratio)
    np.divide(maps.truth, ratio, out=ratio)
    ratio += np.finfo(np.float64).tiny  # cells without ground truth: 0 times a finite number
    np.log(ratio, out=ratio)
    return _dot(maps.truth, ratio)


def _plsp_sim(maps: _Maps) -> NDArray[np.float64]:
    smaller = _scratch.take(_WORK, maps.truth.shape)
    return _sum(np.minimum(maps.prediction, maps.truth, out=smaller))


def _plsp_nss(maps: _Maps) -> NDArray[np.float64]:
    low, high = maps.truth_low[:, None], maps.truth_high[:, None]
    # As the published code scales: the level times the spread could round to the other side.
    scaled = np.subtract(maps.truth, low, out=_scratch.take(_WORK, maps.truth.shape))
    scaled /= np.where(high > low, high - low, 1.0)
    count, score = _fixations(maps, scaled >= FIXATION_THRESHOLD, degrees_of_freedom=1)
    return np.asarray(score / np.maximum(count, 1.0))


def _fixations(
    maps: _Maps, hot: NDArray[np.bool_], degrees_of_freedom: int
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Count the hot pixels, and add up the prediction's z-scores there, each (N,).

    Args:
        maps: maps that are scored.
        hot: (N, h * w), which pixels of the box are hot.
        degrees_of_freedom: number of degrees of freedom that the deviation loses.
    """
    size = maps.whole.shape[-1]
    mean = maps.prediction_sum / size
    weights = _scratch.take(_WORK, hot.shape)
    np.copyto(weights, hot)
    count, above = _sum(weights), _dot(maps.prediction, weights)
    squares = _squares(maps.whole, mean)
    deviation = np.sqrt(squares / max(1, size - degrees_of_freedom))
    scores = np.divide(
        above - count * mean, deviation, out=np.zeros_like(deviation), where=squares > 0
    )
    return count, scores


def _squares(values: NDArray[np.float64], mean: NDArray[np.float64]) -> NDArray[np.float64]:
    """Sum of squared differences from the mean, (N,); exactly 0 for a constant map."""
    total = _dot(values, values)
    squares = total - values.shape[-1] * mean**2
    for place in np.flatnonzero(~(squares > _CANCELLED * total)):
        one = values[place]
        # Rounding leaves a constant map a deviation near 1e-17 rather than 0.
        is_constant = one.min() == one.max()
        centred = one - mean[place]
        squares[place] = 0.0 if is_constant else centred @ centred
    return np.asarray(squares)


def _dot(first: NDArray[np.float64], second: NDArray[np.float64]) -> NDArray[np.float64]:
    """Sum of a product over the last axis, by BLAS."""
    return np.asarray(np.matmul(first[..., None, :], second[..., :, None])[..., 0, 0])


def _sum(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Sum over the last axis, by BLAS, which takes half of the time of `values.sum`."""
    return np.asarray(np.matmul(values, _ones(values.shape[-1])))


@lru_cache(maxsize=4)
def _ones(size: int) -> NDArray[np.float64]:
    ones = np.ones(size)
    ones.flags.writeable = False
    return ones
