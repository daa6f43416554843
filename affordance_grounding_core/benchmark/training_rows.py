"""What the benchmarks of a training step say, whatever the method."""

from __future__ import annotations

from collections.abc import Mapping

from affordance_grounding_core.benchmark.measure import Timing, ratios
from affordance_grounding_core.benchmark.report import Row

PUBLISHED = "published-eager"
"""Name of the path that all others are compared with."""

WORK = "training step"


def training_rows(timings: Mapping[str, Timing], first_losses: Mapping[str, float]) -> list[Row]:
    """Compare all ways to take a training step with the published path.

    Args:
        timings: by name: the runtime and, after a space, the precision ("fp32" if none).
        first_losses: loss of the first step of each, by the same names.

    Returns:
        A row each, in order. `max_error` is the difference of the first step's loss from the
        published path's, as a share of it.
    """
    relative = ratios(timings, PUBLISHED)
    rows = []
    for name, timing in timings.items():
        runtime, _, precision = name.partition(" ")
        reference = name == PUBLISHED
        rows.append(
            Row(
                WORK,
                runtime,
                precision or "fp32",
                timing.median,
                timing.p95,
                relative[name],
                None if reference else abs(first_losses[name] / first_losses[PUBLISHED] - 1),
                "reference" if reference else "-",
            )
        )
    return rows
