"""What cv_bridge does with "passthrough", for machines without a distribution.

ROS 2's cv_bridge is not on PyPI. This follows the documented behaviour of its Python part: the
encoding gives type and channels; a row is `step` bytes, cut into whole values and, with several
channels, into whole pixels; what lies beyond the width is dropped. A row whose padding is no
whole number of pixels therefore comes out sheared, and a message in the other byte order is
swapped by a call that NumPy 2 has removed. Where cv_bridge is installed, the tests run it too.
"""

from __future__ import annotations

import re
import sys
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sensor_msgs.msg import Image

_KINDS = {"U": "uint", "S": "int", "F": "float"}
_NAMED = {
    "rgb8": (np.uint8, 3),
    "bgr8": (np.uint8, 3),
    "rgba8": (np.uint8, 4),
    "bgra8": (np.uint8, 4),
    "rgb16": (np.uint16, 3),
    "bgr16": (np.uint16, 3),
    "rgba16": (np.uint16, 4),
    "bgra16": (np.uint16, 4),
    "mono8": (np.uint8, 1),
    "mono16": (np.uint16, 1),
}


class ByteOrderError(AttributeError):
    """What NumPy 2 raises inside cv_bridge for a message in the other byte order."""


def passthrough(message: Image) -> NDArray[Any]:
    """Read the values of an image message as cv_bridge does."""
    dtype, channels = _type_of(message.encoding)
    if dtype.itemsize > 1 and bool(message.is_bigendian) != (sys.byteorder == "big"):
        raise ByteOrderError("`newbyteorder` was removed from the ndarray class in NumPy 2.0")
    per_row = message.step // dtype.itemsize // channels
    shape = (message.height, per_row) if channels == 1 else (message.height, per_row, channels)
    values: NDArray[Any] = np.ndarray(shape, dtype, buffer=message.data)
    return np.ascontiguousarray(values[:, : message.width])


def _type_of(encoding: str) -> tuple[np.dtype[Any], int]:
    if encoding in _NAMED:
        dtype, channels = _NAMED[encoding]
        return np.dtype(dtype), channels
    if encoding.startswith("bayer_"):
        return np.dtype(np.uint16 if encoding.endswith("16") else np.uint8), 1
    found = re.fullmatch(r"(8|16|32|64)(U|S|F)C(\d+)", encoding)
    if not found:
        raise ValueError(f"Unrecognized image encoding [{encoding}]")
    bits, kind, channels = found.groups()
    return np.dtype(f"{_KINDS[kind]}{bits}"), int(channels)
