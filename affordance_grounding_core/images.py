"""Reading and writing image files, with errors that name the file."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from affordance_grounding_core.errors import InvalidImageError

IMAGE_SUFFIXES = (".bmp", ".jpeg", ".jpg", ".png", ".tif", ".tiff", ".webp")
"""Endings, lower case, of files that are taken for images when a folder is listed."""

_JPEG_START = b"\xff\xd8"
_JPEG_SCAN = 0xDA
_JPEG_END = b"\xff\xd9"


def is_image_file(path: Path) -> bool:
    """Whether a visible file's name ends like an image's, in any case."""
    return path.suffix.lower() in IMAGE_SUFFIXES and not path.name.startswith(".")


def read_rgb(path: str | Path) -> NDArray[np.uint8]:
    """Read an image as a camera would deliver it.

    The EXIF orientation is applied, grey becomes three equal channels, transparency is
    dropped and 16 bits are reduced to 8.

    Args:
        path: file in any format OpenCV reads.

    Returns:
        (H, W, 3) uint8, RGB.

    Raises:
        InvalidImageError: the file is missing, empty, truncated or no image.
    """
    return decode_rgb(read_bytes(path), path)


def read_bytes(path: str | Path) -> bytes:
    """Read a file that should hold an image.

    Raises:
        InvalidImageError: the file is missing, empty, a folder or not readable.
    """
    try:
        data = Path(path).read_bytes()
    except OSError as error:
        raise InvalidImageError(
            f"image {str(path)!r} cannot be read: {error.strerror or error}; expected a readable "
            "image file: check the path and its permissions"
        ) from error
    if not data:
        raise InvalidImageError(
            f"image {str(path)!r} is empty (0 bytes); expected an image file: copy it again"
        )
    return data


def decode_rgb(data: bytes, name: str | Path) -> NDArray[np.uint8]:
    """Decode the content of an image file; see `read_rgb`.

    Args:
        data: content of the file.
        name: what to call the image in messages.

    Returns:
        (H, W, 3) uint8, RGB.

    Raises:
        InvalidImageError: truncated or no image.
    """
    image = _decode(data, cv2.IMREAD_COLOR, name)
    return np.ascontiguousarray(cv2.cvtColor(image, cv2.COLOR_BGR2RGB), dtype=np.uint8)


def read_grey(path: str | Path) -> NDArray[np.float32]:
    """Read a ground truth or a mask as numbers between 0 and 1.

    Args:
        path: image file of 8 bits; colours are reduced to their grey value.

    Returns:
        (H, W) float32 in [0, 1]: the grey value / 255.

    Raises:
        InvalidImageError: the file is missing, empty, truncated or no image.
    """
    grey = _decode(read_bytes(path), cv2.IMREAD_GRAYSCALE, path)
    return grey.astype(np.float32) / np.float32(255)


def write_png(path: str | Path, image: NDArray[np.uint8] | NDArray[np.uint16]) -> None:
    """Write an image without loss, making the folder where needed.

    Args:
        path: file to write; its name should end in `.png`.
        image: (H, W) uint8 or uint16, or (H, W, 3) uint8 RGB.

    Raises:
        InvalidImageError: an array of another shape or type, or without pixels.
        OSError: the file cannot be written.
    """
    grey = image.ndim == 2 and image.dtype in (np.uint8, np.uint16)
    colour = image.ndim == 3 and image.shape[2] == 3 and image.dtype == np.uint8
    if not (grey or colour) or image.size == 0:
        raise InvalidImageError(
            f"a PNG is written from (H, W) uint8 or uint16 or (H, W, 3) uint8 with at least one "
            f"pixel, got shape {image.shape} and type {image.dtype}"
        )
    encoded, data = cv2.imencode(
        ".png", cv2.cvtColor(image, cv2.COLOR_RGB2BGR) if colour else image
    )
    if not encoded:
        raise OSError(f"OpenCV could not encode {str(path)!r} as PNG")
    target = Path(path)
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_bytes(data.tobytes())


def _decode(data: bytes, mode: int, name: str | Path) -> NDArray[np.uint8]:
    # OpenCV pads a truncated JPEG with grey and says so on stderr only.
    if data.startswith(_JPEG_START) and not _jpeg_has_end(data):
        raise InvalidImageError(
            f"image {str(name)!r} is truncated: a JPEG of {len(data)} bytes without its end "
            "marker; copy it again"
        )
    try:
        image = cv2.imdecode(np.frombuffer(data, np.uint8), mode)
    except cv2.error as error:
        raise InvalidImageError(
            f"image {str(name)!r} cannot be decoded: {error.err}; expected an image of at most "
            "2^30 pixels in a format OpenCV reads"
        ) from error
    if image is None or image.size == 0:
        raise InvalidImageError(
            f"image {str(name)!r} is not an image OpenCV can decode ({len(data)} bytes); expected "
            f"a complete file of a kind such as {', '.join(IMAGE_SUFFIXES)}"
        )
    return image.astype(np.uint8, copy=False)


def _jpeg_has_end(data: bytes) -> bool:
    # The segments before the scan are stepped over by their length, because a preview picture
    # inside the EXIF block has an end marker of its own.
    position = len(_JPEG_START)
    while position + 4 <= len(data) and data[position] == 0xFF:
        if data[position + 1] == _JPEG_SCAN:
            return data.find(_JPEG_END, position) != -1
        if data[position + 1] == 0xFF:
            position += 1
            continue
        position += 2 + int.from_bytes(data[position + 2 : position + 4], "big")
    return False
