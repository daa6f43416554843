"""Levels of 16 bits to levels of 8, where a camera fills fewer bits than the message has."""

from __future__ import annotations

import functools

import numpy as np
from numpy.typing import NDArray

BITS = (10, 12, 14, 16)
"""Depths that cameras have; their levels begin at bit 0."""


class LevelRange:
    """How many bits the levels of one stream of images fill.

    sensor_msgs has no place to say it. The brightest level so far tells: a stream that has once
    shown a level of 12 bits stays one of at least 12.
    """

    def __init__(self) -> None:
        self._bits = BITS[0]
        self._seen = False

    @property
    def seen(self) -> bool:
        """Whether there have been levels of 16 bits at all."""
        return self._seen

    @property
    def bits(self) -> int:
        """Bits that are taken to be filled, one of `BITS`."""
        return self._bits

    def narrow(self, values: NDArray[np.uint16]) -> NDArray[np.uint8]:
        """Bring levels to 8 bits; the greatest level of the range becomes 255.

        Args:
            values: any shape, uint16.

        Returns:
            The same shape, uint8, rounded to the nearest level.
        """
        self._seen = True
        brightest = int(values.max(initial=0))
        self._bits = max(self._bits, next(bits for bits in BITS if brightest < 1 << bits))
        return _table(self._bits)[values]


@functools.cache
def _table(bits: int) -> NDArray[np.uint8]:
    greatest = (1 << bits) - 1
    levels = np.arange(1 << bits, dtype=np.uint32)
    return ((levels * 255 + greatest // 2) // greatest).astype(np.uint8)
