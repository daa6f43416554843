"""KLD, SIM and NSS as the two published evaluations compute them.

The two differ in where small constants stand, in the standard deviation and in the edge of
the fixation mask, so that numbers of one must not stand beside numbers of the other.
All functions take batches and return one value a map; `locate_scores` and `plsp_scores` answer all
three at once and share what they have in common. Where the published code divides by
zero and answers NaN, the value here is finite and written in the docstring.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

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
        ground_truth: (..., H, W), likewise.

    Returns:
        What `locate_kld`, `locate_sim` and `locate_nss` return.

    Raises:
        ValueError: shapes that differ or values that are negative or not finite.
    """
    maps = _Maps.read(prediction, ground_truth)
    return _locate_kld(maps), _locate_sim(maps), _locate_nss(maps)


def locate_kld(prediction: ArrayLike, ground_truth: ArrayLike) -> NDArray[np.float64]:
    """Kullback-Leibler divergence of the ground truth from a prediction; lower is better.

    Args:
        prediction: (..., H, W), not negative, of any scale.
        ground_truth: (..., H, W), likewise.

    Returns:
        (...) float64. An empty ground truth gives 0, as in the published code.

    Raises:
        ValueError: shapes that differ or values that are negative or not finite.
    """
    return _locate_kld(_Maps.read(prediction, ground_truth))


def locate_sim(prediction: ArrayLike, ground_truth: ArrayLike) -> NDArray[np.float64]:
    """Histogram intersection of prediction and ground truth; higher is better, at most 1.

    Args:
        prediction: (..., H, W), not negative, of any scale.
        ground_truth: (..., H, W), likewise.

    Returns:
        (...) float64. An empty ground truth or prediction gives 0.

    Raises:
        ValueError: shapes that differ or values that are negative or not finite.
    """
    return _locate_sim(_Maps.read(prediction, ground_truth))


def locate_nss(prediction: ArrayLike, ground_truth: ArrayLike) -> NDArray[np.float64]:
    """Normalised scanpath saliency: mean z-score where the ground truth is hot.

    Args:
        prediction: (..., H, W), not negative, of any scale.
        ground_truth: (..., H, W), likewise; hot where it exceeds 0.1 after min-max.

    Returns:
        (...) float64, population standard deviation. A constant prediction gives 0 (the
        published code gives NaN): a map without contrast prefers no place. So does a
        constant ground truth.

    Raises:
        ValueError: shapes that differ or values that are negative or not finite.
    """
    return _locate_nss(_Maps.read(prediction, ground_truth))


def plsp_scores(prediction: ArrayLike, ground_truth: ArrayLike) -> Scores:
    """KLD, SIM and NSS of WSAG-PLSP's evaluation at once.

    Args:
        prediction: (..., H, W), a distribution: not negative, sum 1.
        ground_truth: (..., H, W), likewise.

    Returns:
        What `plsp_kld`, `plsp_sim` and `plsp_nss` return.

    Raises:
        ValueError: shapes that differ or values that are negative or not finite.
    """
    maps = _Maps.read(prediction, ground_truth)
    return _plsp_kld(maps), _plsp_sim(maps), _plsp_nss(maps)


def plsp_kld(prediction: ArrayLike, ground_truth: ArrayLike) -> NDArray[np.float64]:
    """Kullback-Leibler divergence of the ground truth from a prediction; lower is better.

    Args:
        prediction: (..., H, W), a distribution: not negative, sum 1.
        ground_truth: (..., H, W), likewise.

    Returns:
        (...) float64; cells without ground truth count 0.

    Raises:
        ValueError: shapes that differ or values that are negative or not finite.
    """
    return _plsp_kld(_Maps.read(prediction, ground_truth))


def plsp_sim(prediction: ArrayLike, ground_truth: ArrayLike) -> NDArray[np.float64]:
    """Histogram intersection of two distributions; higher is better, at most 1.

    Args:
        prediction: (..., H, W), a distribution: not negative, sum 1.
        ground_truth: (..., H, W), likewise.

    Returns:
        (...) float64.

    Raises:
        ValueError: shapes that differ or values that are negative or not finite.
    """
    return _plsp_sim(_Maps.read(prediction, ground_truth))


def plsp_nss(prediction: ArrayLike, ground_truth: ArrayLike) -> NDArray[np.float64]:
    """Normalised scanpath saliency: mean z-score where the ground truth is hot.

    Args:
        prediction: (..., H, W), not negative.
        ground_truth: (..., H, W), likewise; hot where it reaches 0.1 after min-max.

    Returns:
        (...) float64, unbiased standard deviation. A constant prediction or a constant
        ground truth gives 0 (the published code gives NaN).

    Raises:
        ValueError: shapes that differ or values that are negative or not finite.
    """
    return _plsp_nss(_Maps.read(prediction, ground_truth))


