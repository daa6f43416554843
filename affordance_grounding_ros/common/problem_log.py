"""Log lines that nobody can flood: loud at first, then counted."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

COMMAND_BURST = 30
"""Lines in one interval about what people command: a person gets an answer each time, a program
that repeats itself all day gets a count."""

_MAXIMUM_KINDS = 16
_MAXIMUM_LENGTH = 2000


@dataclass
class _Kind:
    since: float
    lines: int = 0
    muted: int = 0
    last: str = ""


class ProblemLog:
    """Passes on the first problems of each kind, and then a count of the like at long intervals.

    However many kinds of problems somebody thinks up, at most 16 have lines of their own in one
    interval; the others share one.

    Args:
        emit: logs a line. Not a bound method of rclpy's logger: that tells its callers apart by
            their place in the source, and refuses two severities from one place.
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
        self._kinds: dict[str, _Kind] = {}
        self._last = ""

    @property
    def last(self) -> str:
        """The last problem reported, logged or not; empty if there was none."""
        with self._lock:
            return self._last

    def report(self, kind: str, message: str, burst: int = 1) -> None:
        """Log a problem, unless enough of its kind were logged a short while ago.

        Args:
            kind: such as the name of an exception's class; a new kind is logged at once.
            message: names the thing, what was expected, what came, and the fix; it is brought to
                one printable line of bounded length.
            burst: lines of this kind that are logged in one interval before the rest is counted.
        """
        message = one_line(message)
        with self._lock:
            self._last = message
            lines = self._settled()
            if kind not in self._kinds and len(self._kinds) >= _MAXIMUM_KINDS:
                kind, burst = "others", 1
            entry = self._kinds.setdefault(kind, _Kind(self._clock()))
            entry.last = message
            if entry.lines < burst:
                entry.lines += 1
                lines.append(message)
            else:
                entry.muted += 1
        for line in lines:
            self._emit(line)

    def report_command(self, message: str) -> None:
        """Log what is wrong with something a person commands: every time, within reason.

        Args:
            message: names the thing, what was expected, what came, and the fix.
        """
        self.report("command", message, COMMAND_BURST)

    def settle(self) -> None:
        """Say how many problems were kept quiet, once their interval is over; call it often."""
        with self._lock:
            lines = self._settled()
        for line in lines:
            self._emit(line)

    def forget(self) -> None:
        """Start over: every kind is news again and no problem is remembered."""
        with self._lock:
            self._kinds.clear()
            self._last = ""

    def _settled(self) -> list[str]:
        """Ends intervals that are over; a kind that went on is still muted in the next one."""
        now = self._clock()
        lines: list[str] = []
        for name, entry in list(self._kinds.items()):
            passed = now - entry.since
            if passed < self._interval:
                continue
            if not entry.muted:
                del self._kinds[name]
                continue
            lines.append(f"{entry.muted} more like it in the last {passed:.0f} s: {entry.last}")
            # This line is the first of the next interval.
            self._kinds[name] = _Kind(now, lines=1, last=entry.last)
        return lines


def one_line(message: str) -> str:
    """Bring a message to one printable line of bounded length, whatever it quotes.

    Args:
        message: may hold line breaks and control characters.
    """
    text = " ".join(message[: _MAXIMUM_LENGTH + 1].split())
    shown = "".join(c if c.isprintable() else "?" for c in text)
    return shown if len(message) <= _MAXIMUM_LENGTH else f"{shown[:_MAXIMUM_LENGTH]} ..."
