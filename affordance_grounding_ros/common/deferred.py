"""Answers that one thread waits for in a coroutine and another one gives."""

from __future__ import annotations

import threading
from typing import Generic, TypeVar

from rclpy.node import Node
from rclpy.task import Future

Value = TypeVar("Value")


class Deferred(Generic[Value]):
    """A value that a callback of the executor awaits, so that it answers later without blocking.

    Args:
        node: node whose executor runs the callback.
    """

    def __init__(self, node: Node) -> None:
        self._node = node
        self._lock = threading.Lock()
        self._value: list[Value] = []
        self._future: Future[None] = Future()

    @property
    def given(self) -> bool:
        """Whether there is a value."""
        return bool(self._value)

    def give(self, value: Value) -> bool:
        """Give the value, from any thread; the first one counts.

        Args:
            value: what whoever waits gets.

        Returns:
            Whether it was the first.
        """
        with self._lock:
            if self._value:
                return False
            self._value.append(value)
        self._future.set_result(None)
        executor = self._node.executor
        if executor is not None:
            # It looks at coroutines that wait only when something happens.
            executor.wake()
        return True

    async def wait(self) -> Value:
        """The value, as soon as it is given."""
        await self._future
        return self._value[0]
