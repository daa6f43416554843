"""Counts, rates and durations of images."""

from __future__ import annotations

import math
import threading
import time
from array import array
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class FrameCounts:
    """Counts of images since the node was started, by what became of them.

    Attributes:
        received: images that arrived.
        processed: images that were grounded and published.
        dropped: images replaced by a newer one while the model was busy.
        idle: images that arrived while there was no goal.
        refused: images that could not be read.
        failed: images for which the model raised.
    """

    received: int = 0
    processed: int = 0
    dropped: int = 0
    idle: int = 0
    refused: int = 0
    failed: int = 0


@dataclass(frozen=True)
class DepthCounts:
    """Counts of grounded images by what became of their depth.

    Attributes:
        used: images whose depth was found and fitted.
        missing: images without depth, calibration or transform at their time.
        refused: images whose depth or calibration did not fit.
    """

    used: int = 0
    missing: int = 0
    refused: int = 0


class FrameCounter:
    """Counts images from the executor and from the inference thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._counts = dict.fromkeys(FrameCounts.__dataclass_fields__, 0)

    @property
    def counts(self) -> FrameCounts:
        """The numbers so far, consistent among each other."""
        with self._lock:
            return FrameCounts(**self._counts)

    def add(self, **names: int) -> None:
        """Add to counts.

        Args:
            names: fields of `FrameCounts` and what is added to each.
        """
        with self._lock:
            for name, count in names.items():
                self._counts[name] += count


@dataclass(frozen=True)
class Percentiles:
    """Distribution of the last values of a quantity; NaN where there are none.

    Attributes:
        p50: median.
        p95: 95th percentile.
        maximum: greatest.
    """

    p50: float = math.nan
    p95: float = math.nan
    maximum: float = math.nan


class Window:
    """The last values of a quantity, in memory that is taken once. Safe between threads.

    Args:
        size: how many values are kept.
    """

    def __init__(self, size: int = 512) -> None:
        self._lock = threading.Lock()
        self._values = array("d", bytes(8 * size))
        self._added = 0

    def add(self, value: float) -> None:
        """Add a value; it replaces the oldest. Values that are not finite are left out."""
        if not math.isfinite(value):
            return
        with self._lock:
            self._values[self._added % len(self._values)] = value
            self._added += 1

    def clear(self) -> None:
        """Forget all values."""
        with self._lock:
            self._added = 0

    @property
    def percentiles(self) -> Percentiles:
        """Distribution of the values that are kept."""
        with self._lock:
            kept = np.array(self._values[: min(self._added, len(self._values))])
        if not kept.size:
            return Percentiles()
        p50, p95 = np.percentile(kept, (50, 95))
        return Percentiles(float(p50), float(p95), float(kept.max()))


class FrameFigures:
    """Counts, durations and rates of the images of one node.

    Args:
        clock: seconds that never go back.

    Attributes:
        counter: what became of the images.
        inference: seconds in preprocessing, network and region extraction, for each image.
        overhead: seconds that the inference thread spent on an image beyond that, by the clock.
        overhead_cpu: the same in processor time, which other processes do not lengthen.
        latency: seconds from the image's stamp to publishing, by the node's clock.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self.counter = FrameCounter()
        self.inference = Window()
        self.overhead = Window()
        self.overhead_cpu = Window()
        self.latency = Window()
        self._rate_since = clock()
        self._rate_from = FrameCounts()

    def restart(self) -> None:
        """Forget durations, as for another model; the counts stay."""
        for window in (self.inference, self.overhead, self.overhead_cpu, self.latency):
            window.clear()

    def rates(self) -> tuple[float, float]:
        """Images received and processed for each second since the last call.

        Returns:
            In Hz; zero where no time has passed.
        """
        now, counts = self._clock(), self.counter.counts
        seconds, before = now - self._rate_since, self._rate_from
        self._rate_since, self._rate_from = now, counts
        if seconds <= 0.0:
            return 0.0, 0.0
        return (
            (counts.received - before.received) / seconds,
            (counts.processed - before.processed) / seconds,
        )
