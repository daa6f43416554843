"""The table as Markdown, and its place in a document that people write the rest of."""

from __future__ import annotations

from collections.abc import Sequence

from tools.studies.benchmark_table.outcomes import METRICS, Line

START = "<!-- benchmark table, by `python -m tools.studies.benchmark_table --write` -->"
END = "<!-- end of the benchmark table -->"


def as_markdown(lines: Sequence[Line], data: str) -> str:
    """Draw the table and, below it, why rows are missing.

    Args:
        lines: of the table.
        data: name of the data it was measured on.
    """
    pictures = max((line.pictures for line in lines), default=0)
    drawn = [
        f'{pictures} pairs of a picture and an action of "{data}", protocol "locate"; mean ± '
        "standard deviation over seeds.",
        "",
        "| | learns from | KLD ↓ | SIM ↑ | NSS ↑ | seeds |",
        "|---|---|---|---|---|---|",
    ]
    reasons = []
    for line in lines:
        if line.missing:
            reasons.append(f"- {line.title}: {line.missing}")
            cells = ["not run"] * len(METRICS)
        else:
            cells = [_cell(line, metric) for metric in METRICS]
        seeds = str(line.seeds) if line.spread else "-"
        drawn.append(f"| {line.title} | {line.learns_from} | {' | '.join(cells)} | {seeds} |")
    if reasons:
        drawn += ["", "Not run:", "", *reasons]
    return "\n".join(drawn)


def put_table(document: str, table: str) -> str:
    """Put the table into its place in a document, or at its end where it has none.

    Args:
        document: Markdown; may be empty.
        table: Markdown.
    """
    block = f"{START}\n\n{table}\n\n{END}"
    before, start, rest = document.partition(START)
    _, end, after = rest.partition(END)
    if start and end:
        return f"{before}{block}{after}"
    head = document.rstrip() or "# Benchmark"
    return f"{head}\n\n{block}\n"


def _cell(line: Line, metric: str) -> str:
    mean = f"{line.mean[metric]:.3f}"
    return f"{mean} ± {line.spread[metric]:.3f}" if line.spread else mean
