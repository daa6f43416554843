"""Log lines for what goes wrong again with every frame: loud once, then counted."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable


class ProblemLog:
    """Passes on the first problem of each kind, and then a count of the like at long intervals.

    Args:
        emit: logs a line.
        interval: seconds between two lines about problems of one kind.
        clock: seconds that never go back.
    """

    def __init__(
        self,
        emit: Callable[[str], object],
        interval: float = 30.0,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._emit = emit
        self._interval = interval
        self._clock = clock
        self._lock = threading.Lock()
        self._logged: dict[str, float] = {}
        self._suppressed: dict[str, int] = {}
        self._last = ""

    @property
    def last(self) -> str:
        """The last problem reported, logged or not; empty if there was none."""
        with self._lock:
            return self._last

    def report(self, kind: str, message: str) -> None:
        """Log a problem, unless one of its kind was logged a short while ago.

        Args:
            kind: from a small fixed set, such as the name of an exception's class.
            message: names the thing, what was expected, what came, and the fix.
        """
        with self._lock:
            self._last = message
            now = self._clock()
            if now - self._logged.get(kind, float("-inf")) < self._interval:
                self._suppressed[kind] = self._suppressed.get(kind, 0) + 1
                return
            suppressed = self._suppressed.pop(kind, 0)
            self._logged[kind] = now
        self._emit(f"{message} ({suppressed} more like it before)" if suppressed else message)

    def report_always(self, message: str) -> None:
        """Log a problem however often it comes, for what people command rather than cameras.

        Args:
            message: names the thing, what was expected, what came, and the fix.
        """
        with self._lock:
            self._last = message
        self._emit(message)

    def forget(self) -> None:
        """Start over: every kind is news again and no problem is remembered."""
        with self._lock:
            self._logged.clear()
            self._suppressed.clear()
            self._last = ""
