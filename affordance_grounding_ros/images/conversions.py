"""Between sensor_msgs/Image and arrays.

NumPy reads the bytes, honouring `step` and `is_bigendian`; OpenCV converts colours. A
distribution's cv_bridge is used only to pass values through and only for the plain layouts it
reads correctly: its colour conversion breaks under NumPy 2, big-endian images break in its
Python part, and rows padded to other than whole pixels come out sheared.
"""

from __future__ import annotations

import array
import functools
import sys
from collections.abc import Callable
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from sensor_msgs.msg import Image
from std_msgs.msg import Header

from affordance_grounding_core.images import RgbImage
from affordance_grounding_ros.images.layouts import (
    LAYOUTS,
    UNNAMED_COLOURS,
    ImageLayout,
    ImageMessage,
    ImageMessageError,
    check_layout,
)
from affordance_grounding_ros.images.levels import LevelRange

Reader = Callable[[Any], NDArray[Any]]

# OpenCV names a Bayer pattern by its second row, ROS by its first.
_COLOUR_CODES = {
    "bgr8": cv2.COLOR_BGR2RGB,
    "rgba8": cv2.COLOR_RGBA2RGB,
    "bgra8": cv2.COLOR_BGRA2RGB,
    "mono8": cv2.COLOR_GRAY2RGB,
    "bayer_rggb8": cv2.COLOR_BayerBG2RGB,
    "bayer_bggr8": cv2.COLOR_BayerRG2RGB,
    "bayer_gbrg8": cv2.COLOR_BayerGR2RGB,
    "bayer_grbg8": cv2.COLOR_BayerGB2RGB,
    "8UC1": cv2.COLOR_GRAY2RGB,
    "uyvy": cv2.COLOR_YUV2RGB_UYVY,
    "yuv422": cv2.COLOR_YUV2RGB_UYVY,
    "yuyv": cv2.COLOR_YUV2RGB_YUY2,
    "yuv422_yuy2": cv2.COLOR_YUV2RGB_YUY2,
    "nv12": cv2.COLOR_YUV2RGB_NV12,
    "nv21": cv2.COLOR_YUV2RGB_NV21,
}


def image_to_rgb(message: Image, levels: LevelRange | None = None) -> RgbImage:
    """Read an image message as colours.

    Args:
        message: any encoding of `layouts.LAYOUTS`. Floats are grey in [0, 1]; channels without a
            name are taken as `layouts.UNNAMED_COLOURS`.
        levels: range of the 16-bit levels of the stream it belongs to; this image alone tells
            where None.

    Returns:
        The picture, contiguous, a copy.

    Raises:
        ImageMessageError: an unsupported encoding, sizes that contradict each other, or float
            values that are not finite or not in [0, 1].
    """
    encoding = UNNAMED_COLOURS.get(message.encoding, message.encoding)
    if encoding in _COLOUR_CODES:  # Their colours are a copy; the values need not be one.
        check_layout(message)
        return np.asarray(cv2.cvtColor(_view(message), _COLOUR_CODES[encoding]), np.uint8)
    values = image_to_array(message)
    if encoding == "32FC1":
        values = _grey_from_float(values)
    elif values.dtype == np.uint16:
        values = (levels or LevelRange()).narrow(values)
        encoding = "mono8" if encoding == "16UC1" else encoding.removesuffix("16") + "8"
    if encoding == "rgb8":
        return values
    if encoding == "nv24":
        return _rgb_from_nv24(values, message.height)
    code = _COLOUR_CODES.get(encoding, cv2.COLOR_GRAY2RGB)
    return np.asarray(cv2.cvtColor(values, code), np.uint8)


def image_to_array(message: Image, reader: Reader | None = None) -> NDArray[Any]:
    """Read the values of an image message as they are, without converting colours.

    Args:
        message: any encoding of `layouts.LAYOUTS`.
        reader: reads the bytes of a plain layout; cv_bridge where it is installed, else NumPy.

    Returns:
        (H, W) or (H, W, channels), contiguous, a copy in the machine's byte order; uint8,
        uint16 or float32. Packed YUV has 2 channels; NV12 and NV21 are (1.5 H, W), NV24 is
        (3 H, W).

    Raises:
        ImageMessageError: an unsupported encoding or sizes that contradict each other.
    """
    layout = check_layout(message)
    if _is_plain(message, layout):
        return (reader or plain_reader())(message)
    return read_with_numpy(message)


def read_with_numpy(message: Image) -> NDArray[Any]:
    """Read the values of a checked image message, honouring its step and byte order.

    Args:
        message: accepted by `check_layout`.

    Returns:
        As `image_to_array`.
    """
    return np.array(_view(message), LAYOUTS[message.encoding].dtype, order="C", copy=True)


