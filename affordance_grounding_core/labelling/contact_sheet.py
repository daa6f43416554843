"""Contact sheets: labels side by side, for a person to look through."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from affordance_grounding_core.errors import InvalidImageError
from affordance_grounding_core.files import replace_file
from affordance_grounding_core.images import read_grey, read_rgb
from affordance_grounding_core.inference.overlay import draw_caption
from affordance_grounding_core.labelling.records import Finding, ImageRecord

SIDE = 224
COLUMNS = 8
_TINT = np.array((255, 96, 32), np.float32)
_BOX = (64, 224, 255)
_GAP = 4


def write_sheets(
    records: Iterable[ImageRecord], trainset: Path, folder: Path, *, columns: int = COLUMNS
) -> list[Path]:
    """Write a sheet for every action: a row for each object class, images spread evenly.

    Egocentric images show the part, tinted; images without one say "nothing found".

    Args:
        records: records of a training set.
        trainset: folder of the images.
        folder: folder of the labels; sheets go into `sheets/ACTION.png`.
        columns: images in a row.

    Returns:
        The files.

    Raises:
        OSError: a file cannot be written.
    """
    actions: dict[str, dict[str, list[ImageRecord]]] = defaultdict(lambda: defaultdict(list))
    for record in records:
        if record.view == "egocentric":
            actions[record.action][record.object_name].append(record)
    written = []
    for action, objects in sorted(actions.items()):
        rows = [
            _row(
                _spread(sorted(members, key=lambda r: r.image), columns), trainset, folder, columns
            )
            for _, members in sorted(objects.items())
        ]
        encoded, data = cv2.imencode(".png", cv2.cvtColor(np.vstack(rows), cv2.COLOR_RGB2BGR))
        if not encoded:
            raise OSError(f"OpenCV could not encode the sheet of {action!r} as PNG")
        path = folder / "sheets" / f"{action}.png"
        replace_file(path, bytes(data.tobytes()))
        written.append(path)
    return written


def draw_finding(
    image: NDArray[np.uint8],
    finding: Finding | None,
    mask: NDArray[np.float32] | None,
    caption: str,
) -> NDArray[np.uint8]:
    """Draw one tile: the image in a square, its part tinted, its boxes, a caption.

    Args:
        image: (H, W, 3) uint8 RGB.
        finding: finding whose boxes are drawn, or None.
        mask: (H, W) float32 in [0, 1], or None.
        caption: one line.

    Returns:
        (SIDE, SIDE, 3) uint8 RGB.
    """
    height, width = image.shape[:2]
    drawn = image.copy()
    if mask is not None and mask.shape == (height, width):
        share = 0.55 * (mask >= 0.5)[..., None]
        drawn = np.asarray(image * (1 - share) + _TINT * share, np.uint8)
    thickness = max(1, round(max(height, width) / SIDE))
    for box in finding.boxes if finding else ():
        left, top, right, bottom = (round(value) for value in box)
        cv2.rectangle(drawn, (left, top), (right - 1, bottom - 1), _BOX, thickness)
    scale = SIDE / max(height, width)
    size = max(1, round(width * scale)), max(1, round(height * scale))
    small = cv2.resize(drawn, size, interpolation=cv2.INTER_AREA)
    tile = np.full((SIDE, SIDE, 3), 30, np.uint8)
    top, left = (SIDE - small.shape[0]) // 2, (SIDE - small.shape[1]) // 2
    tile[top : top + small.shape[0], left : left + small.shape[1]] = small
    draw_caption(tile, caption)
    return tile


def _row(
    records: Sequence[ImageRecord], trainset: Path, folder: Path, columns: int
) -> NDArray[np.uint8]:
    row = np.full((SIDE + _GAP, columns * (SIDE + _GAP), 3), 255, np.uint8)
    for number, record in enumerate(records):
        left = number * (SIDE + _GAP)
        row[:SIDE, left : left + SIDE] = _tile(record, trainset, folder)
    return row


def _tile(record: ImageRecord, trainset: Path, folder: Path) -> NDArray[np.uint8]:
    name = record.object_name
    try:
        image = read_rgb(trainset / record.view / record.action / name / record.image)
        part = record.part
        mask = read_grey(folder / part.mask) if part and part.mask else None
    except InvalidImageError:
        return draw_finding(np.zeros((SIDE, SIDE, 3), np.uint8), None, None, f"{name}: unreadable")
    if record.problem:
        caption = f"{name}: failed"
    elif part is None or part.mask is None:
        caption = f"{name}: nothing found"
    else:
        caption = f"{'; '.join(part.phrases)} {part.scores[0]:.2f}"
    return draw_finding(image, part, mask, caption)


def _spread(records: Sequence[ImageRecord], count: int) -> list[ImageRecord]:
    if len(records) <= count:
        return list(records)
    places = np.linspace(0, len(records) - 1, count).round().astype(int)
    return [records[place] for place in places]
