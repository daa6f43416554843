"""Part masks: where those of training images lie, and what can be taken for one."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from affordance_grounding_core.data.agd20k import TrainingImage
from affordance_grounding_core.errors import DatasetError, InvalidImageError

MASK_FOLDERS = ("PL_refined", "PL")
"""Folders of masks, the one that counts first in front."""

PART_LEVEL = 128
"""Grey value from which on a pixel belongs to the part."""


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


def read_part_mask(file: Path, height: int, width: int) -> NDArray[np.bool_]:
    """Read the mask of a part by the rule that training goes by.

    Args:
        file: picture; what is half as bright as white, or brighter, belongs to the part.
        height: of the image the mask belongs to, in px.
        width: likewise.

    Returns:
        (H, W) bool with at least one pixel of the part.

    Raises:
        InvalidImageError: unreadable, empty, or of another size than its image.
    """
    mask = cv2.imread(str(file), cv2.IMREAD_GRAYSCALE)
    problem = _content_problem(file, mask, (height, width))
    if mask is None or problem is not None:
        raise InvalidImageError(problem or f"part mask {str(file)!r} cannot be read")
    return np.asarray(mask >= PART_LEVEL)


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
    return _content_problem(file, cv2.imread(str(file), cv2.IMREAD_GRAYSCALE), image_size(image))


def _content_problem(
    file: Path, mask: NDArray[np.generic] | None, size: tuple[int, int] | None
) -> str | None:
    """What keeps a mask from being used, if anything; `size` is its image's, where known."""
    if mask is None:
        return f"part mask {str(file)!r} cannot be read as an image"
    highest = int(mask.max())
    if highest == 0:
        return f"part mask {str(file)!r} is empty: nothing was found"
    if highest < PART_LEVEL:
        return (
            f"part mask {str(file)!r} has no value of {PART_LEVEL} or more, its highest is "
            f"{highest}; expected 0 and 255: "
            + ("multiply masks of 0 and 1 by 255" if highest == 1 else "write the part as 255")
        )
    if size and size != mask.shape:
        return (
            f"part mask {str(file)!r} has {mask.shape[0]} x {mask.shape[1]} px, its image "
            f"{size[0]} x {size[1]}; make the label again"
        )
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
