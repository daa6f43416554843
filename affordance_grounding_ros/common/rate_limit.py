"""How often something may happen."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable


class RateLimit:
    """Lets things happen so often in any interval, and no more.

    Args:
        most: greatest number in one interval.
        interval: seconds.
        clock: seconds that never go back.
    """

    def __init__(
        self, most: int, interval: float, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self.most = most
        self.interval = interval
        self._clock = clock
        self._times: deque[float] = deque(maxlen=most)

    def allows(self) -> bool:
        """Whether it may happen now; it counts as having happened if so."""
        now = self._clock()
        if len(self._times) == self.most and now - self._times[0] < self.interval:
            return False
        self._times.append(now)
        return True
