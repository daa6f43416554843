"""Part masks of training images: where they lie, and whether they can be trained on."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from affordance_grounding_core.data.agd20k import TrainingImage
from affordance_grounding_core.errors import DatasetError

MASK_FOLDERS = ("PL_refined", "PL")
"""Folders of masks, the one that counts first in front."""


def find_part_mask(
    folder: Path, action: str, object_name: str, image: Path, excluded: Collection[Path] = ()
) -> Path | None:
    """Find the part mask of an image.

    Args:
        folder: with `PL/ACTION/OBJECT/NAME_pl.png` and, where refined, the same below
            `PL_refined`, which counts first.
        action: that the part affords.
        object_name: class of the object.
        image: whose mask it is.
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
        folder: as of `find_part_mask`.
        images: whose masks are listed.

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


def mask_problems(pairs: Iterable[tuple[Path, Path]]) -> dict[Path, str]:
    """Find masks that cannot be trained on.

    Args:
        pairs: of a mask and the image it belongs to.

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
    mask = cv2.imread(str(file), cv2.IMREAD_GRAYSCALE)
    if mask is None:
        return f"part mask {str(file)!r} cannot be read as an image"
    if not (mask >= 128).any():
        return f"part mask {str(file)!r} is empty: nothing was found"
    if (size := image_size(image)) and size != mask.shape:
        return (
            f"part mask {str(file)!r} has {mask.shape[0]} x {mask.shape[1]} px, its image "
            f"{size[0]} x {size[1]}; make the label again"
        )
    return None


def image_size(image: Path) -> tuple[int, int] | None:
    """Height and width of an image as it is shown, None where it cannot be read."""
    try:
        with Image.open(image) as opened:
            # The orientation in the EXIF data turns the picture when it is read.
            turned = opened.getexif().get(0x0112, 1) >= 5
            width, height = opened.size
    except (OSError, ValueError, Image.DecompressionBombError):
        return None
    return (width, height) if turned else (height, width)
