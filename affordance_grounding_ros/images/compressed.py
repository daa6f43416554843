"""From sensor_msgs/CompressedImage to colours, trusting nothing the bytes say."""

from __future__ import annotations

import io
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image as Pictures
from PIL import UnidentifiedImageError
from sensor_msgs.msg import CompressedImage, Image

from affordance_grounding_core.actions.vocabulary import abbreviate
from affordance_grounding_ros.images.conversions import image_to_rgb
from affordance_grounding_ros.images.layouts import ImageMessageError

MAXIMUM_PIXELS = 64 * 2**20
"""More is refused before it is unpacked: an 8K camera has half of it, and a few kilobytes of PNG
can unpack to gigabytes."""

_FORMATS = ("JPEG", "PNG")
_TOPIC_SUFFIX = "/compressed"


def message_to_rgb(message: Image | CompressedImage) -> NDArray[np.uint8]:
    """Read an image message of either kind as colours.

    Args:
        message: sensor_msgs/Image or sensor_msgs/CompressedImage.

    Returns:
        (H, W, 3) uint8, RGB, contiguous, a copy.

    Raises:
        ImageMessageError: it cannot be read.
    """
    if isinstance(message, CompressedImage):
        return compressed_to_rgb(message)
    return image_to_rgb(message)


def encoding_of(message: Image | CompressedImage) -> str:
    """What a message of either kind says about its pixels."""
    return str(message.format if isinstance(message, CompressedImage) else message.encoding)


def compressed_topic(topic: str) -> str:
    """Where image_transport publishes the compressed images of a topic.

    Args:
        topic: full name of the raw images' topic, after remapping; or already of the compressed.
    """
    return topic if topic.endswith(_TOPIC_SUFFIX) else topic + _TOPIC_SUFFIX


def compressed_to_rgb(message: CompressedImage) -> NDArray[np.uint8]:
    """Unpack a JPEG or PNG image.

    What it is, is told from the bytes; of `format` only "compressed rgb8" is believed, by which
    image_transport says that the channels were stored the wrong way round. A rotation that the
    file asks for is not applied: a camera's pixels stay where its calibration has them.

    Args:
        message: as image_transport's "compressed" publishes it.

    Returns:
        (H, W, 3) uint8, RGB, contiguous. Levels of 16 bits are rounded to 8; transparency is
        dropped.

    Raises:
        ImageMessageError: not JPEG or PNG, cut short, damaged, or of too many pixels.
    """
    if "compressedDepth" in message.format:
        raise ImageMessageError(
            "encoding",
            f"compressed image of format {abbreviate(message.format)} is depth; expected jpeg or "
            "png colours: remap 'image' to the colour topic",
        )
    data = bytes(message.data)
    try:
        with Pictures.open(io.BytesIO(data), formats=_FORMATS) as picture:
            _check_size(picture.size)
            picture.load()
            rgb = _colours(picture)
    except ImageMessageError:
        raise
    except Pictures.DecompressionBombError as error:
        raise ImageMessageError("size", f"compressed image refused: {error}") from error
    except UnidentifiedImageError as error:
        raise ImageMessageError(
            "encoding",
            f"compressed image of format {abbreviate(message.format)} and {len(data)} bytes "
            f"beginning {data[:8].hex(' ') or '(none)'} is neither JPEG nor PNG: let the camera "
            "publish one of them, or set the parameter 'image_transport' to 'raw'",
        ) from error
    except Exception as error:  # Damaged bytes make the decoder raise much besides OSError.
        raise ImageMessageError(
            "data",
            f"compressed image of format {abbreviate(message.format)} and {len(data)} bytes "
            f"cannot be unpacked ({abbreviate(str(error))}): it was cut short or damaged on the "
            "way",
        ) from error
    if "compressed rgb8" in message.format:
        rgb = rgb[..., ::-1]
    return np.ascontiguousarray(rgb)


def _check_size(size: tuple[int, int]) -> None:
    width, height = size
    if width * height > MAXIMUM_PIXELS:
        raise ImageMessageError(
            "size",
            f"compressed image is {width} x {height} px; expected at most {MAXIMUM_PIXELS} "
            "pixels: let the camera publish smaller images",
        )


def _colours(picture: Any) -> NDArray[np.uint8]:
    if picture.mode.startswith("I"):  # 16-bit grey; 65535 / 257 = 255 exactly.
        values = np.asarray(picture).astype(np.uint32)
        grey = ((values + 128) // 257).astype(np.uint8)
        return np.repeat(grey[..., None], 3, axis=-1)
    return np.asarray(picture.convert("RGB"), np.uint8)
