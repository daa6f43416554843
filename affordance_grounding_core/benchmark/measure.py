"""Times several ways to do one thing in turns, so that a busy machine slows all alike."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
from tqdm import tqdm


@dataclass(frozen=True)
class Timing:
    """Wall-clock times of one piece of work.

    Attributes:
        milliseconds: one entry a round, in order.
    """

    milliseconds: tuple[float, ...]

    @property
    def median(self) -> float:
        """Median time in ms."""
        return statistics.median(self.milliseconds)

    @property
    def p95(self) -> float:
        """Time in ms that 95 % of the rounds stayed under, interpolated."""
        return float(np.percentile(self.milliseconds, 95))


def measure_in_turns(
    works: Mapping[str, Callable[[], object]],
    rounds: int,
    *,
    warm_up: int = 1,
    before_round: Callable[[], object] = lambda: None,
    show_progress: bool = False,
) -> dict[str, Timing]:
    """Run every piece of work once a round.

    Args:
        works: what to time, by name; what they return is dropped.
        rounds: timed runs of each, at least 1.
        warm_up: runs of each before, which are not timed.
        before_round: called at the beginning of each round; not timed.
        show_progress: whether to draw a progress bar, where stderr is a terminal.

    Returns:
        The timing of every piece of work, by name.

    Raises:
        ValueError: no work, no round, or a negative number of warm-up runs.
    """
    if not works or rounds < 1 or warm_up < 0:
        raise ValueError(
            "a measurement needs at least one piece of work, one round and no negative warm-up, "
            f"got {len(works)}, {rounds} and {warm_up}"
        )
    for work in works.values():
        for _ in range(warm_up):
            work()
    times: dict[str, list[float]] = {name: [] for name in works}
    for _ in tqdm(range(rounds), desc="rounds", disable=None if show_progress else True):
        before_round()
        for name, work in works.items():
            started = time.perf_counter()
            work()
            times[name].append((time.perf_counter() - started) * 1e3)
    return {name: Timing(tuple(values)) for name, values in times.items()}


def ratios(timings: Mapping[str, Timing], reference: str) -> dict[str, float]:
    """Compare with one of them, round by round.

    The ratio is taken within each round before the median, so that a slow spell of the
    machine that lasts a round or longer cancels.

    Args:
        timings: timings of one call of `measure_in_turns`.
        reference: name of the one that has ratio 1.

    Returns:
        Median over the rounds of time / time of the reference, by name.
    """
    base = timings[reference].milliseconds
    return {
        name: statistics.median(
            own / other for own, other in zip(timing.milliseconds, base, strict=True)
        )
        for name, timing in timings.items()
    }
