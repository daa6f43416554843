"""What a benchmark says: one row for each way to do a piece of work."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from affordance_grounding_core.deployment.benchmark.machine import Machine

_HEADER = (
    "work",
    "runtime",
    "precision",
    "median ms",
    "p95 ms",
    "ratio",
    "max error",
    "roofline ms",
    "memory MB",
    "gate",
)


@dataclass(frozen=True)
class Row:
    """One way to do a piece of work.

    Attributes:
        work: what is done, for example "inference" or "training step".
        runtime: by what, for example "eager"; "published-eager" is the path compared with.
        precision: of the computation, for example "fp32".
        median_ms: median time in ms; this and the next two are None where it does not run.
        p95_ms: time in ms that 95 % of the rounds stayed under.
        ratio: time / time of the published path in the same round, median.
        max_error: largest difference of the results from the published path's, in their own
            unit; None where they are not comparable.
        gate: what the numeric gate says of it; "reference" for the path compared with.
        roofline_ms: time in ms if it were matrix products alone; None where not counted.
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


@dataclass(frozen=True)
class BenchmarkReport:
    """Rows of one run on one machine.

    Attributes:
        model: name it was asked for by.
        machine: as measured in the same run.
        rows: in the order they were measured.
    """

    model: str
    machine: Machine
    rows: tuple[Row, ...]

    def as_dict(self) -> dict[str, Any]:
        """Everything, for a JSON file."""
        machine = asdict(self.machine)
        machine["roofline_ms"] = {
            f"{row.work} {row.precision}": row.roofline_ms
            for row in self.rows
            if row.roofline_ms is not None
        }
        return {"model": self.model, "machine": machine, "rows": [asdict(row) for row in self.rows]}

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
