"""Decoding JPEG, and telling what of a picture is lost.

Every decoder in use paints over bytes that are missing or wrong. libjpeg-turbo notices much of it;
simplejpeg hands on what it says, OpenCV and Pillow do not. Without simplejpeg, OpenCV decodes,
and only what is seen in the bytes is told.
"""

from __future__ import annotations

import io
import re
from dataclasses import dataclass
from typing import Any, Literal

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image as Pictures

try:
    import simplejpeg
except ImportError:  # Python packages of a distribution do not have it.
    simplejpeg = None

START = b"\xff\xd8"
"""What every JPEG begins with."""

_SCAN = 0xDA
_TABLES = 0xC4
_END = b"\xff\xd9"
_FRAMES = tuple(marker for marker in range(0xC0, 0xD0) if marker not in (0xC4, 0xC8, 0xCC))
_PROGRESSIVE = (0xC2, 0xC6, 0xCA, 0xCE)
_STANDALONE = (0x01, *range(0xD0, 0xD9))
_ORIENTATION = 0x0112

_MOST_PIXELS = 2**30
_ZEROED = bytes(16)
_LOOSE_BYTES = 15
"""Left over after a scan: cheap cameras add a few; more of them mean that the scan lost step."""

_EXTRANEOUS = re.compile(r"(\d+) extraneous bytes before marker")


class DamagedJpegError(ValueError):
    """Bytes that do not hold the whole picture; the message says what is wrong, without a name."""


@dataclass(frozen=True)
class DecodedJpeg:
    """A picture that is whole.

    Attributes:
        pixels: (H, W, 3) uint8, RGB, or (H, W) uint8 grey.
        remark: what is odd about the bytes although the picture can be used; mostly empty.
    """

    pixels: NDArray[np.uint8]
    remark: str = ""


def decode_jpeg(
    data: bytes, *, colours: Literal["RGB", "GRAY"] = "RGB", upright: bool = True
) -> DecodedJpeg | None:
    """Decode a JPEG, or refuse one whose pixels are not all there.

    A missing end marker alone is no damage: it is put there, as browsers do.

    Args:
        data: begins with `START`.
        colours: "RGB" or "GRAY".
        upright: whether to turn the picture as its EXIF block says. Cameras' pixels stay where
            their calibration has them: False.

    Returns:
        The picture; None where the bytes are no JPEG that can be decoded.

    Raises:
        DamagedJpegError: cut short or damaged, so that a part of the picture would be made up.
    """
    scan = _scan_of(data)
    if scan is None:
        raise DamagedJpegError(f"truncated: a JPEG of {len(data)} bytes that ends in its header")
    if data.find(_END, scan) == -1:
        if simplejpeg is None:
            raise DamagedJpegError(
                f"truncated: a JPEG of {len(data)} bytes without its end marker (with the Python "
                "package simplejpeg, one that lacks nothing else is read)"
            )
        data += _END
    if _is_zeroed(data, scan):
        raise DamagedJpegError(
            f"damaged: {len(_ZEROED)} or more bytes of its scan are zero, as after a lost block"
        )
    if simplejpeg is None or _pixels(data) > _MOST_PIXELS:  # OpenCV says what is too many.
        decoded = _with_opencv(data, colours)
    else:
        decoded = _checked(data, colours)
    if decoded is None or not upright:
        return decoded
    return DecodedJpeg(_turned(decoded.pixels, _orientation(data[:scan])), decoded.remark)


def _checked(data: bytes, colours: str) -> DecodedJpeg | None:
    try:
        return DecodedJpeg(_decode(data, colours, strict=True))
    except ValueError as error:
        said = str(error)
    remark = ""
    if said.startswith("Corrupt JPEG data"):
        loose = _EXTRANEOUS.search(said)
        many = loose is not None and int(loose[1]) > _LOOSE_BYTES
        if loose is None or (many and not _is_padded(data, int(loose[1]))):
            raise DamagedJpegError(f"truncated or damaged: {said.partition(': ')[2]}")
        remark = said.partition(": ")[2]
    try:
        return DecodedJpeg(_decode(data, colours, strict=False), remark)
    except ValueError:  # CMYK, for example, which OpenCV converts.
        return _with_opencv(data, colours)


