"""Image messages to arrays and back, for every layout a camera may send."""

from __future__ import annotations

import array
import sys
from typing import Any

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from passthrough_reader import ByteOrderError, passthrough
from sensor_msgs.msg import Image
from std_msgs.msg import Header

from affordance_grounding_core.errors import InvalidImageError
from affordance_grounding_ros.images.conversions import (
    array_to_image,
    image_to_array,
    image_to_rgb,
    plain_reader,
    read_with_numpy,
)
from affordance_grounding_ros.images.layouts import (
    BAYER_PATTERNS,
    LAYOUTS,
    UNNAMED_COLOURS,
    ImageMessageError,
)

HAS_CV_BRIDGE = plain_reader() is not read_with_numpy
READERS = [
    pytest.param(read_with_numpy, id="numpy"),
    pytest.param(passthrough, id="passthrough of cv_bridge"),
    pytest.param(
        plain_reader(),
        id="cv_bridge",
        marks=pytest.mark.skipif(
            not HAS_CV_BRIDGE, reason="cv_bridge does not import; it comes with a distribution"
        ),
    ),
]


def message_of(
    values: NDArray[Any], encoding: str, height: int, *, padding: int = 0, big_endian: bool = False
) -> Image:
    """Lay values (rows, bytes of a row) out as a camera would, byte by byte."""
    rows = values.reshape(values.shape[0], -1)
    sent = rows.astype(rows.dtype.newbyteorder(">" if big_endian else "<"))
    data = bytearray()
    for row in sent:
        data += row.tobytes() + b"\xa5" * padding
    return Image(
        header=Header(frame_id="camera"),
        height=height,
        width=values.shape[1],
        encoding=encoding,
        is_bigendian=int(big_endian),
        step=len(data) // values.shape[0],
        data=array.array("B", bytes(data)),
    )


PLAIN = [name for name, layout in LAYOUTS.items() if layout.is_plain]


@st.composite
def plain_images(draw: st.DrawFn) -> tuple[NDArray[Any], Image]:
    encoding = draw(st.sampled_from(PLAIN))
    layout = LAYOUTS[encoding]
    smallest = 2 if encoding.startswith("bayer") else 1
    height, width = draw(st.integers(smallest, 12)), draw(st.integers(smallest, 12))
    random = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    shape = (height, width) if layout.channels == 1 else (height, width, layout.channels)
    if layout.dtype == np.float32:
        values = random.random(shape, np.float32)
    else:
        values = random.integers(0, np.iinfo(layout.dtype).max, shape, layout.dtype, endpoint=True)
    padding = draw(st.integers(0, 7))
    big_endian = draw(st.booleans())
    return values, message_of(values, encoding, height, padding=padding, big_endian=big_endian)


@pytest.mark.parametrize("reader", READERS)
@settings(deadline=None)
@given(plain_images())
def test_values_are_read_whatever_the_padding_and_the_byte_order(
    reader: Any, case: tuple[NDArray[Any], Image]
) -> None:
    values, message = case
    read = image_to_array(message, reader)
    assert read.dtype == values.dtype
    assert read.dtype.isnative
    assert read.flags.c_contiguous
    np.testing.assert_array_equal(read, values)


@settings(deadline=None)
@given(plain_images())
def test_cv_bridge_is_left_out_exactly_where_it_would_read_wrongly(
    case: tuple[NDArray[Any], Image],
) -> None:
    """Both paths agree on every image, though one of them could not read some by itself."""
    values, message = case
    np.testing.assert_array_equal(
        image_to_array(message, passthrough), image_to_array(message, read_with_numpy)
    )
    layout = LAYOUTS[message.encoding]
    other_order = layout.dtype.itemsize > 1 and bool(message.is_bigendian) != (
        sys.byteorder == "big"
    )
    if other_order:
        with pytest.raises(ByteOrderError):
            passthrough(message)
    elif message.step == message.width * layout.pixel_bytes:
        np.testing.assert_array_equal(passthrough(message), values)


@pytest.mark.parametrize("encoding", LAYOUTS)
def test_cv_bridge_is_asked_only_for_what_it_reads_correctly(encoding: str) -> None:
    """Never for padded rows, the other byte order or shared chroma, whatever the encoding."""
    layout = LAYOUTS[encoding]
    asked: list[Image] = []

    def reader(message: Image) -> NDArray[Any]:
        asked.append(message)
        return read_with_numpy(message)

    rows = 4 + int(4 * layout.extra_rows)
    shape = (rows, 6) if layout.channels == 1 else (rows, 6, layout.channels)
    values = np.zeros(shape, layout.dtype)
    native = sys.byteorder == "big"
    image_to_array(message_of(values, encoding, 4, padding=5, big_endian=native), reader)
    assert asked == []
    image_to_array(message_of(values, encoding, 4, big_endian=not native), reader)
    assert bool(asked) == (layout.dtype.itemsize == 1 and layout.is_plain)
    asked.clear()
    image_to_array(message_of(values, encoding, 4, big_endian=native), reader)
    assert bool(asked) == layout.is_plain


