"""The last few images, so that somebody can speak of one that has just been shown."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable

from sensor_msgs.msg import CompressedImage, Image

from affordance_grounding_core.errors import TeachingError

KEPT = 8


class RecentImages:
    """Keeps references to the last images. Safe between threads.

    Args:
        clock: seconds that never go back.
    """

    FRESH = 1.0
    """Seconds after its arrival that an image counts as what the camera sees now."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._images: deque[tuple[float, Image | CompressedImage]] = deque(maxlen=KEPT)

    def add(self, message: Image | CompressedImage) -> None:
        """Keep an image."""
        with self._lock:
            self._images.append((self._clock(), message))

    def clear(self) -> None:
        """Forget all images."""
        with self._lock:
            self._images.clear()

    def find(self, sec: int, nanosec: int) -> Image | CompressedImage | None:
        """Find the image of a stamp, or the newest where the stamp is zero.

        Args:
            sec: of the stamp.
            nanosec: likewise.

        Returns:
            The image; None where the newest is wanted and none is fresh.

        Raises:
            TeachingError: no kept image has the stamp.
        """
        with self._lock:
            images = list(self._images)
        if (sec, nanosec) == (0, 0):
            fresh = images and self._clock() - images[-1][0] <= self.FRESH
            return images[-1][1] if fresh else None
        for _, message in reversed(images):
            stamp = message.header.stamp
            if (stamp.sec, stamp.nanosec) == (sec, nanosec):
                return message
        raise TeachingError(
            f"no image with stamp {sec}.{nanosec:09d} is among the last {len(images)} received "
            f"(at most {KEPT} are kept, while there is a goal); mark a newer one, or leave the "
            "stamp zero for the newest"
        )