@dataclass(frozen=True)
class _Maps:
    """A prediction and its ground truth, with what several metrics need of them.

    Most ground truths are zero in most of the image. Outside the box of what is not zero, no term
    of KLD and SIM is anything but zero and no pixel is a fixation: the box alone is read.

    Attributes:
        whole: all of the prediction, (..., H * W) float64.
        prediction: what lies in the box, (..., h * w) float64.
        truth: likewise.
        prediction_range: lowest and highest value, each (...).
        truth_range: likewise.
        prediction_sum: (...).
        truth_sum: likewise.
    """

    whole: NDArray[np.float64]
    prediction: NDArray[np.float64]
    truth: NDArray[np.float64]
    prediction_range: tuple[NDArray[np.float64], NDArray[np.float64]]
    truth_range: tuple[NDArray[np.float64], NDArray[np.float64]]
    prediction_sum: NDArray[np.float64]
    truth_sum: NDArray[np.float64]

    @classmethod
    def read(cls, prediction: ArrayLike, ground_truth: ArrayLike) -> _Maps:
        """Check two maps; a minimum or maximum that is NaN says that a value is."""
        predicted = np.asarray(prediction, np.float64)
        true = np.asarray(ground_truth, np.float64)
        if predicted.shape != true.shape or predicted.ndim < 2 or predicted.size == 0:
            raise ValueError(
                f"prediction and ground truth must have one shape (..., H, W) with at least one "
                f"pixel, got {predicted.shape} and {true.shape}"
            )
        whole = _flat(predicted)
        rows = true.max(axis=-1)
        ranges = (
            (np.asarray(whole.min(axis=-1)), np.asarray(whole.max(axis=-1))),
            (np.asarray(_flat(true).min(axis=-1)), np.asarray(rows.max(axis=-1))),
        )
        for name, (low, high) in zip(("prediction", "ground truth"), ranges, strict=True):
            if not (np.all(low >= 0) and np.all(high < np.inf)):
                raise ValueError(
                    f"{name} must be finite and not negative, got values from {low.min()} to "
                    f"{high.max()}"
                )
        box = (..., _span(rows), _span(true.max(axis=-2)))
        inside = _flat(true[box])
        return cls(whole, _flat(predicted[box]), inside, *ranges, _sum(whole), _sum(inside))


def _flat(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Join the last two axes."""
    return values.reshape(*values.shape[:-2], values.shape[-2] * values.shape[-1])


def _span(highest: NDArray[np.float64]) -> slice:
    """From the first to the last place of the last axis that is not zero in all maps."""
    places = np.flatnonzero(highest.reshape(-1, highest.shape[-1]).any(axis=0))
    return slice(int(places[0]), int(places[-1]) + 1) if places.size else slice(0, 0)


def _locate_kld(maps: _Maps) -> NDArray[np.float64]:
    """Sum of g log(g / (p + e) + e) with the shares p = x / (P + e) and g = t / (G + e).

    With c = (P + e) / (G + e) the argument of the logarithm is c (t / (x + e (P + e)) + e / c):
    the maps need not be divided by their sums.
    """
    total = maps.prediction_sum + LOCATE_EPSILON
    factor = total / (maps.truth_sum + LOCATE_EPSILON)
    ratio = maps.prediction + (LOCATE_EPSILON * total)[..., None]
    np.divide(maps.truth, ratio, out=ratio)
    ratio += (LOCATE_EPSILON / factor)[..., None]
    np.log(ratio, out=ratio)
    divergence = _dot(maps.truth, ratio) + maps.truth_sum * np.log(factor)
    return np.asarray(divergence / (maps.truth_sum + LOCATE_EPSILON))


def _locate_sim(maps: _Maps) -> NDArray[np.float64]:
    true_total = maps.truth_sum + LOCATE_EPSILON
    scaled = maps.prediction * (true_total / (maps.prediction_sum + LOCATE_EPSILON))[..., None]
    return np.asarray(_sum(np.minimum(scaled, maps.truth, out=scaled)) / true_total)


def _locate_nss(maps: _Maps) -> NDArray[np.float64]:
    low, high = maps.truth_range
    # Both maps are pictures of 0..255 to the published code; the scale matters to its epsilon.
    level = low + FIXATION_THRESHOLD * (high - low + 255.0 * LOCATE_EPSILON)
    count, score = _fixations(maps, maps.truth > level[..., None], degrees_of_freedom=0)
    return np.asarray(score / (count + maps.whole.shape[-1] * LOCATE_EPSILON))


def _plsp_kld(maps: _Maps) -> NDArray[np.float64]:
    ratio = maps.prediction + PLSP_EPSILON
    np.divide(maps.truth, ratio, out=ratio)
    ratio += np.finfo(np.float64).tiny  # cells without ground truth: 0 times a finite number
    np.log(ratio, out=ratio)
    return _dot(maps.truth, ratio)


def _plsp_sim(maps: _Maps) -> NDArray[np.float64]:
    return _sum(np.minimum(maps.prediction, maps.truth))


def _plsp_nss(maps: _Maps) -> NDArray[np.float64]:
    low, high = (edge[..., None] for edge in maps.truth_range)
    # As the published code scales: the level times the spread could round to the other side.
    scaled = maps.truth - low
    scaled /= np.where(high > low, high - low, 1.0)
    count, score = _fixations(maps, scaled >= FIXATION_THRESHOLD, degrees_of_freedom=1)
    return np.asarray(score / np.maximum(count, 1.0))


def _fixations(
    maps: _Maps, hot: NDArray[np.bool_], degrees_of_freedom: int
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Count the hot pixels, and add up the prediction's z-scores there, each (...).

    Rounding leaves a constant map a deviation near 1e-17 rather than 0, so that its range decides.
    """
    size = maps.whole.shape[-1]
    mean = (maps.prediction_sum / size)[..., None]
    centred = maps.whole - mean
    deviation = np.sqrt(_dot(centred, centred) / max(1, size - degrees_of_freedom))
    weights = hot.astype(np.float64)
    low, high = maps.prediction_range
    total = _dot(maps.prediction - mean, weights)
    scores = np.divide(total, deviation, out=np.zeros_like(deviation), where=high > low)
    return _sum(weights), scores


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
