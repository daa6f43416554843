"""Make the benchmark table: run what is missing, write every row with its spread.

    python -m tools.studies benchmark_table --data ROOT --output DIR --write PAGE

PAGE is docs/studies/benchmark.md. Outcomes lie in DIR/outcomes, one JSON file a row and seed; an
interrupted training goes on where it stopped. Options after `--` go to every training, for example
`-- --trainer.max_epochs=3`.
"""

from __future__ import annotations

import argparse
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from affordance_grounding_core.files import replace_file
from tools.studies.benchmark_rows import (
    HEAT,
    METRICS,
    ROWS,
    Bench,
    Outcome,
    Row,
    Scores,
    make_outcome,
    plan_row,
    read_kept,
    run_command,
)
from tools.studies.harness import Report, Spread, Study, spread, table

START = "<!-- benchmark table, by `python -m tools.studies benchmark_table --write` -->"
END = "<!-- end of the benchmark table -->"
_ANY_START = r"<!-- benchmark table,[^>]*-->"  # also as earlier versions wrote it


@dataclass(frozen=True)
class Line:
    """One line of the table: mean and spread over seeds of one kind of map.

    Attributes:
        title: of the row, with the kind of map where it is not the heat.
        learns_from: what of the training set the row has seen.
        mean: by metric; empty where the row could not be run.
        spread: standard deviation over seeds by metric; None for a single run.
        seeds: how many runs.
        pictures: how many pairs were scored.
        missing: why the row could not be run.
    """

    title: str
    learns_from: str
    mean: Scores
    spread: Scores | None
    seeds: int
    pictures: int
    missing: str = ""

    def as_dict(self) -> dict[str, Any]:
        """Return plain values, ready for `json.dump`."""
        return {**vars(self), "mean": dict(self.mean), "spread": self.spread and dict(self.spread)}


def make_lines(title: str, learns_from: str, outcomes: Sequence[Outcome]) -> list[Line]:
    """Average the outcomes of a row over its seeds, one line a kind of map.

    Args:
        title: of the row.
        learns_from: what of the training set the row has seen.
        outcomes: one a seed; those that are missing give the reason.
    """
    done = [outcome for outcome in outcomes if not outcome.missing]
    if not done:
        reason = next((outcome.missing for outcome in outcomes), "not run")
        return [Line(title, learns_from, {}, None, 0, 0, reason)]
    lines = []
    for kind in dict.fromkeys(kind for outcome in done for kind in outcome.maps):
        runs = [outcome.maps[kind] for outcome in done if kind in outcome.maps]
        figures = {metric: spread([run[metric] for run in runs]) for metric in METRICS}
        several = len(runs) > 1
        lines.append(
            Line(
                title if kind == HEAT else f"{title}: {kind.replace('_', ' ')}",
                learns_from,
                {metric: figure.mean for metric, figure in figures.items()},
                {metric: figure.spread for metric, figure in figures.items()} if several else None,
                len(runs),
                int(runs[0]["n"]),
            )
        )
    return lines


def as_markdown(lines: Sequence[Line], data: str) -> str:
    """Draw the table and, below it, why rows are missing.

    Args:
        lines: of the table.
        data: name of the data it was measured on.
    """
    pictures = max((line.pictures for line in lines), default=0)
    titles = ["", "learns from", "KLD ↓", "SIM ↑", "NSS ↑", "seeds"]
    cells = [
        [
            *(line.title, line.learns_from),
            *(_cell(line, metric) for metric in METRICS),
            line.seeds if line.spread else "-",
        ]
        for line in lines
    ]
    caption = (
        f'{pictures} pairs of a picture and an action of "{data}", protocol "locate"; mean ± '
        "standard deviation over seeds."
    )
    blocks = [caption, table(titles, cells)]
    reasons = [f"- {line.title}: {line.missing}" for line in lines if line.missing]
    if reasons:
        blocks += ["Not run:", "\n".join(reasons)]
    return "\n\n".join(blocks)


def put_table(document: str, drawn: str) -> str:
    """Put the table into its place in a document, or at its end where it has none.

    Args:
        document: Markdown; may be empty.
        drawn: Markdown of the table.
    """
    block = f"{START}\n\n{drawn}\n\n{END}"
    place = re.search(rf"{_ANY_START}.*?{re.escape(END)}", document, re.DOTALL)
    if place:
        return document[: place.start()] + block + document[place.end() :]
    head = document.rstrip() or "# Benchmark"
    return f"{head}\n\n{block}\n"


def _cell(line: Line, metric: str) -> str:
    if line.missing:
        return "not run"
    mean = line.mean[metric]
    return str(Spread(mean, line.spread[metric])) if line.spread else f"{mean:.3f}"


def _make(rows: Sequence[Row], seeds: Sequence[int], bench: Bench) -> dict[str, str]:
    """Make all rows, seed by seed, so that an interrupted benchmark has whole tables.

    Returns:
        Name of a row that could not be made to the reason.
    """
    missing: dict[str, str] = {}
    planned = [(row, run) for row in rows for run in plan_row(row, seeds, bench)]
    for row, run in sorted(planned, key=lambda pair: seeds.index(pair[1].seed)):
        outcome = make_outcome(row, run, bench)
        print(f"{row.name}, seed {run.seed}: {outcome.missing or 'done'}", flush=True)
        if outcome.missing:
            missing.setdefault(row.name, outcome.missing)
    return missing


def _lines(row: Row, seeds: Sequence[int], bench: Bench, reason: str) -> list[Line]:
    runs = plan_row(row, seeds, bench)
    done = [outcome for run in runs if (outcome := read_kept(run.file)) is not None]
    return make_lines(row.title, row.learns_from, done or [Outcome({}, missing=reason)])


def _run(options: argparse.Namespace) -> Report:
    chosen = [row for row in ROWS if row.name in options.rows]
    bench = Bench(options.data, options.output, options.model, tuple(options.training), run_command)
    bench.data()  # finds out within a second whether the data is there
    missing = _make(chosen, options.seeds, bench)
    lines = [
        line
        for row in ROWS
        for line in _lines(row, options.seeds, bench, missing.get(row.name, "not asked for"))
    ]
    drawn = as_markdown(lines, options.name or options.data.resolve().name)
    if options.write is not None:
        document = options.write.read_text("utf-8") if options.write.is_file() else ""
        replace_file(options.write, put_table(document, drawn).encode())
    return Report(
        drawn, {"lines": [line.as_dict() for line in lines], "training": options.training}
    )


def _add_options(parser: argparse.ArgumentParser) -> None:
    names = [row.name for row in ROWS]
    add = parser.add_argument
    add("--write", type=Path, help="document whose table is replaced")
    add("--name", help="what the data is called in the document")
    add("--model", default="default", help="model of the row 'default'")
    add("--rows", nargs="*", choices=names, default=names, help="to run; others are only shown")


STUDY = Study("benchmark_table", __doc__, _add_options, _run, reports="benchmark")