def _decode(data: bytes, colours: str, *, strict: bool) -> NDArray[np.uint8]:
    pixels: Any = simplejpeg.decode_jpeg(data, colours, strict=strict)
    return np.asarray(pixels[..., 0] if colours == "GRAY" else pixels, np.uint8)


def _with_opencv(data: bytes, colours: str) -> DecodedJpeg | None:
    mode = cv2.IMREAD_GRAYSCALE if colours == "GRAY" else cv2.IMREAD_COLOR
    image = cv2.imdecode(np.frombuffer(data, np.uint8), mode | cv2.IMREAD_IGNORE_ORIENTATION)
    if image is None or image.size == 0:
        return None
    if colours == "RGB":
        image = cv2.cvtColor(image, cv2.COLOR_BGR2RGB)
    return DecodedJpeg(image.astype(np.uint8, copy=False))


def _segments(data: bytes) -> list[tuple[int, int, int]]:
    """Marker, start and end of the body of every segment before the first scan, and of that.

    Stepped over by their length, because a preview picture inside the EXIF block has markers of
    its own.
    """
    found: list[tuple[int, int, int]] = []
    position = len(START)
    while position + 4 <= len(data) and data[position] == 0xFF:
        marker = data[position + 1]
        if marker == 0xFF:
            position += 1
            continue
        if marker in _STANDALONE:
            position += 2
            continue
        end = position + 2 + int.from_bytes(data[position + 2 : position + 4], "big")
        found.append((marker, position + 4, end))
        if marker == _SCAN:
            break
        position = end
    return found


def _pixels(data: bytes) -> int:
    for marker, position, _ in _segments(data):
        if marker in _FRAMES:
            height = int.from_bytes(data[position + 1 : position + 3], "big")
            return height * int.from_bytes(data[position + 3 : position + 5], "big")
    return 0


def _scan_of(data: bytes) -> int | None:
    """Where the coded pixels begin; None where the header does not end."""
    segments = _segments(data)
    return segments[-1][2] if segments and segments[-1][0] == _SCAN else None


def _is_zeroed(data: bytes, scan: int) -> bool:
    """Whether a block of the scan was zeroed, which most decoders take for coefficients.

    Zeros are the shortest code. Where that means "end of block" in all tables, an even surface
    may be coded so; where it means a coefficient, no picture has forty of them on end.
    """
    if data.find(_ZEROED, scan) == -1:
        return False
    body = data[scan : data.find(_END, scan)].rstrip(b"\0")
    segments = _segments(data)
    if _ZEROED not in body or any(marker in _PROGRESSIVE for marker, _, _ in segments):
        return False
    first = _shortest_codes(data, segments)
    return bool(first) and any(symbol != 0 for symbol in first)


def _shortest_codes(data: bytes, segments: list[tuple[int, int, int]]) -> list[int]:
    """What the code of zeros means in each Huffman table of AC coefficients."""
    symbols: list[int] = []
    for marker, position, end in segments:
        while marker == _TABLES and position + 17 < end <= len(data):
            count = sum(data[position + 1 : position + 17])
            if data[position] >> 4 == 1 and count:
                symbols.append(data[position + 17])
            position += 17 + count
    return symbols


def _is_padded(data: bytes, count: int) -> bool:
    """Whether the bytes before the end marker are filling, all alike."""
    end = data.find(_END, _scan_of(data) or 0)
    return len(set(data[max(0, end - count) : end])) == 1


def _orientation(header: bytes) -> int:
    """EXIF orientation, 1 to 8; 1 where there is none that can be read."""
    if b"Exif\0" not in header:
        return 1
    try:
        with Pictures.open(io.BytesIO(header), formats=("JPEG",)) as picture:
            value = picture.getexif().get(_ORIENTATION, 1)
    except Exception:  # A damaged block makes Pillow raise much besides OSError.
        return 1
    return value if isinstance(value, int) and 1 <= value <= 8 else 1


def _turned(pixels: NDArray[np.uint8], orientation: int) -> NDArray[np.uint8]:
    if orientation in (5, 6, 7, 8):
        pixels = np.swapaxes(pixels, 0, 1)
    rows = -1 if orientation in (3, 4, 7, 8) else 1
    columns = -1 if orientation in (2, 3, 6, 7) else 1
    return np.ascontiguousarray(pixels[::rows, ::columns])
