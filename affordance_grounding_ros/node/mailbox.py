"""The slot between the executor and the inference thread: the newest item wins."""

from __future__ import annotations

import threading
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
