"""Finds the images that cannot be trained on before the first epoch."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from PIL import Image

from affordance_grounding_core.data.pairing import MINIMUM_SIDE
from affordance_grounding_core.errors import InvalidImageError
from affordance_grounding_core.images import read_rgb


def find_unusable(files: Iterable[Path], *, decode: bool = False) -> dict[Path, str]:
    """Look at the headers of images, or at all of them.

    Args:
        files: images to look at.
        decode: whether every image is decoded to its end, which takes about 5 ms each and
            also finds files that were cut off.

    Returns:
        File to what is wrong with it: unreadable, no image, or too small.
    """
    unusable = {}
    for file in files:
        try:
            if decode:
                height, width = read_rgb(file).shape[:2]
            else:
                with Image.open(file) as image:
                    width, height = image.size
        except (InvalidImageError, OSError, ValueError, Image.DecompressionBombError) as error:
            unusable[file] = f"image {str(file)!r} cannot be read ({error})"
            continue
        if min(height, width) < MINIMUM_SIDE:
            unusable[file] = too_small(file, height, width)
    return unusable


def too_small(file: Path, height: int, width: int) -> str:
    """Say that an image is too small to train on."""
    return (
        f"image {str(file)!r} has {height} x {width} px; expected a shorter side of at least "
        f"{MINIMUM_SIDE} px: remove it or restore the original"
    )
