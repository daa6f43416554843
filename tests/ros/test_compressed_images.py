"""Compressed images become colours, or are refused before they can do harm."""

from __future__ import annotations

import array
import io
import struct
import zlib

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from PIL import Image as Pictures
from sensor_msgs.msg import CompressedImage

from affordance_grounding_ros.images.compressed import (
    MAXIMUM_PIXELS,
    compressed_to_rgb,
    compressed_topic,
    encoding_of,
)
from affordance_grounding_ros.images.conversions import array_to_image
from affordance_grounding_ros.images.layouts import ImageMessageError
from affordance_grounding_ros.images.reader import ImageReader


def message(data: bytes, name: str = "jpeg") -> CompressedImage:
    return CompressedImage(format=name, data=array.array("B", data))


def packed(values: NDArray[np.uint8], suffix: str = ".png") -> bytes:
    """As image_transport packs RGB values: by OpenCV, which takes BGR."""
    return cv2.imencode(suffix, values[..., ::-1] if values.ndim == 3 else values)[1].tobytes()


def smooth(height: int = 48, width: int = 64) -> NDArray[np.uint8]:
    rows, columns = np.indices((height, width))
    return np.stack([4 * rows, 3 * columns, 255 - 3 * columns], -1).clip(0, 255).astype(np.uint8)


@settings(deadline=None)
@given(st.integers(1, 40), st.integers(1, 40), st.integers(0, 2**32 - 1))
def test_png_comes_out_as_it_went_in(height: int, width: int, seed: int) -> None:
    values = np.random.default_rng(seed).integers(0, 256, (height, width, 3), np.uint8)
    rgb = compressed_to_rgb(message(packed(values), "rgb8; png compressed bgr8"))
    assert rgb.flags.c_contiguous
    np.testing.assert_array_equal(rgb, values)


def test_jpeg_comes_out_nearly_as_it_went_in() -> None:
    values = smooth()
    rgb = compressed_to_rgb(message(packed(values, ".jpg"), "bgr8; jpeg compressed bgr8"))
    assert rgb.shape == values.shape
    assert np.abs(rgb.astype(int) - values).mean() < 4.0


def test_channels_stored_the_wrong_way_round_are_turned_back() -> None:
    values = smooth()
    swapped = packed(np.ascontiguousarray(values[..., ::-1]))
    rgb = compressed_to_rgb(message(swapped, "rgb8; png compressed rgb8"))
    np.testing.assert_array_equal(rgb, values)


def test_grey_levels_of_16_bits_are_rounded() -> None:
    values = np.array([[0, 257, 65535, 128, 129]], np.uint16)
    rgb = compressed_to_rgb(message(packed(values), "mono16; png compressed"))
    np.testing.assert_array_equal(rgb[0, :, 0], [0, 1, 255, 0, 1])
    assert (rgb == rgb[..., :1]).all()


def test_a_rotation_the_file_asks_for_is_not_applied() -> None:
    turned = Pictures.Exif()
    turned[0x0112] = 6
    data = io.BytesIO()
    Pictures.fromarray(smooth(20, 30)).save(data, "JPEG", exif=turned)
    assert compressed_to_rgb(message(data.getvalue())).shape == (20, 30, 3)


def test_transparency_is_dropped() -> None:
    data = io.BytesIO()
    rgba = np.dstack([smooth(), np.full((48, 64), 7, np.uint8)])
    Pictures.fromarray(rgba).save(data, "PNG")
    np.testing.assert_array_equal(compressed_to_rgb(message(data.getvalue())), smooth())


def png_header(width: int, height: int) -> bytes:
    """A PNG that claims a size and holds nothing."""
    body = b"IHDR" + struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    chunk = struct.pack(">I", 13) + body + struct.pack(">I", zlib.crc32(body))
    # The pixels' chunk begins, and its content is missing.
    return b"\x89PNG\r\n\x1a\n" + chunk + struct.pack(">I", 1000) + b"IDAT"


