"""Draws a benchmark: one bar for each way to do the work."""

from __future__ import annotations

from pathlib import Path

from affordance_grounding_core.benchmark.report import BenchmarkReport
from affordance_grounding_core.errors import RuntimeUnavailableError

_COLOURS = {"fp32": "#4477aa", "fp16": "#66ccee", "bf16": "#228833", "int8": "#ccbb44"}
_PLAIN = "#999999"


def draw_report(report: BenchmarkReport, file: Path) -> None:
    """Draw the median times as bars, with ratios and rooflines.

    Args:
        report: report with at least one row that has times.
        file: PNG, SVG or PDF, by its suffix.

    Raises:
        RuntimeUnavailableError: matplotlib is not installed.
    """
    try:
        from matplotlib.figure import Figure
    except ImportError as error:
        raise RuntimeUnavailableError(
            f"--plot needs matplotlib ({error}); install it with "
            "`pip install 'affordance-grounding-core[plot]'`"
        ) from error
    rows = [row for row in report.rows if row.median_ms is not None]
    names = [f"{row.runtime} {row.precision}" for row in rows]
    medians = [row.median_ms or 0.0 for row in rows]
    colours = [
        _PLAIN if row.gate == "reference" else _COLOURS.get(row.precision, _PLAIN) for row in rows
    ]
    figure = Figure(figsize=(8.0, 1.2 + 0.4 * len(rows)), layout="constrained")
    axes = figure.subplots()
    bars = axes.barh(names, medians, color=colours)
    axes.bar_label(
        bars,
        [f"{row.median_ms:.0f} ms, ratio {row.ratio:.2f}" for row in rows],
        padding=4,
        fontsize=8,
    )
    for place, row in enumerate(rows):
        if row.roofline_ms is not None:
            axes.plot([row.roofline_ms] * 2, [place - 0.4, place + 0.4], color="black", linewidth=1)
    axes.invert_yaxis()
    axes.set_xlim(0, 1.3 * max(medians))
    axes.set_xlabel("median time in ms; black line: the machine's rate of matrix products")
    axes.set_title(
        f"{report.model}, {rows[0].work}, {report.machine.device}, "
        f"{report.machine.threads} threads",
        fontsize=10,
    )
    axes.spines[["top", "right"]].set_visible(False)
    file.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(file, dpi=150)
