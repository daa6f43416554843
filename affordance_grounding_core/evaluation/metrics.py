"""KLD, SIM and NSS as the two published evaluations compute them.

The two differ in where small constants stand, in the standard deviation and in the edge of
the fixation mask, so that numbers of one must not stand beside numbers of the other.
All functions take batches and return one value a map. Where the published code divides by
zero and answers NaN, the value here is finite and written in the docstring.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

LOCATE_EPSILON = 1e-12
PLSP_EPSILON = 1e-10
FIXATION_THRESHOLD = 0.1


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
    predicted, true = _maps(prediction, ground_truth)
    p = predicted / (_total(predicted) + LOCATE_EPSILON)
    g = true / (_total(true) + LOCATE_EPSILON)
    return _sum(g * np.log(g / (p + LOCATE_EPSILON) + LOCATE_EPSILON))


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
    predicted, true = _maps(prediction, ground_truth)
    p = predicted / (_total(predicted) + LOCATE_EPSILON)
    g = true / (_total(true) + LOCATE_EPSILON)
    return _sum(np.minimum(p, g))


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
    # Both maps are pictures of 0..255 to the published code; the scale matters to its epsilon.
    predicted, true = (values / 255.0 for values in _maps(prediction, ground_truth))
    low, high = _minimum(true), _maximum(true)
    fixations = (true - low) / (high - low + LOCATE_EPSILON) > FIXATION_THRESHOLD
    scores = _z_scores(predicted, degrees_of_freedom=0)
    return _sum(scores * fixations) / _sum(fixations + LOCATE_EPSILON)


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
    predicted, true = _maps(prediction, ground_truth)
    entropy = true * np.log(np.where(true > 0, true, 1.0))
    return _sum(entropy - true * np.log(predicted + PLSP_EPSILON))


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
    predicted, true = _maps(prediction, ground_truth)
    return _sum(np.minimum(predicted, true))


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
    predicted, true = _maps(prediction, ground_truth)
    low, high = _minimum(true), _maximum(true)
    spread = high - low
    scaled = np.divide(true - low, spread, out=np.zeros_like(true), where=spread > 0)
    fixations = scaled >= FIXATION_THRESHOLD
    scores = _z_scores(predicted, degrees_of_freedom=1)
    return _sum(scores * fixations) / np.maximum(_sum(fixations), 1.0)


def _maps(
    prediction: ArrayLike, ground_truth: ArrayLike
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    predicted = np.asarray(prediction, np.float64)
    true = np.asarray(ground_truth, np.float64)
    if predicted.shape != true.shape or predicted.ndim < 2 or predicted.size == 0:
        raise ValueError(
            f"prediction and ground truth must have one shape (..., H, W) with at least one "
            f"pixel, got {predicted.shape} and {true.shape}"
        )
    for name, values in (("prediction", predicted), ("ground truth", true)):
        if not np.isfinite(values).all() or values.min() < 0:
            raise ValueError(
                f"{name} must be finite and not negative, got values from {values.min()} to "
                f"{values.max()}"
            )
    return predicted, true


def _z_scores(values: NDArray[np.float64], degrees_of_freedom: int) -> NDArray[np.float64]:
    centred = values - values.mean(axis=(-2, -1), keepdims=True)
    count = max(1, values.shape[-2] * values.shape[-1] - degrees_of_freedom)
    deviation = np.sqrt(_total(centred**2) / count)
    # Rounding leaves a constant map a deviation near 1e-17 rather than 0.
    contrast = _maximum(values) > _minimum(values)
    scores: NDArray[np.float64] = np.zeros_like(centred)
    np.divide(centred, deviation, out=scores, where=contrast)
    return scores


def _sum(values: NDArray[np.generic]) -> NDArray[np.float64]:
    return np.asarray(values.sum(axis=(-2, -1), dtype=np.float64))


def _total(values: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.asarray(values.sum(axis=(-2, -1), keepdims=True))


def _minimum(values: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.asarray(values.min(axis=(-2, -1), keepdims=True))


def _maximum(values: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.asarray(values.max(axis=(-2, -1), keepdims=True))
