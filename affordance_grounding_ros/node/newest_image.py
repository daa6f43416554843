"""The camera's newest image for whoever asks, or the next one that comes."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

from sensor_msgs.msg import CompressedImage, Image

from affordance_grounding_ros.node.image_input import ImageInput, RecentImages

Take = Callable[[Image | CompressedImage], None]


@dataclass(frozen=True)
class _Waiting:
    take: Take
    refuse: Callable[[str], None]
    since: float


class NewestImage:
    """Hands out images of the camera; subscribes to it where that is needed. Safe between threads.

    Args:
        images: subscription to the camera.
        clock: seconds that never go back.
    """

    TIMEOUT = 5.0
    """Seconds that somebody waits for an image."""

    MOST_WAITING = 16
    """How many wait for an image at most."""

    def __init__(self, images: ImageInput, clock: Callable[[], float] = time.monotonic) -> None:
        self._images = images
        self._clock = clock
        self._lock = threading.Lock()
        self._recent = RecentImages()
        self._waiting: list[_Waiting] = []
        self._latest: Image | CompressedImage | None = None

    @property
    def latest(self) -> Image | CompressedImage | None:
        """The last image that came; None before the first."""
        return self._latest

    @property
    def waits(self) -> bool:
        """Whether somebody waits for the next image."""
        with self._lock:
            return bool(self._waiting)

    def ask(
        self, take: Take, refuse: Callable[[str], None], sec: int = 0, nanosec: int = 0
    ) -> None:
        """Hand out the image of a stamp, or the newest: now if it is fresh, else the next one.

        Args:
            take: called with the image, by this thread or by the one that brings the image.
            refuse: called with the reason where none comes.
            sec: seconds of the stamp; zero with `nanosec` for the newest.
            nanosec: nanoseconds of the stamp.

        Raises:
            TeachingError: no image that is kept has the stamp.
        """
        image = self._recent.find(sec, nanosec)
        if image is not None:
            take(image)
            return
        with self._lock:
            full = len(self._waiting) >= self.MOST_WAITING
            if not full:
                self._waiting.append(_Waiting(take, refuse, self._clock()))
        if full:
            refuse(f"{self.MOST_WAITING} others wait for an image already; ask again later")
            return
        self._images.open()
        self._images.ask_again()

    def offer(self, message: Image | CompressedImage) -> None:
        """Keep an image, and hand it to those who wait for one.

        Args:
            message: the newest image.
        """
        self._recent.add(message)
        self._latest = message
        with self._lock:
            waiting, self._waiting = self._waiting, []
        for one in waiting:
            one.take(message)

    def check(self) -> None:
        """Refuse those who have waited too long; call it often."""
        self._refuse(
            self.TIMEOUT,
            f"no image has come within {self.TIMEOUT:g} s; check the camera and the topic "
            f"'{self._images.topic}', and ask again",
        )

    def close(self, reason: str) -> None:
        """Forget the images and refuse those who wait.

        Args:
            reason: text for those who wait.
        """
        self._recent.clear()
        self._latest = None
        self._refuse(0.0, reason)

    def _refuse(self, age: float, reason: str) -> None:
        now = self._clock()
        with self._lock:
            late = [one for one in self._waiting if now - one.since >= age]
            self._waiting = [one for one in self._waiting if now - one.since < age]
        for one in late:
            one.refuse(reason)
