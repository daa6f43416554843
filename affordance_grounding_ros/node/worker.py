"""The one thread that runs the model, and the mailbox of its newest frame and its requests."""

from __future__ import annotations

import threading
import time
import traceback
from collections import deque
from collections.abc import Callable
from typing import Generic, TypeVar

Item = TypeVar("Item")


class Mailbox(Generic[Item]):
    """Holds the newest item of a stream, and requests that each want an answer.

    A newer item replaces the one that waits; requests queue up. Where both wait, they are taken in
    turn, so that neither keeps the other from the model. Safe between threads.
    """

    MOST_REQUESTS = 16
    """Requests that wait at most."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._item: Item | None = None
        self._requests: deque[Item] = deque()
        self._request_is_next = True
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

    def ask(self, request: Item) -> bool:
        """Leave a request behind those that wait. Never blocks on whoever takes them.

        Returns:
            Whether there was room.
        """
        with self._changed:
            if self._closed or len(self._requests) >= self.MOST_REQUESTS:
                return False
            self._requests.append(request)
            self._changed.notify()
            return True

    def take(self) -> Item | None:
        """Wait for an item or a request and remove it.

        Returns:
            The newest item or the oldest request, or None once the mailbox is closed.
        """
        with self._changed:
            self._changed.wait_for(
                lambda: self._item is not None or bool(self._requests) or self._closed
            )
            if self._closed:
                return None
            if self._requests and (self._request_is_next or self._item is None):
                self._request_is_next = False
                return self._requests.popleft()
            self._request_is_next = True
            item, self._item = self._item, None
            return item

    def clear(self) -> list[Item]:
        """Throw away what waits, without counting it.

        Returns:
            The requests that waited.
        """
        with self._changed:
            self._item = None
            waited = list(self._requests)
            self._requests.clear()
            return waited

    def close(self) -> None:
        """Throw away what waits and let `take` return None from now on."""
        with self._changed:
            self._closed = True
            self._item = None
            self._requests.clear()
            self._changed.notify_all()


class Worker(Generic[Item]):
    """Works on what a mailbox holds, one after the other, in a thread of its own.

    A runtime such as TensorRT must be called from one thread only; this is it.

    Args:
        work: called with each item taken.
        report: called with what `work` raised; the thread goes on.
        finish: called by the thread as the last thing it does.
        name: name of the thread, for debuggers.
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
