"""From sensor_msgs/CompressedImage to colours, trusting nothing the bytes say."""

from __future__ import annotations

import io
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image as Pictures
from PIL import UnidentifiedImageError
from sensor_msgs.msg import CompressedImage, Image

from affordance_grounding_core.actions.vocabulary import abbreviate
from affordance_grounding_core.images import RgbImage
from affordance_grounding_core.images.jpeg import decode_jpeg
from affordance_grounding_ros.images.layouts import ImageMessageError
from affordance_grounding_ros.images.levels import LevelRange

MAXIMUM_PIXELS = 64 * 2**20
"""More is refused before it is unpacked: an 8K camera has half of it, and a few kilobytes of PNG
can unpack to gigabytes."""

_FORMATS = ("JPEG", "PNG")
_TOPIC_SUFFIX = "/compressed"


def encoding_of(message: Image | CompressedImage) -> str:
    """Description of the pixels of a message of either kind."""
    return str(message.format if isinstance(message, CompressedImage) else message.encoding)


def compressed_topic(topic: str) -> str:
    """Name of the topic on which image_transport publishes a topic's compressed images.

    Args:
        topic: full name of the raw images' topic, after remapping; or already of the compressed.
    """
    return topic if topic.endswith(_TOPIC_SUFFIX) else topic + _TOPIC_SUFFIX


def compressed_to_rgb(
    message: CompressedImage,
    levels: LevelRange | None = None,
    remark: Callable[[str], object] = lambda _: None,
) -> RgbImage:
    """Unpack a JPEG or PNG image.

    What it is, is told from the bytes; of `format` only "compressed rgb8" is believed, by which
    image_transport says that the channels were stored the wrong way round. A rotation that the
    file asks for is not applied: a camera's pixels stay where its calibration has them.

    Args:
        message: message in the form of image_transport's "compressed".
        levels: range of the 16-bit levels of the stream it belongs to; this image alone tells
            where None.
        remark: told what is odd about the bytes of an image that is whole all the same.

    Returns:
        The picture, contiguous. Levels of 16 bits become 8; transparency is dropped.

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
    said = f"compressed image of format {abbreviate(message.format)} and {len(data)} bytes"
    try:
        with Pictures.open(io.BytesIO(data), formats=_FORMATS) as picture:
            _check_size(picture.size)
            if picture.format == "JPEG":
                rgb = _jpeg_colours(data, remark)
            else:
                picture.load()
                rgb = _png_colours(picture, levels or LevelRange())
    except ImageMessageError:
        raise
    except Pictures.DecompressionBombError as error:
        raise ImageMessageError("size", f"compressed image refused: {error}") from error
    except UnidentifiedImageError as error:
        raise ImageMessageError(
            "encoding",
            f"{said} beginning {data[:8].hex(' ') or '(none)'} is neither JPEG nor PNG: let the "
            "camera publish one of them, or set the parameter 'image_transport' to 'raw'",
        ) from error
    except Exception as error:  # Damaged bytes make the decoder raise much besides OSError.
        raise ImageMessageError(
            "data",
            f"{said} cannot be unpacked ({abbreviate(str(error), 200)}): it was cut short or "
            "damaged on the way",
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


def _jpeg_colours(data: bytes, remark: Callable[[str], object]) -> NDArray[np.uint8]:
    decoded = decode_jpeg(data, upright=False)
    if decoded is None:
        raise ValueError("no decoder knows it")
    if decoded.remark:
        remark(f"compressed images are odd, but whole: {decoded.remark}")
    return decoded.pixels


def _png_colours(picture: Any, levels: LevelRange) -> NDArray[np.uint8]:
    if picture.mode.startswith("I"):
        grey = levels.narrow(np.asarray(picture).astype(np.uint16))
        return np.repeat(grey[..., None], 3, axis=-1)
    return np.asarray(picture.convert("RGB"), np.uint8)
