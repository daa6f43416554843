"""Benchmark report: one row for each way to do a piece of work."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from affordance_grounding_core.benchmark.machine import Machine
from affordance_grounding_core.benchmark.measure import Timing, ratios

_HEADER = (
    "work",
    "runtime",
    "precision",
    "median ms",
    "p95 ms",
    "ratio",
    "max error",
    "roofline ms",
    "of it",
    "memory MB",
    "gate",
)


@dataclass(frozen=True)
class Row:
    """One way to do a piece of work.

    Attributes:
        work: what is done, for example "inference" or "training step".
        runtime: what ran it, for example "eager"; "published-eager" is the path compared with.
        precision: precision of the computation, for example "fp32".
        median_ms: median time in ms; this and the next two are None where it does not run.
        p95_ms: time in ms that 95 % of the rounds stayed under.
        ratio: time / time of the published path in the same round, median.
        max_error: largest difference of the results from the published path's, in their own
            unit; None where they are not comparable.
        gate: what the numeric gate says of it; "reference" for the path compared with.
        roofline_ms: time in ms if it were matrix products alone, at the machine's own rate;
            None where not counted.
        memory_mb: memory it took beside PyTorch's model; None where not measured.
    """

    work: str
    runtime: str
    precision: str
    median_ms: float | None
    p95_ms: float | None
    ratio: float | None
    max_error: float | None
    gate: str
    roofline_ms: float | None = None
    memory_mb: float | None = None

    @property
    def roofline_fraction(self) -> float | None:
        """Share of the machine's rate of matrix products that is attained; None if unknown.

        Above 1 it is a failed measurement: the rate was taken in a slower spell than the run.
        """
        if self.roofline_ms is None or self.median_ms is None:
            return None
        return self.roofline_ms / self.median_ms

    def as_dict(self) -> dict[str, Any]:
        """Everything, as plain values."""
        return {**asdict(self), "roofline_fraction": self.roofline_fraction}


@dataclass(frozen=True)
class BenchmarkReport:
    """Rows of one run on one machine.

    Attributes:
        model: name it was asked for by.
        machine: as measured in the same run.
        rows: rows in the order they were measured.
        node: figures of the ROS node by size of image; empty where it was not measured.
    """

    model: str
    machine: Machine
    rows: tuple[Row, ...]
    node: Mapping[str, Any] = field(default_factory=dict)

    def lowest_ratios(self) -> dict[str, float]:
        """The lowest ratio that this machine allows, by work and precision.

        It is the roofline of our network over the time of the published path: no runtime that
        computes all of the network in that precision comes below it.
        """
        published = {row.work: row.median_ms for row in self.rows if row.ratio == 1.0}
        return {
            f"{row.work} {row.precision}": row.roofline_ms / reference
            for row in self.rows
            if row.roofline_ms is not None and (reference := published.get(row.work))
        }

    def failed(self) -> tuple[str, ...]:
        """Rows that are quicker than the machine was measured to be, one sentence each."""
        return tuple(
            f"failed measurement: {row.work} by {row.runtime} {row.precision} attains "
            f"{row.roofline_fraction:.0%} of the machine's rate; measure again with more rounds, "
            "with nothing else running"
            for row in self.rows
            if row.roofline_fraction is not None and row.roofline_fraction > 1.0
        )

    def as_dict(self) -> dict[str, Any]:
        """Everything, for a JSON file."""
        machine = asdict(self.machine)
        machine["roofline_ms"] = {
            f"{row.work} {row.precision}": row.roofline_ms
            for row in self.rows
            if row.roofline_ms is not None
        }
        machine["lowest_ratio"] = self.lowest_ratios()
        content = {
            "model": self.model,
            "machine": machine,
            "rows": [row.as_dict() for row in self.rows],
            "failed_measurements": list(self.failed()),
        }
        return {**content, "node": dict(self.node)} if self.node else content

    def table(self) -> list[str]:
        """Lines for a console."""
        rates = ", ".join(f"{name} {rate:.0f}" for name, rate in self.machine.gflops.items())
        cells = [
            list(_HEADER),
            *(_cells(row) for row in self.rows),
        ]
        return [
            f"{self.model} on {self.machine.device}, {self.machine.threads} threads of "
            f"{self.machine.cores} cores, matrix products at {rates} GFLOP/s",
            *_aligned(cells),
            *(
                f"lowest ratio this machine allows, {name}: {ratio:.3f}"
                for name, ratio in self.lowest_ratios().items()
            ),
            *self.failed(),
        ]


def _cells(row: Row) -> list[str]:
    return [
        row.work,
        row.runtime,
        row.precision,
        _number(row.median_ms, ".1f"),
        _number(row.p95_ms, ".1f"),
        _number(row.ratio, ".3f"),
        _number(row.max_error, ".2g"),
        _number(row.roofline_ms, ".1f"),
        _number(row.roofline_fraction, ".0%"),
        _number(row.memory_mb, ".0f"),
        row.gate,
    ]


def _number(value: float | None, form: str) -> str:
    return "-" if value is None else format(value, form)


def _aligned(cells: Sequence[Sequence[str]]) -> list[str]:
    widths = [max(len(line[column]) for line in cells) for column in range(len(cells[0]))]
    return [
        "  ".join(text.ljust(width) for text, width in zip(line, widths, strict=True)).rstrip()
        for line in cells
    ]


PUBLISHED = "published-eager"
"""Name of the path that all others are compared with."""

WORK = "training step"


def training_rows(timings: Mapping[str, Timing], first_losses: Mapping[str, float]) -> list[Row]:
    """Compare all ways to take a training step with the published path.

    Args:
        timings: timings by name: the runtime and, after a space, the precision ("fp32" if none).
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
