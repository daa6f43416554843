"""Finds the message that belongs to an image by its stamp, however the two arrive.

An image never waits in a queue for its depth. It is grounded at once, and its claim collects,
meanwhile, the message nearest to it in time; only what is still missing once the image has been
grounded is waited for, and not for long.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable
from typing import Generic, TypeVar

Item = TypeVar("Item")

_JUMP = 10**9
"""Nanoseconds; stamps that go back by more come from a clock or a recording that began anew."""


class Claim(Generic[Item]):
    """Message that belongs to one image, as far as it has arrived. Made by `StampMatcher.claim`.

    Args:
        stamp: stamp of the image, ns.
        changed: the matcher's lock.
        clock: the matcher's.
    """

    def __init__(
        self, stamp: int, changed: threading.Condition, clock: Callable[[], float]
    ) -> None:
        self.stamp = stamp
        self._changed = changed
        self._clock = clock
        self._made = clock()
        self._best: tuple[int, Item] | None = None
        self._settled = False
        self._ended = False

    @property
    def nearest(self) -> tuple[int, Item] | None:
        """How much later than the image the nearest message was stamped, in ns, and the message.

        None if none has arrived.
        """
        with self._changed:
            return self._best

    def wait(self, seconds: float) -> tuple[int, Item] | None:
        """Wait until no message can be nearer, or the time is over.

        Args:
            seconds: longest wait, counted from the moment the claim was made.

        Returns:
            As `nearest`.
        """
        with self._changed:
            left = self._made + seconds - self._clock()
            if left > 0.0:
                self._changed.wait_for(lambda: self._settled or self._ended, left)
            return self._best

    def offer(self, stamp: int, item: Item, *, arrived_now: bool) -> None:
        """Consider a message. Called by the matcher, which holds the lock.

        Args:
            stamp: stamp of the message, ns.
            item: the message.
            arrived_now: whether messages come in the order of their stamps up to this one.
        """
        offset = stamp - self.stamp
        # The same stamp again is the newer message.
        if self._best is None or abs(offset) <= abs(self._best[0]):
            self._best = (offset, item)
        # What comes after a message that is not older than the image is farther away still.
        if offset == 0 or (arrived_now and offset > 0):
            self._settled = True

    def end(self) -> None:
        """Let nobody wait any longer. Called by the matcher, which holds the lock."""
        self._ended = True


class StampMatcher(Generic[Item]):
    """Keeps the last messages of a stream, and the claims of the last images. Thread-safe.

    Args:
        capacity: messages kept for images that arrive after them.
        claims: claims of images that are kept up to date; the one at work, the one that waits and
            the newest make three.
        clock: seconds that never go back.
    """

    def __init__(
        self,
        capacity: int = 8,
        claims: int = 4,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._changed = threading.Condition()
        self._clock = clock
        self._items: deque[tuple[int, Item]] = deque(maxlen=capacity)
        self._claims: deque[Claim[Item]] = deque(maxlen=claims)
        self._added = float("-inf")

    @property
    def silence(self) -> float:
        """Seconds since the last message; infinite before the first."""
        with self._changed:
            return self._clock() - self._added

    def add(self, stamp: int, item: Item) -> None:
        """Take a message in.

        Args:
            stamp: stamp of the message, ns.
            item: the message.
        """
        with self._changed:
            if self._items and stamp < self._items[-1][0] - _JUMP:
                self._items.clear()
            self._items.append((stamp, item))
            self._added = self._clock()
            for claim in self._claims:
                claim.offer(stamp, item, arrived_now=True)
            self._changed.notify_all()

    def claim(self, stamp: int) -> Claim[Item]:
        """Find what belongs to an image, now and while more arrives.

        Args:
            stamp: stamp of the image, ns.
        """
        claim: Claim[Item] = Claim(stamp, self._changed, self._clock)
        with self._changed:
            newest = self._items[-1][0] if self._items else 0
            for kept, item in self._items:
                # After a jump back in time, what is kept from before settles nothing.
                claim.offer(kept, item, arrived_now=kept == newest and newest - stamp < _JUMP)
            self._claims.append(claim)
        return claim

    def clear(self) -> None:
        """Forget all messages and let nobody wait for more."""
        with self._changed:
            self._items.clear()
            self._added = float("-inf")
            for claim in self._claims:
                claim.end()
            self._claims.clear()
            self._changed.notify_all()
