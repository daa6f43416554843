"""Reads the images of one camera, and says once what it had to guess about them."""

from __future__ import annotations

from collections.abc import Callable

from sensor_msgs.msg import CompressedImage, Image

from affordance_grounding_core.actions.vocabulary import abbreviate
from affordance_grounding_core.images import RgbImage
from affordance_grounding_ros.images.compressed import compressed_to_rgb, encoding_of
from affordance_grounding_ros.images.conversions import image_to_rgb
from affordance_grounding_ros.images.layouts import UNNAMED_COLOURS
from affordance_grounding_ros.images.levels import BITS, LevelRange

_MOST_STREAMS = 64


class ImageReader:
    """Reads image messages of either kind as colours.

    Encodings do not tell everything: how many of 16 bits are filled, or which channel is red. What
    is guessed is said once for each encoding, and again when the guess changes.

    Args:
        say: logs a line for people.
    """

    def __init__(self, say: Callable[[str], object] = lambda _: None) -> None:
        self._say = say
        self._said: set[str] = set()
        self._levels: dict[str, LevelRange] = {}

    def read(self, message: Image | CompressedImage) -> RgbImage:
        """Read an image as colours.

        Args:
            message: sensor_msgs/Image or sensor_msgs/CompressedImage.

        Returns:
            The picture, contiguous, a copy.

        Raises:
            ImageMessageError: it cannot be read.
        """
        name = encoding_of(message)
        if len(self._levels) > _MOST_STREAMS:  # Somebody invents formats.
            self._levels.clear()
            self._said.clear()
        levels = self._levels.setdefault(name, LevelRange())
        if isinstance(message, CompressedImage):
            rgb = compressed_to_rgb(message, levels, self._say_once)
        else:
            rgb = image_to_rgb(message, levels)
        self._remark(name, levels)
        return rgb

    def _remark(self, name: str, levels: LevelRange) -> None:
        if levels.seen and levels.bits < BITS[-1]:
            self._say_once(
                f"levels of {abbreviate(name)} images fit {levels.bits} of 16 bits, so "
                f"{(1 << levels.bits) - 1} is taken for white; where that is wrong, let the "
                "camera publish mono8 or colours, or levels over the whole range"
            )
        if name in UNNAMED_COLOURS:
            self._say_once(
                f"{name} does not say which channel is red: taken for {UNNAMED_COLOURS[name]}, "
                "the order of OpenCV; let the publisher name the encoding"
            )

    def _say_once(self, line: str) -> None:
        if line not in self._said:
            self._said.add(line)
            self._say(line)
