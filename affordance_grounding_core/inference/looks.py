"""More looks at a picture: a larger one, where it may change a find, or turned ones."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from functools import lru_cache
from typing import Literal, TypeAlias, cast, get_args

import numpy as np
from numpy.typing import NDArray

from affordance_grounding_core.inference.preprocess import Preprocess, PreprocessConfig

Looks: TypeAlias = Literal["1", "2", "auto", "turns"]
"""Looks at a picture; "auto": a second one for actions whose first look is near the threshold;
"turns": one at each quarter turn of the picture, for a camera that nobody knows to be upright."""

LARGER = 1.5
"""Side of the second look's input over that of the first."""

NEAR = (0.5, 3.0)
"""Peak heats, over the threshold, between which "auto" looks again."""

_CERTAIN = np.float32(1e-7)
"""How near to 0 and 1 a value comes before it is averaged."""


def parse_looks(looks: str | int) -> Looks:
    """Check a number of looks.

    Args:
        looks: 1, 2, "auto" or "turns".

    Raises:
        ValueError: another value.
    """
    if str(looks) not in get_args(Looks):
        raise ValueError(f"looks must be one of {list(get_args(Looks))}, got {looks!r}")
    return cast(Looks, str(looks))


def larger(preprocess: Preprocess) -> Preprocess:
    """Preprocessing of the second look."""
    return _larger(preprocess.config)


@lru_cache(maxsize=4)
def _larger(config: PreprocessConfig) -> Preprocess:
    patches = round(LARGER * config.size / config.multiple)
    return Preprocess(replace(config, size=patches * config.multiple))


def to_look_at_again(heat: NDArray[np.float32], threshold: float, looks: Looks) -> list[int]:
    """Places of the actions that get a second look.

    Args:
        heat: (K, H, W) heat of the first look.
        threshold: heat from which an action is found.
        looks: what was asked for.
    """
    if looks in ("1", "turns"):
        return []
    if looks == "2":
        return list(range(len(heat)))
    least, most = (share * threshold for share in NEAR)
    return [place for place, one in enumerate(heat) if least <= float(one.max()) <= most]


def merge(first: NDArray[np.float32], second: NDArray[np.float32], again: list[int]) -> None:
    """Put two looks together: the mean of their heat and of their part masks.

    Both are maps of the same pixels of the image, whatever the size of the network's input.

    Args:
        first: (K, H, W) heat of all actions; or (2 K, H, W), their part masks behind it. Changed.
        second: likewise, of the actions that got a second look.
        again: places of these among the K.
    """
    kinds = len(second) // max(1, len(again))  # heat, or heat and masks
    actions = len(first) // max(1, kinds)
    places = [kind * actions + place for kind in range(kinds) for place in again]
    for place, seen in zip(places, second, strict=True):
        first[place] += seen
        first[place] *= 0.5


def mean_of_turns(
    first: NDArray[np.float32], others: Iterable[NDArray[np.float32]], actions: int
) -> NDArray[np.float32]:
    """Put looks at turned pictures together: the mean of their logits, as values.

    Where heat is highest then does not hang on an action's own offset, which is added to logits.
    How high it is there is the mean of the looks' own peaks: those lie apart, and what all looks
    together say of one place is less than what each is sure of.

    Args:
        first: (K, H, W) heat in [0, 1]; or (2 K, H, W), part masks behind it.
        others: likewise, of the same pixels of the image.
        actions: K.
    """
    total, count = _logits(first), 1
    peaks = total[:actions].max(axis=(1, 2))
    for one in others:
        logits = _logits(one)
        peaks += logits[:actions].max(axis=(1, 2))
        total += logits
        count += 1
    total /= count
    heat = total[:actions]
    heat += (peaks / count - heat.max(axis=(1, 2)))[:, None, None]
    np.exp(np.negative(total, out=total), out=total)
    total += 1.0
    return np.reciprocal(total, out=total)


def _logits(values: NDArray[np.float32]) -> NDArray[np.float32]:
    certain = np.clip(values, _CERTAIN, 1.0 - _CERTAIN)
    return np.log(certain / (1.0 - certain))
