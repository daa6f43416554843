"""What the reader of a camera's images has to guess, and that it says so once."""

from __future__ import annotations

import array

import cv2
import numpy as np
from numpy.typing import NDArray
from sensor_msgs.msg import CompressedImage, Image
from std_msgs.msg import Header

from affordance_grounding_ros.images.conversions import array_to_image
from affordance_grounding_ros.images.reader import ImageReader


def colours(height: int = 12, width: int = 16) -> NDArray[np.uint8]:
    rows, columns = np.indices((height, width))
    return np.stack([20 * rows, 15 * columns, 255 - 15 * columns], -1).astype(np.uint8)


def test_channels_without_names_are_those_of_opencv_and_that_is_said_once() -> None:
    said: list[str] = []
    reader = ImageReader(said.append)
    message = array_to_image(colours()[..., ::-1], "8UC3", Header())
    for _ in range(3):
        np.testing.assert_array_equal(reader.read(message), colours())
    assert len(said) == 1
    assert "8UC3 does not say which channel is red: taken for bgr8" in said[0]


def test_named_encodings_need_no_word() -> None:
    said: list[str] = []
    reader = ImageReader(said.append)
    full = np.full((4, 5), 65535, np.uint16)
    for message in (
        array_to_image(colours(), "rgb8", Header()),
        array_to_image(colours()[..., 0], "8UC1", Header()),
        array_to_image(full, "mono16", Header()),
    ):
        reader.read(message)
    assert said == []


def grey(values: NDArray[np.uint16]) -> Image:
    return array_to_image(values, "mono16", Header())


def test_a_stream_keeps_the_range_its_brightest_image_has_shown() -> None:
    said: list[str] = []
    reader = ImageReader(said.append)
    dark, bright = np.full((4, 5), 900, np.uint16), np.full((4, 5), 4095, np.uint16)
    assert (reader.read(grey(dark)) == round(900 * 255 / 1023)).all()
    assert (reader.read(grey(bright)) == 255).all()
    assert (reader.read(grey(dark)) == round(900 * 255 / 4095)).all()
    assert [line.split(",")[0] for line in said] == [
        "levels of 'mono16' images fit 10 of 16 bits",
        "levels of 'mono16' images fit 12 of 16 bits",
    ]


def test_compressed_grey_of_12_bits_is_as_bright_as_raw() -> None:
    levels = np.linspace(0, 4095, 60).astype(np.uint16).reshape(6, 10)
    data = cv2.imencode(".png", levels)[1].tobytes()
    packed = CompressedImage(format="mono16; png compressed", data=array.array("B", data))
    np.testing.assert_array_equal(ImageReader().read(packed), ImageReader().read(grey(levels)))


def test_invented_formats_do_not_fill_the_memory() -> None:
    reader = ImageReader()
    data = array.array("B", cv2.imencode(".png", colours())[1].tobytes())
    for number in range(200):
        reader.read(CompressedImage(format=f"png {number}", data=data))
    assert len(reader._levels) <= 65
