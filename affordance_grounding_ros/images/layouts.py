"""How the pixels of a sensor_msgs/Image lie in its bytes, and what makes one unreadable."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Protocol

import numpy as np

from affordance_grounding_core.actions.vocabulary import abbreviate
from affordance_grounding_core.errors import InvalidImageError


class ImageMessage(Protocol):
    """The fields of sensor_msgs/Image that matter here."""

    height: int
    width: int
    encoding: str
    is_bigendian: int
    step: int
    data: object


class ImageMessageError(InvalidImageError):
    """An image message that cannot be read.

    Attributes:
        kind: what is wrong, from a small fixed set: "encoding", "size", "step", "data", "values".
    """

    def __init__(self, kind: str, message: str) -> None:
        super().__init__(message)
        self.kind = kind


@dataclass(frozen=True)
class ImageLayout:
    """Layout of one encoding.

    Attributes:
        dtype: type of one value, in the machine's byte order.
        channels: values of one pixel; 2 for packed YUV 4:2:2, 1 for YUV in planes.
        extra_rows: rows of the buffer beyond the height, as a share of it, where a plane of
            chroma follows the plane of luma: 0.5 for NV12 and NV21, 2 for NV24.
        even_width: chroma is shared by two neighbours in a row.
        even_height: chroma is shared by two rows.
    """

    dtype: np.dtype[np.generic]
    channels: int
    extra_rows: float = 0.0
    even_width: bool = False
    even_height: bool = False

    @property
    def pixel_bytes(self) -> int:
        """Bytes of one pixel in a row."""
        return self.channels * self.dtype.itemsize

    @property
    def is_plain(self) -> bool:
        """Whether every pixel has its own values, which lie side by side."""
        return not self.extra_rows and not self.even_width


BAYER_PATTERNS = ("rggb", "bggr", "gbrg", "grbg")
"""Colours of the first two pixels and of the two below them."""

UNNAMED_COLOURS: Mapping[str, str] = MappingProxyType(
    {"8UC3": "bgr8", "8UC4": "bgra8", "16UC3": "bgr16", "16UC4": "bgra16"}
)
"""Encodings that say how many channels there are but not which, to what they are taken for: the
order of OpenCV, whose users send such images."""

_BYTE = np.dtype(np.uint8)
_WORD = np.dtype(np.uint16)
_FLOAT = np.dtype(np.float32)
_PACKED_YUV = ImageLayout(_BYTE, 2, even_width=True)
_QUARTER_CHROMA = ImageLayout(_BYTE, 1, extra_rows=0.5, even_width=True, even_height=True)

LAYOUTS: Mapping[str, ImageLayout] = MappingProxyType(
    {
        "rgb8": ImageLayout(_BYTE, 3),
        "bgr8": ImageLayout(_BYTE, 3),
        "rgba8": ImageLayout(_BYTE, 4),
        "bgra8": ImageLayout(_BYTE, 4),
        "mono8": ImageLayout(_BYTE, 1),
        "rgb16": ImageLayout(_WORD, 3),
        "bgr16": ImageLayout(_WORD, 3),
        "rgba16": ImageLayout(_WORD, 4),
        "bgra16": ImageLayout(_WORD, 4),
        "mono16": ImageLayout(_WORD, 1),
        "8UC1": ImageLayout(_BYTE, 1),
        "8UC3": ImageLayout(_BYTE, 3),
        "8UC4": ImageLayout(_BYTE, 4),
        "16UC1": ImageLayout(_WORD, 1),
        "16UC3": ImageLayout(_WORD, 3),
        "16UC4": ImageLayout(_WORD, 4),
        "32FC1": ImageLayout(_FLOAT, 1),
        **{f"bayer_{pattern}8": ImageLayout(_BYTE, 1) for pattern in BAYER_PATTERNS},
        **{f"bayer_{pattern}16": ImageLayout(_WORD, 1) for pattern in BAYER_PATTERNS},
        "uyvy": _PACKED_YUV,
        "yuv422": _PACKED_YUV,
        "yuyv": _PACKED_YUV,
        "yuv422_yuy2": _PACKED_YUV,
        "nv12": _QUARTER_CHROMA,
        "nv21": _QUARTER_CHROMA,
        "nv24": ImageLayout(_BYTE, 1, extra_rows=2.0),
    }
)
"""Encodings that can be read, as sensor_msgs spells them; "yuv422" is its old name of UYVY."""


def check_layout(message: ImageMessage) -> ImageLayout:
    """Check that the bytes of an image message can hold what its fields say.

    Args:
        message: a sensor_msgs/Image.

    Returns:
        Layout of the message's encoding.

    Raises:
        ImageMessageError: unsupported encoding, zero or odd size, step smaller than a row, or
            less data than height and step ask for.
    """
    layout = LAYOUTS.get(message.encoding)
    if layout is None:
        raise ImageMessageError("encoding", _unsupported(message.encoding))
    _check_size(message, layout)
    row_bytes = message.width * layout.pixel_bytes
    if message.step < row_bytes:
        raise ImageMessageError(
            "step",
            f"image step is {message.step} bytes; expected at least {row_bytes}, because a row "
            f"has {message.width} {message.encoding} pixels of {layout.pixel_bytes} bytes: the "
            "publisher must set step to the bytes of a row, padding included",
        )
    rows = message.height + int(message.height * layout.extra_rows)
    # The padding of the last row may be missing: nothing reads it.
    expected, length = (rows - 1) * message.step + row_bytes, len(message.data)  # type: ignore[arg-type]
    if length < expected:
        raise ImageMessageError(
            "data",
            f"image data has {length} bytes; expected {rows * message.step} for {rows} rows of "
            f"step {message.step} ({message.width} x {message.height} {message.encoding}): the "
            "message was cut short, or its publisher set height or step wrongly",
        )
    return layout


def _unsupported(encoding: str) -> str:
    # Only another spelling of the same name: one that is merely like it may swap the colours.
    spelt = {_letters(name): name for name in LAYOUTS}.get(_letters(encoding[:64]))
    hint = f" Did the publisher mean {spelt!r}?" if spelt else ""
    return (
        f"image encoding {abbreviate(encoding)} is not supported; expected one of "
        f"{', '.join(LAYOUTS)}.{hint} Convert the images with image_proc, or let the camera "
        "driver publish another encoding"
    )


def _letters(encoding: str) -> str:
    return "".join(character for character in encoding.lower() if character.isalnum())


def _check_size(message: ImageMessage, layout: ImageLayout) -> None:
    if message.width < 1 or message.height < 1:
        raise ImageMessageError(
            "size",
            f"image is {message.width} x {message.height} px; expected at least 1 x 1: the "
            "publisher sent an image without pixels",
        )
    odd_width = layout.even_width and message.width % 2
    odd_height = layout.even_height and message.height % 2
    if odd_width or odd_height:
        raise ImageMessageError(
            "size",
            f"image is {message.width} x {message.height} px; expected even sides, because "
            f"{message.encoding} shares colour between neighbouring pixels: crop it at the "
            "publisher",
        )
    if message.encoding.startswith("bayer_") and min(message.width, message.height) < 2:
        raise ImageMessageError(
            "size",
            f"image is {message.width} x {message.height} px; expected at least 2 x 2 for "
            f"{message.encoding}, whose colours repeat every two pixels",
        )
