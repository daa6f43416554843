"""Notices that no images arrive, and says which topic is silent and who should speak on it."""

from __future__ import annotations

import time
from collections.abc import Callable


class ImageWatch:
    """Times the silence between images.

    Args:
        clock: seconds that never go back.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._since = clock()
        self._warning = ""

    @property
    def warning(self) -> str:
        """What is wrong now; empty while images arrive."""
        return self._warning

    def restart(self) -> None:
        """Time from now on, as if an image had just arrived."""
        self._since = self._clock()
        self._warning = ""

    def arrived(self) -> bool:
        """Note an image.

        Returns:
            Whether it ends a silence that was warned about.
        """
        ended = bool(self._warning)
        self.restart()
        return ended

    def check(self, timeout: float, topic: str, publishers: Callable[[], str]) -> str:
        """Look whether the silence has become too long.

        Args:
            timeout: seconds of silence that are too long; 0: none are.
            topic: full name of the image topic.
            publishers: describes the publishers found on it; empty if there are none.

        Returns:
            A warning when the silence has just become too long, empty otherwise.
        """
        silence = self._clock() - self._since
        if timeout <= 0.0:
            self._warning = ""
        if self._warning or timeout <= 0.0 or silence < timeout:
            return ""
        found = publishers()
        who = (
            f"publishers found: {found}; check that they run, and their quality of service"
            if found
            else "no publisher found; start the camera, or remap 'image' to its topic "
            "(`--ros-args -r image:=/camera/image_raw`), and check ROS_DOMAIN_ID"
        )
        self._warning = f"no image on '{topic}' for {timeout:g} s; {who}"
        return self._warning