@pytest.mark.parametrize(
    ("data", "name", "kind", "expectation"),
    [
        (b"", "jpeg", "encoding", "neither JPEG nor PNG"),
        (b"\xff\xd8\xff", "jpeg", "encoding", "ff d8 ff"),
        (b"GIF89a" + bytes(50), "gif", "encoding", "neither JPEG nor PNG"),
        (packed(smooth(), ".bmp"), "bmp", "encoding", "neither JPEG nor PNG"),
        (packed(smooth(), ".jpg")[:-300], "jpeg", "data", "cut short or damaged"),
        (packed(smooth())[:-300], "png", "data", "cut short or damaged"),
        (png_header(64, 48), "png", "data", "cut short or damaged"),
        (png_header(9000, 9000), "png", "size", "9000 x 9000 px; expected at most"),
        (png_header(2**31 - 1, 2**31 - 1), "png", "size", "refused"),
        (packed(smooth()), "16UC1; compressedDepth png", "encoding", "is depth"),
        (b"junk", "x" * 100_000, "encoding", "neither JPEG nor PNG"),
    ],
    ids=[
        "nothing",
        "three bytes",
        "GIF",
        "BMP",
        "short JPEG",
        "short PNG",
        "PNG without pixels",
        "too many pixels",
        "bomb",
        "depth",
        "junk",
    ],
)
def test_what_cannot_be_unpacked_is_refused(
    data: bytes, name: str, kind: str, expectation: str
) -> None:
    with pytest.raises(ImageMessageError, match=expectation) as caught:
        compressed_to_rgb(message(data, name))
    assert caught.value.kind == kind
    assert len(str(caught.value)) < 600


def test_a_picture_with_a_damaged_checksum_is_refused() -> None:
    data = bytearray(packed(smooth()))
    data[len(data) // 2] ^= 0xFF
    with pytest.raises(ImageMessageError):
        compressed_to_rgb(message(bytes(data), "png"))


@settings(deadline=None, max_examples=60)
@given(
    st.sampled_from([".jpg", ".png"]),
    st.lists(st.tuples(st.integers(0, 2000), st.integers(0, 255)), max_size=8),
    st.integers(0, 2000),
)
def test_damaged_bytes_give_an_image_or_a_named_refusal(
    suffix: str, changes: list[tuple[int, int]], length: int
) -> None:
    data = bytearray(packed(smooth(), suffix))
    for place, value in changes:
        data[place % len(data)] = value
    try:
        rgb = compressed_to_rgb(message(bytes(data[: max(1, length)])))
    except ImageMessageError as error:
        assert error.kind in ("encoding", "size", "data")  # noqa: PT017 - both ends are allowed.
        return
    assert rgb.dtype == np.uint8
    assert rgb.ndim == 3
    assert rgb.shape[2] == 3
    assert rgb.size <= 3 * MAXIMUM_PIXELS


def test_either_kind_of_message_is_read() -> None:
    compressed = message(packed(smooth()), "png")
    raw = array_to_image(smooth(), "rgb8", compressed.header)
    reader = ImageReader()
    np.testing.assert_array_equal(reader.read(compressed), reader.read(raw))
    assert (encoding_of(compressed), encoding_of(raw)) == ("png", "rgb8")


def test_a_jpeg_without_its_end_marker_is_read_as_browsers_do() -> None:
    pytest.importorskip("simplejpeg", reason="simplejpeg hears what libjpeg says of the bytes")
    data = packed(smooth(), ".jpg")
    assert data.endswith(b"\xff\xd9")
    whole = compressed_to_rgb(message(data))
    np.testing.assert_array_equal(compressed_to_rgb(message(data[:-2])), whole)


def test_a_jpeg_with_zeroed_bytes_in_its_scan_is_refused() -> None:
    random = np.random.default_rng(1).integers(0, 256, (96, 128, 3), np.uint8)
    data = bytearray(packed(cv2.GaussianBlur(random, (5, 5), 2.0), ".jpg"))
    data[len(data) // 2 : len(data) // 2 + 30] = bytes(30)
    with pytest.raises(ImageMessageError, match="damaged") as caught:
        compressed_to_rgb(message(bytes(data)))
    assert caught.value.kind == "data"


def test_the_topic_is_that_of_image_transport() -> None:
    assert compressed_topic("/camera/image_raw") == "/camera/image_raw/compressed"
    assert compressed_topic("/camera/image_raw/compressed") == "/camera/image_raw/compressed"
