"""Pictures that engines are calibrated and gated on.

The package brings a few photographs and renders. What the robot itself sees is better: give a
folder of it wherever a runtime is chosen.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from affordance_grounding_core.errors import InvalidImageError
from affordance_grounding_core.images import is_image_file, read_rgb
from affordance_grounding_core.inference.preprocess import PreprocessConfig, resize_image
from affordance_grounding_core.runtimes.gate import MINIMUM_FRAMES

PACKAGED = Path(__file__).parent / "pictures"

_WINDOWS = ((0.0, 0.0, 1.0), (0.0, 0.0, 0.75), (0.25, 0.25, 0.75), (0.1, 0.3, 0.6), (0.4, 0.1, 0.6))
"""Left, top and side of crops, as shares of the picture; the first is the picture itself."""


@dataclass(frozen=True)
class Frames:
    """Pictures, split so that nothing is gated on what it was calibrated on.

    Attributes:
        gate: at least `MINIMUM_FRAMES` (H, W, 3) uint8 RGB images.
        calibration: other pictures or other crops, likewise.
        source: folder they come from.
        fingerprint: sha256 of the files, hexadecimal.
    """

    gate: tuple[NDArray[np.uint8], ...]
    calibration: tuple[NDArray[np.uint8], ...]
    source: str
    fingerprint: str


def read_frames(folder: Path | None = None) -> Frames:
    """Read the pictures of a folder and cut them into frames.

    Pictures alternate between gate and calibration; of each, crops and their mirror images
    are taken until there are enough.

    Args:
        folder: that directly holds image files, 8 or more; None: the pictures of the package.

    Raises:
        InvalidImageError: the folder holds too few pictures, or one cannot be read.
    """
    place = PACKAGED if folder is None else folder
    files = (
        sorted(path for path in place.iterdir() if is_image_file(path)) if place.is_dir() else []
    )
    if len(files) < 8:
        raise InvalidImageError(
            f"folder {str(place)!r} holds {len(files)} image files, the gate needs 8 or more: "
            "give a folder with pictures of the place where the model will work"
        )
    digest = hashlib.sha256()
    for file in files:
        digest.update(file.read_bytes())
    pictures = [read_rgb(file) for file in files[:64]]
    return Frames(
        gate=_crops(pictures[::2], MINIMUM_FRAMES),
        calibration=_crops(pictures[1::2], 2 * MINIMUM_FRAMES),
        source=str(place) if folder else "package",
        fingerprint=digest.hexdigest(),
    )


def network_inputs(
    frames: Sequence[NDArray[np.uint8]], config: PreprocessConfig, height: int, width: int
) -> list[NDArray[np.float32]]:
    """Turn frames into network inputs of one size, whatever their own aspect ratio.

    Args:
        frames: (H, W, 3) uint8 RGB.
        config: whose mean and std hold.
        height: px of the network input.
        width: likewise.

    Returns:
        One (1, 3, h, w) float32, normalised, a frame: its largest middle part of the
        input's aspect ratio.
    """
    mean = np.asarray(config.mean, np.float32) * 255.0
    std = np.asarray(config.std, np.float32) * 255.0
    inputs = []
    for frame in frames:
        resized = resize_image(_middle(frame, width / height), height, width)
        normalised = (resized.astype(np.float32) - mean) / std
        inputs.append(np.ascontiguousarray(normalised.transpose(2, 0, 1)[None]))
    return inputs


def _crops(pictures: Sequence[NDArray[np.uint8]], wanted: int) -> tuple[NDArray[np.uint8], ...]:
    crops: list[NDArray[np.uint8]] = []
    for left, top, side in _WINDOWS:
        for mirrored in (False, True):
            if len(crops) >= wanted:
                return tuple(crops[:wanted])
            for picture in pictures:
                rows, columns = picture.shape[:2]
                crop = picture[
                    int(top * rows) : max(1, int((top + side) * rows)),
                    int(left * columns) : max(1, int((left + side) * columns)),
                ]
                crops.append(crop[:, ::-1] if mirrored else crop)
    return tuple(crops[:wanted])


def _middle(image: NDArray[np.uint8], aspect: float) -> NDArray[np.uint8]:
    rows, columns = image.shape[:2]
    wanted_columns = max(1, min(columns, round(rows * aspect)))
    wanted_rows = max(1, min(rows, round(columns / aspect)))
    left, top = (columns - wanted_columns) // 2, (rows - wanted_rows) // 2
    return np.ascontiguousarray(image[top : top + wanted_rows, left : left + wanted_columns])
