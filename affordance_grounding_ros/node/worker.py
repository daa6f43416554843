"""The one thread that runs the model, so that the executor never waits for it."""

from __future__ import annotations

import threading
import time
import traceback
from collections.abc import Callable
from typing import Generic

from affordance_grounding_ros.node.mailbox import Item, Mailbox


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
