"""Reading and writing image files, with errors that name the file."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from affordance_grounding_core.errors import InvalidImageError
from affordance_grounding_core.images.arrays import RgbImage
from affordance_grounding_core.images.jpeg import START as JPEG_START
from affordance_grounding_core.images.jpeg import DamagedJpegError, DecodedJpeg, decode_jpeg

IMAGE_SUFFIXES = (".bmp", ".jpeg", ".jpg", ".png", ".tif", ".tiff", ".webp")
"""Endings, lower case, of files that are taken for images when a folder is listed."""

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class DecodedImage:
    """The content of an image file.

    Attributes:
        rgb: the picture.
        remark: what is odd about the bytes although the picture can be used; mostly empty.
    """

    rgb: RgbImage
    remark: str = ""


def is_image_file(path: Path) -> bool:
    """Whether a visible file's name ends like an image's, in any case."""
    return path.suffix.lower() in IMAGE_SUFFIXES and not path.name.startswith(".")


def read_rgb(path: str | Path) -> RgbImage:
    """Read an image as a camera would deliver it.

    The EXIF orientation is applied, grey becomes three equal channels, transparency is
    dropped and 16 bits are reduced to 8; see `decode_image` for damaged files.

    Args:
        path: file in any format OpenCV reads.

    Returns:
        The picture, turned as its EXIF orientation says.

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


def decode_image(data: bytes, name: str | Path, *, upright: bool = True) -> DecodedImage:
    """Decode the content of an image file, or of a message that holds one.

    A JPEG that lacks nothing but its end marker is read, as browsers do. One whose scan was cut
    short or damaged is refused as far as that can be seen: a decoder would make up what is lost.

    Args:
        data: content of the file, in any format OpenCV reads.
        name: what to call the image in messages.
        upright: whether to turn the picture as its EXIF block says; False for cameras, whose
            pixels stay where their calibration has them.

    Returns:
        The picture, and a remark where the bytes are odd but the pixels are all there.

    Raises:
        InvalidImageError: truncated, damaged or no image.
    """
    if data.startswith(JPEG_START):
        decoded = _decode_jpeg(data, name, grey=False, upright=upright)
        return DecodedImage(decoded.pixels, decoded.remark)
    kept = 0 if upright else cv2.IMREAD_IGNORE_ORIENTATION
    image = _decode(data, cv2.IMREAD_COLOR | kept, name)
    return DecodedImage(np.ascontiguousarray(cv2.cvtColor(image, cv2.COLOR_BGR2RGB), np.uint8))


def decode_rgb(data: bytes, name: str | Path) -> RgbImage:
    """Decode the content of an image file; see `read_rgb`. What is odd about it is logged.

    Args:
        data: content of the file.
        name: what to call the image in messages.

    Returns:
        The picture, turned as its EXIF orientation says.

    Raises:
        InvalidImageError: truncated, damaged or no image.
    """
    decoded = decode_image(data, name)
    if decoded.remark:
        logger.warning("image %r was read, but its JPEG is odd: %s", str(name), decoded.remark)
    return decoded.rgb


def read_grey(path: str | Path) -> NDArray[np.float32]:
    """Read a ground truth or a mask as numbers between 0 and 1.

    Args:
        path: image file of 8 bits; colours are reduced to their grey value.

    Returns:
        (H, W) float32 in [0, 1]: the grey value / 255.

    Raises:
        InvalidImageError: the file is missing, empty, truncated or no image.
    """
    data = read_bytes(path)
    if data.startswith(JPEG_START):
        grey = _decode_jpeg(data, path, grey=True, upright=True).pixels
    else:
        grey = _decode(data, cv2.IMREAD_GRAYSCALE, path)
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


def _decode_jpeg(data: bytes, name: str | Path, *, grey: bool, upright: bool) -> DecodedJpeg:
    try:
        decoded = decode_jpeg(data, colours="GRAY" if grey else "RGB", upright=upright)
    except DamagedJpegError as error:
        raise InvalidImageError(f"image {str(name)!r} is {error}; copy it again") from None
    except cv2.error as error:
        raise _undecodable(name, error) from error
    if decoded is None:
        raise _no_image(data, name)
    return decoded


def _decode(data: bytes, mode: int, name: str | Path) -> NDArray[np.uint8]:
    try:
        image = cv2.imdecode(np.frombuffer(data, np.uint8), mode)
    except cv2.error as error:
        raise _undecodable(name, error) from error
    if image is None or image.size == 0:
        raise _no_image(data, name)
    return image.astype(np.uint8, copy=False)


def _undecodable(name: str | Path, error: cv2.error) -> InvalidImageError:
    return InvalidImageError(
        f"image {str(name)!r} cannot be decoded: {error.err}; expected an image of at most "
        "2^30 pixels in a format OpenCV reads"
    )


def _no_image(data: bytes, name: str | Path) -> InvalidImageError:
    return InvalidImageError(
        f"image {str(name)!r} is not an image OpenCV can decode ({len(data)} bytes); expected "
        f"a complete file of a kind such as {', '.join(IMAGE_SUFFIXES)}"
    )
