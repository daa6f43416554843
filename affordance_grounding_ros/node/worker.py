"""The one thread that runs the model, and the mailbox through which it gets the newest frame."""

from __future__ import annotations

import threading
import time
import traceback
from collections.abc import Callable
from typing import Generic, TypeVar

Item = TypeVar("Item")


class Mailbox(Generic[Item]):
    """Holds at most one item; putting another one replaces it. Safe between threads."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._item: Item | None = None
        self._overwritten = 0
        self._closed = False

    @property
    def overwritten(self) -> int:
        """How many items were replaced by a newer one before anybody took them."""
        with self._changed:
            return self._overwritten

    @property
    def closed(self) -> bool:
        """Whether `close` was called."""
        with self._changed:
            return self._closed

    def put(self, item: Item) -> bool:
        """Leave an item, replacing the one that waits. Never blocks on whoever takes them.

        Returns:
            Whether an item was replaced.
        """
        with self._changed:
            replaced = self._item is not None
            self._overwritten += replaced
            if not self._closed:
                self._item = item
                self._changed.notify()
            return replaced

    def take(self) -> Item | None:
        """Wait for an item and remove it.

        Returns:
            The newest item, or None once the mailbox is closed.
        """
        with self._changed:
            self._changed.wait_for(lambda: self._item is not None or self._closed)
            item, self._item = self._item, None
            return None if self._closed else item

    def clear(self) -> None:
        """Throw away the waiting item, if there is one, without counting it."""
        with self._changed:
            self._item = None

    def close(self) -> None:
        """Throw away the waiting item and let `take` return None from now on."""
        with self._changed:
            self._closed = True
            self._item = None
            self._changed.notify_all()


class Worker(Generic[Item]):
    """Works on the newest item of a mailbox, one at a time, in a thread of its own.

    A runtime such as TensorRT must be called from one thread only; this is it.

    Args:
        work: called with each item taken.
        report: called with what `work` raised; the thread goes on.
        finish: called by the thread as the last thing it does.
        name: of the thread, for debuggers.
    """

    def __init__(
        self,
        work: Callable[[Item], None],
        report: Callable[[Exception], None],
        finish: Callable[[], None] = lambda: None,
        name: str = "inference",
    ) -> None:
        self.mailbox: Mailbox[Item] = Mailbox()
        self._work = work
        self._report = report
        self._finish = finish
        self._begun: float | None = None
        # Not a daemon: a thread inside a GPU call must not be torn down at interpreter exit.
        self._thread = threading.Thread(target=self._run, name=name, daemon=False)

    @property
    def busy(self) -> float:
        """Seconds since the item at work was begun; 0 while there is none."""
        begun = self._begun
        return 0.0 if begun is None else time.monotonic() - begun

    def start(self) -> None:
        """Start the thread."""
        self._thread.start()

    def stop(self, timeout: float | None = None) -> bool:
        """Drop what waits, let the item at work finish, and end the thread.

        Args:
            timeout: seconds to wait for the item at work; None: as long as it takes.

        Returns:
            Whether the thread has ended; if not, it ends by itself after the item at work.
        """
        self.mailbox.close()
        if self._thread.is_alive():
            self._thread.join(timeout)
        return not self._thread.is_alive()

    def _run(self) -> None:
        while (item := self.mailbox.take()) is not None:
            self._begun = time.monotonic()
            try:
                self._work(item)
            except Exception as error:
                self._report_or_print(error)
            self._begun = None
            # Or the item would be kept in memory until the next one comes.
            del item
        try:
            self._finish()
        except Exception as error:
            self._report_or_print(error)

    def _report_or_print(self, error: Exception) -> None:
        try:
            self._report(error)
        except Exception:
            # The log itself fails. A dead thread would be worse than an unpretty line.
            traceback.print_exc()