def _view(message: Image) -> NDArray[Any]:
    """The values of a checked image message where they lie, in the byte order they were sent in."""
    layout = LAYOUTS[message.encoding]
    rows = message.height + int(message.height * layout.extra_rows)
    sent = layout.dtype.newbyteorder(">" if message.is_bigendian else "<")
    shape: tuple[int, ...] = (rows, message.width)
    strides: tuple[int, ...] = (message.step, layout.pixel_bytes)
    if layout.channels > 1:
        shape, strides = (*shape, layout.channels), (*strides, layout.dtype.itemsize)
    return np.ndarray(shape, sent, buffer=_buffer(message), strides=strides)


@functools.cache
def plain_reader() -> Reader:
    """Reader of plain layouts: cv_bridge where it imports, NumPy elsewhere."""
    try:
        from cv_bridge import CvBridge
    except Exception:  # A build against another NumPy raises more than ImportError.
        return read_with_numpy
    return functools.partial(CvBridge().imgmsg_to_cv2, desired_encoding="passthrough")


def array_to_image(values: NDArray[Any], encoding: str, header: Header) -> Image:
    """Make an image message.

    Args:
        values: (H, W) or (H, W, channels) of the encoding's type.
        encoding: "rgb8", "bgr8", "rgba8", "bgra8", "mono8", "mono16", "16UC1" or "32FC1".
        header: stamp and frame of the message.

    Returns:
        The image, without padding, in the machine's byte order.

    Raises:
        ValueError: values of another shape or type than the encoding has.
    """
    layout = LAYOUTS[encoding]
    shape = values.shape if values.ndim == 3 else (*values.shape, 1)
    if values.dtype != layout.dtype or len(shape) != 3 or shape[2] != layout.channels:
        raise ValueError(
            f"{encoding} image needs {layout.channels} channel(s) of {layout.dtype}, got shape "
            f"{values.shape} of {values.dtype}"
        )
    # Any other sequence of bytes is copied value by value by the message's setter.
    data = array.array("B")
    data.frombytes(np.ascontiguousarray(values).reshape(-1).view(np.uint8).data)
    message = Image(
        header=header,
        height=shape[0],
        width=shape[1],
        encoding=encoding,
        is_bigendian=int(sys.byteorder == "big"),
        step=shape[1] * layout.pixel_bytes,
    )
    message.data = data  # The constructor would copy it once more.
    return message


def _is_plain(message: ImageMessage, layout: ImageLayout) -> bool:
    """Whether rows follow each other without padding, one pixel a column, in our byte order."""
    ours = layout.dtype.itemsize == 1 or bool(message.is_bigendian) == (sys.byteorder == "big")
    no_padding = message.step == message.width * layout.pixel_bytes
    length = message.height * message.step
    whole = len(message.data) == length  # type: ignore[arg-type]
    return ours and no_padding and whole and layout.is_plain


def _buffer(message: ImageMessage) -> memoryview:
    data = message.data
    return memoryview(data if isinstance(data, array.array | bytes | bytearray) else bytes(data))  # type: ignore[call-overload]


def _rgb_from_nv24(planes: NDArray[np.uint8], height: int) -> NDArray[np.uint8]:
    """NV24 has the chroma of NV12 for every pixel; OpenCV knows NV12, so each pixel becomes four.

    Args:
        planes: (3 H, W) uint8: luma, then two values of chroma a pixel.
        height: H, px.
    """
    luma = planes[:height].repeat(2, axis=0).repeat(2, axis=1)
    chroma = planes[height:].reshape(height, -1)
    rgb = cv2.cvtColor(np.vstack([luma, chroma]), cv2.COLOR_YUV2RGB_NV12)
    return np.ascontiguousarray(rgb[::2, ::2], np.uint8)


def _grey_from_float(values: NDArray[np.float32]) -> NDArray[np.uint8]:
    finite = np.isfinite(values)
    if not finite.all():
        raise ImageMessageError(
            "values",
            f"32FC1 image has {int((~finite).sum())} values of {values.size} that are NaN or "
            "infinite; expected finite grey levels in [0, 1]: this looks like a depth image; "
            "remap 'image' to a colour topic",
        )
    low, high = float(values.min()), float(values.max())
    if low < 0.0 or high > 1.0:
        raise ImageMessageError(
            "values",
            f"32FC1 image has values in [{low:g}, {high:g}]; expected grey levels in [0, 1]: "
            "this looks like a depth image; remap 'image' to a colour topic, or scale it",
        )
    grey: NDArray[np.uint8] = np.rint(values * 255.0).astype(np.uint8)
    return grey