@settings(deadline=None)
@given(plain_images())
def test_colours_are_those_of_the_encoding(case: tuple[NDArray[Any], Image]) -> None:
    values, message = case
    rgb = image_to_rgb(message)
    assert rgb.shape == (*values.shape[:2], 3)
    assert rgb.dtype == np.uint8
    encoding = UNNAMED_COLOURS.get(message.encoding, message.encoding)
    if encoding.startswith("bayer"):
        return
    scale = scale_of(values)
    grey = "mono" in encoding or encoding.endswith("C1")
    for channel, letter in enumerate("rgb"):
        seen = values if grey else values[..., encoding.index(letter)]
        assert np.abs(rgb[..., channel] - seen.astype(np.float64) / scale).max() <= 0.5 + 1e-4


def scale_of(values: NDArray[Any]) -> float:
    """What one of 255 levels is in an image's own values."""
    if values.dtype == np.float32:
        return 1.0 / 255.0
    if values.dtype == np.uint8:
        return 1.0
    bits = next(bits for bits in (10, 12, 14, 16) if values.max() < 2**bits)
    return (2**bits - 1) / 255.0


@pytest.mark.parametrize("bits", [10, 12, 14, 16])
@pytest.mark.parametrize("encoding", ["mono16", "16UC1", "rgb16", "bgra16", "bayer_gbrg16"])
def test_white_is_white_however_many_bits_a_camera_fills(encoding: str, bits: int) -> None:
    layout = LAYOUTS[encoding]
    shape = (8, 10) if layout.channels == 1 else (8, 10, layout.channels)
    white = np.full(shape, 2**bits - 1, np.uint16)
    assert (image_to_rgb(message_of(white, encoding, 8, padding=3)) == 255).all()


@settings(deadline=None)
@given(plain_images())
def test_an_image_made_from_an_array_reads_as_that_array(case: tuple[NDArray[Any], Image]) -> None:
    values, message = case
    if message.encoding.startswith("bayer"):
        return
    made = array_to_image(values, message.encoding, message.header)
    assert isinstance(made.data, array.array)
    assert made.step == values.shape[1] * LAYOUTS[message.encoding].pixel_bytes
    assert len(made.data) == made.height * made.step
    assert bool(made.is_bigendian) == (sys.byteorder == "big")
    assert made.header == message.header
    np.testing.assert_array_equal(image_to_array(made), values)


@pytest.mark.parametrize("bits", [8, 16])
@pytest.mark.parametrize("pattern", BAYER_PATTERNS)
@pytest.mark.parametrize("colour", ["red", "green", "blue"])
def test_a_bayer_pattern_begins_where_its_name_says(pattern: str, colour: str, bits: int) -> None:
    lit = np.array([[letter == colour[0] for letter in pattern]]).reshape(2, 2)
    values = np.tile(lit, (6, 8)).astype(f"uint{bits}") * (2**bits - 1)
    values = values.astype(f"uint{bits}")
    rgb = image_to_rgb(message_of(values, f"bayer_{pattern}{bits}", 12, padding=4))
    inner = rgb[2:-2, 2:-2].reshape(-1, 3).mean(axis=0)
    assert int(inner.argmax()) == ["red", "green", "blue"].index(colour)
    assert sorted(inner)[1] == 0


YUV_COLOURS = {"red": (81, 90, 240), "green": (145, 54, 34), "blue": (41, 240, 110)}
"""Pure colours as (Y, U, V) of BT.601, video range."""


