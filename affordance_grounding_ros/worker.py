"""The one thread that runs the model, so that the executor never waits for it."""

from __future__ import annotations

import threading
import traceback
from collections.abc import Callable
from typing import Generic

from affordance_grounding_ros.mailbox import Item, Mailbox


class Worker(Generic[Item]):
    """Works on the newest item of a mailbox, one at a time, in a thread of its own.

    A runtime such as TensorRT must be called from one thread only; this is it.

    Args:
        work: called with each item taken.
        report: called with what `work` raised; the thread goes on.
        name: of the thread, for debuggers.
    """

    def __init__(
        self,
        work: Callable[[Item], None],
        report: Callable[[Exception], None],
        name: str = "inference",
    ) -> None:
        self.mailbox: Mailbox[Item] = Mailbox()
        self._work = work
        self._report = report
        # Not a daemon: a thread inside a GPU call must not be torn down at interpreter exit.
        self._thread = threading.Thread(target=self._run, name=name, daemon=False)

    def start(self) -> None:
        """Start the thread."""
        self._thread.start()

    def stop(self) -> None:
        """Drop what waits, let the item at work finish, and end the thread."""
        self.mailbox.close()
        if self._thread.is_alive():
            self._thread.join()

    def _run(self) -> None:
        while True:
            item = self.mailbox.take()
            if item is None:
                return
            try:
                self._work(item)
            except Exception as error:
                self._report_or_print(error)

    def _report_or_print(self, error: Exception) -> None:
        try:
            self._report(error)
        except Exception:
            # The log itself fails. A dead thread would be worse than an unpretty line.
            traceback.print_exc()
