"""Part masks with the errors of a segmenter, made from exact ones."""

from __future__ import annotations

import zlib
from collections.abc import Callable, Mapping
from pathlib import Path
from types import MappingProxyType

import cv2
import numpy as np
from numpy.typing import NDArray

from affordance_grounding_core.files import replace_file
from affordance_grounding_core.images import read_grey
from affordance_grounding_core.labelling.store import encode_mask

Mask = NDArray[np.uint8]
Corruption = Callable[[Mask, int], Mask | None]
"""A mask of 0 and 255 and a number that stands for its name, to another mask or none."""

_SHARE = 0.03  # of the image's side: half a patch at 224 px
_SHIFT = 0.08
_DROPPED = 0.3


def exact(mask: Mask, number: int) -> Mask:
    """Leave the mask as it is."""
    return mask


def eroded(mask: Mask, number: int) -> Mask:
    """Take away the rim; a part that would vanish keeps its core."""
    size = _kernel(mask)
    for side in range(size, 1, -1):
        smaller = cv2.erode(mask, _disc(side))
        if smaller.any():
            return np.asarray(smaller, np.uint8)
    return mask


def dilated(mask: Mask, number: int) -> Mask:
    """Add a rim."""
    return np.asarray(cv2.dilate(mask, _disc(_kernel(mask))), np.uint8)


def shifted(mask: Mask, number: int) -> Mask | None:
    """Move the mask in some direction; what leaves the picture is lost."""
    angle = np.random.default_rng(number).uniform(0, 2 * np.pi)
    distance = _SHIFT * max(mask.shape)
    matrix = np.array(
        [[1, 0, distance * np.cos(angle)], [0, 1, distance * np.sin(angle)]], np.float32
    )
    size = (mask.shape[1], mask.shape[0])
    return np.asarray(cv2.warpAffine(mask, matrix, size, flags=cv2.INTER_NEAREST), np.uint8)


def dropped(mask: Mask, number: int) -> Mask | None:
    """Find nothing in three pictures of ten."""
    return None if np.random.default_rng(number).random() < _DROPPED else mask


CORRUPTIONS: Mapping[str, Corruption] = MappingProxyType(
    {
        "exact": exact,
        "eroded": eroded,
        "dilated": dilated,
        "shifted": shifted,
        "dropped": dropped,
    }
)
"""Name to what is done to every mask."""


def write_labels(trainset: Path, folder: Path, corruption: str, seed: int) -> int:
    """Write the corrupted masks of a training set.

    Args:
        trainset: folder with `PL/ACTION/OBJECT/NAME_pl.png`.
        folder: to write the same layout to.
        corruption: key of `CORRUPTIONS`.
        seed: of directions and of what is dropped.

    Returns:
        How many masks there are now.
    """
    change, count = CORRUPTIONS[corruption], 0
    for file in sorted((trainset / "PL").rglob("*_pl.png")):
        place = file.relative_to(trainset)
        mask = read_grey(file) >= 0.5
        number = zlib.crc32(f"{seed}/{place.as_posix()}".encode())
        changed = change(mask.astype(np.uint8) * 255, number)
        if changed is not None and changed.any():
            replace_file(folder / place, encode_mask(changed > 0))
            count += 1
    return count


def _kernel(mask: Mask) -> int:
    side: int = max(mask.shape)
    return 2 * max(1, round(_SHARE * side)) + 1


def _disc(side: int) -> NDArray[np.uint8]:
    return np.asarray(cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (side, side)), np.uint8)