@pytest.mark.parametrize("padding", [0, 5])
@pytest.mark.parametrize("colour", YUV_COLOURS)
@pytest.mark.parametrize(
    "encoding", ["uyvy", "yuv422", "yuyv", "yuv422_yuy2", "nv12", "nv21", "nv24"]
)
def test_yuv_comes_out_in_its_colour(encoding: str, colour: str, padding: int) -> None:
    y, u, v = YUV_COLOURS[colour]
    height, width = 6, 8
    if encoding.startswith("nv"):
        pair = [v, u] if encoding == "nv21" else [u, v]
        tiles = (2 * height, width // 2) if encoding == "nv24" else (height // 2, width // 2)
        chroma = np.tile(np.array(pair, np.uint8), tiles)
        values = np.vstack([np.full((height, width), y, np.uint8), chroma])
    else:
        pair = [u, y, v, y] if encoding in ("uyvy", "yuv422") else [y, u, y, v]
        values = np.tile(np.array(pair, np.uint8), (height, width // 2)).reshape(height, width, 2)
    rgb = image_to_rgb(message_of(values, encoding, height, padding=padding))
    assert rgb.shape == (height, width, 3)
    expected = [255 if name == colour else 0 for name in ("red", "green", "blue")]
    assert np.abs(rgb.astype(int) - expected).max() <= 4


def good() -> Image:
    return array_to_image(np.zeros((6, 8, 3), np.uint8), "rgb8", Header())


@pytest.mark.parametrize(
    ("changes", "kind", "expectation"),
    [
        ({"encoding": "RGB8"}, "encoding", "Did the publisher mean 'rgb8'"),
        ({"encoding": "bayer-rggb16"}, "encoding", "Did the publisher mean 'bayer_rggb16'"),
        ({"encoding": "nv24"}, "data", "18 rows"),
        ({"encoding": ""}, "encoding", "expected one of rgb8"),
        ({"encoding": "x" * 100_000}, "encoding", "is not supported"),
        ({"height": 0}, "size", "8 x 0 px"),
        ({"width": 0}, "size", "0 x 6 px"),
        ({"step": 23}, "step", "step is 23 bytes; expected at least 24"),
        ({"step": 0}, "step", "step is 0 bytes"),
        ({"height": 7}, "data", "144 bytes; expected 168"),
        ({"step": 25}, "data", "expected 150 for 6 rows of step 25"),
        ({"height": 2**32 - 1, "width": 2**30, "step": 2**32 - 1}, "data", "has 144 bytes"),
        ({"encoding": "uyvy", "width": 7}, "size", "even sides"),
        ({"encoding": "nv12", "height": 5}, "size", "even sides"),
        ({"encoding": "nv12", "width": 24, "height": 6}, "data", "9 rows"),
        ({"encoding": "bayer_rggb8", "width": 1}, "size", "at least 2 x 2"),
    ],
)
def test_what_contradicts_itself_is_refused(
    changes: dict[str, Any], kind: str, expectation: str
) -> None:
    message = good()
    for name, value in changes.items():
        setattr(message, name, value)
    with pytest.raises(ImageMessageError, match=expectation) as caught:
        image_to_rgb(message)
    assert caught.value.kind == kind
    assert isinstance(caught.value, InvalidImageError)
    assert len(str(caught.value)) < 500


@pytest.mark.parametrize(
    "encoding", ["bgr24", "rgb", "nv16", "nv42", "yuv420", "bayer_rggb12", "8SC3", "yvyu", "mono"]
)
def test_no_hint_names_an_encoding_with_other_channels(encoding: str) -> None:
    message = good()
    message.encoding = encoding
    with pytest.raises(ImageMessageError, match="is not supported") as caught:
        image_to_rgb(message)
    assert "Did the publisher mean" not in str(caught.value)


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf, 1.5, -0.1])
def test_float_images_must_be_grey_levels(value: float) -> None:
    values = np.full((4, 5), 0.5, np.float32)
    values[2, 3] = value
    with pytest.raises(ImageMessageError, match=r"\[0, 1\]") as caught:
        image_to_rgb(array_to_image(values, "32FC1", Header()))
    assert caught.value.kind == "values"


@settings(deadline=None)
@given(
    st.sampled_from([*LAYOUTS, "jpeg", ""]),
    st.integers(0, 9),
    st.integers(0, 9),
    st.integers(0, 60),
    st.booleans(),
    st.binary(max_size=400),
)
def test_any_message_gives_an_image_of_its_size_or_a_named_refusal(
    encoding: str, height: int, width: int, step: int, big_endian: bool, data: bytes
) -> None:
    message = Image(
        height=height,
        width=width,
        encoding=encoding,
        step=step,
        is_bigendian=int(big_endian),
        data=array.array("B", data),
    )
    kind = None
    try:
        rgb = image_to_rgb(message)
    except ImageMessageError as error:
        kind = error.kind
    if kind is None:
        assert rgb.shape == (height, width, 3)
        assert rgb.dtype == np.uint8
    else:
        assert kind in ("encoding", "size", "step", "data", "values")


def test_the_padding_of_the_last_row_may_be_missing() -> None:
    values = np.arange(6 * 8 * 3, dtype=np.uint8).reshape(6, 8, 3)
    message = message_of(values, "rgb8", 6, padding=8)
    message.data = message.data[:-8]
    np.testing.assert_array_equal(image_to_rgb(message), values)


@pytest.mark.parametrize("values", [np.zeros((4, 5)), np.zeros((4, 5, 4), np.uint8)])
def test_an_array_that_does_not_fit_the_encoding_is_refused(values: NDArray[Any]) -> None:
    with pytest.raises(ValueError, match="needs 3 channel"):
        array_to_image(values, "rgb8", Header())


def test_a_large_image_is_not_copied_value_by_value() -> None:
    values = np.zeros((1080, 1920, 3), np.uint8)
    made = array_to_image(values, "rgb8", Header())
    assert isinstance(made.data, array.array)
    assert made.data.typecode == "B"
    assert cv2.countNonZero(image_to_rgb(made)[..., 0]) == 0
