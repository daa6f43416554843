"""Part masks: where those of training images lie, and the one reader of masks."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from affordance_grounding_core.data.agd20k import TrainingImage
from affordance_grounding_core.errors import DatasetError, InvalidImageError
from affordance_grounding_core.images import read_grey

MASK_FOLDERS = ("PL_refined", "PL")
"""Folders of masks, the one that counts first in front."""

PART_LEVEL = 128
"""Grey value from which on a pixel belongs to the part."""


def find_part_mask(
    folder: Path, action: str, object_name: str, image: Path, excluded: Collection[Path] = ()
) -> Path | None:
    """Find the part mask of an image.

    Args:
        folder: folder with `PL/ACTION/OBJECT/NAME_pl.png` and, where refined, the same below
            `PL_refined`, which counts first.
        action: action that the part affords.
        object_name: class of the object.
        image: image that the mask is of.
        excluded: masks that are not to be used.

    Returns:
        The mask, or None where there is none.
    """
    place = Path(action) / object_name / f"{image.stem}_pl.png"
    files = (folder / kind / place for kind in MASK_FOLDERS)
    return next((file for file in files if file.is_file() and file not in excluded), None)


def all_part_masks(folder: Path, images: Iterable[TrainingImage]) -> Iterator[tuple[Path, Path]]:
    """List the masks of images, first and refined ones.

    Args:
        folder: see `find_part_mask`.
        images: images that the masks are of.

    Yields:
        A mask and its image.
    """
    for item in images:
        known: list[Path] = []
        place = item.action, item.object_name, item.image
        while (mask := find_part_mask(folder, *place, known)) is not None:
            known.append(mask)
            yield mask, item.image


def require_part_masks(folder: Path) -> None:
    """Check that a folder has part masks at all.

    Raises:
        DatasetError: it has none.
    """
    if not any(next(folder.glob(f"{kind}/*/*/*_pl.png"), None) for kind in MASK_FOLDERS):
        raise DatasetError(
            f"no part mask at {str(folder / 'PL')!r}/ACTION/OBJECT/NAME_pl.png; make them with "
            "`affordance-grounding label`, or leave data.part_labels out"
        )


def read_part_mask(
    file: Path,
    height: int | None = None,
    width: int | None = None,
    *,
    may_be_empty: bool = False,
) -> NDArray[np.bool_]:
    """Read a mask by the one rule for all masks.

    A pixel that is half as bright as white, or brighter, is inside.

    Args:
        file: picture of 0 and 255; colours are reduced to their grey value.
        height: height of the image that the mask belongs to, in px; None for any.
        width: width of that image in px; None for any.
        may_be_empty: whether a mask without any pixel inside is one.

    Returns:
        (H, W) bool.

    Raises:
        InvalidImageError: unreadable, of 0 and 1, of another size than its image, or empty.
    """
    try:
        grey = read_grey(file)
    except InvalidImageError as error:
        raise InvalidImageError(
            f"part mask {str(file)!r} cannot be read as an image ({error})"
        ) from error
    highest = round(float(grey.max()) * 255)
    if highest == 0 and not may_be_empty:
        raise InvalidImageError(f"part mask {str(file)!r} is empty: nothing was found")
    if 0 < highest < PART_LEVEL:
        raise InvalidImageError(
            f"part mask {str(file)!r} has no value of {PART_LEVEL} or more, its highest is "
            f"{highest}; expected 0 and 255: "
            + ("multiply masks of 0 and 1 by 255" if highest == 1 else "write the part as 255")
        )
    if (height or grey.shape[0], width or grey.shape[1]) != grey.shape:
        raise InvalidImageError(
            f"part mask {str(file)!r} has {grey.shape[0]} x {grey.shape[1]} px, its image "
            f"{height} x {width}; make the label again"
        )
    return np.asarray(grey >= PART_LEVEL / 255)


def mask_problems(pairs: Iterable[tuple[Path, Path]]) -> dict[Path, str]:
    """Find masks that cannot be trained on.

    Args:
        pairs: masks, each with the image it belongs to.

    Returns:
        Mask to what is wrong with it: unreadable, empty, or of another size than its image.
    """
    found = {file: _mask_problem(file, image) for file, image in pairs}
    return {file: problem for file, problem in found.items() if problem is not None}


def is_boxes(mask: NDArray[np.bool_]) -> bool:
    """Whether a mask is nothing but upright rectangles, as boxes drawn around parts are.

    Args:
        mask: (H, W) bool.
    """
    count, _, statistics, _ = cv2.connectedComponentsWithStats(mask.astype(np.uint8))
    sides = statistics[1:count, [cv2.CC_STAT_WIDTH, cv2.CC_STAT_HEIGHT]]
    return bool((statistics[1:count, cv2.CC_STAT_AREA] == sides.prod(axis=1)).all())


def _mask_problem(file: Path, image: Path) -> str | None:
    try:
        read_part_mask(file, *(image_size(image) or (None, None)))
    except InvalidImageError as error:
        return str(error)
    return None


def image_size(image: Path) -> tuple[int, int] | None:
    """Height and width in px of an image as it is shown, None where it cannot be read."""
    try:
        with Image.open(image) as opened:
            # The orientation in the EXIF data turns the picture when it is read.
            turned = opened.getexif().get(0x0112, 1) >= 5
            width, height = opened.size
    except (OSError, ValueError, Image.DecompressionBombError):
        return None
    return (width, height) if turned else (height, width)
