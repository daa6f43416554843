"""SIGINT and SIGTERM as a request that is looked at, never as an exception that interrupts."""

from __future__ import annotations

import os
import signal
import threading
from types import FrameType
from typing import TYPE_CHECKING

from rclpy.task import Future

if TYPE_CHECKING:
    from typing_extensions import Self

SIGNALS = (signal.SIGINT, signal.SIGTERM)


class StopSignals:
    """Turns the signals that end a process into a request; use it in a `with` statement.

    However many signals arrive, and whatever the process is doing, nothing is raised: a second
    Ctrl-C, or the one that a launch sends besides, cannot break into the clean-up. Once the
    statement is left, the signals are ignored, because the process is about to end.

    Only the main thread may make one.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._requested = False
        self._waiting: Future[None] | None = None
        self._read, self._write = os.pipe()
        os.set_blocking(self._write, False)

    def __enter__(self) -> Self:
        """Take the signals over."""
        # Python runs a handler only when the main thread is not in C code, as while it waits for
        # messages; the pipe is written to at once, and its reader can wake the main thread.
        signal.set_wakeup_fd(self._write, warn_on_full_buffer=False)
        for number in SIGNALS:
            signal.signal(number, self._on_signal)
        threading.Thread(target=self._watch, name="signals", daemon=True).start()
        return self

    def __exit__(self, *raised: object) -> None:
        """Ignore the signals from now on."""
        for number in SIGNALS:
            signal.signal(number, signal.SIG_IGN)

    @property
    def requested(self) -> bool:
        """Whether the process has been told to end."""
        return self._requested

    def future(self) -> Future[None]:
        """Make a future that is done as soon as the process has been told to end.

        It takes the place of the one before.
        """
        future: Future[None] = Future()
        with self._lock:
            self._waiting = future
            requested = self._requested
        if requested:
            future.set_result(None)
        return future

    def _on_signal(self, number: int, frame: FrameType | None) -> None:
        # No lock: the main thread, which runs this, may hold it.
        self._requested = True

    def _watch(self) -> None:
        while os.read(self._read, 64):
            with self._lock:
                self._requested = True
                waiting, self._waiting = self._waiting, None
            if waiting is not None:
                waiting.set_result(None)
