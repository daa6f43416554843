"""Make the benchmark table: run what is missing, write every row with its spread.

    python -m tools.studies benchmark_table --data ROOT --output DIR --write PAGE

PAGE is docs/studies/benchmark.md. Outcomes lie in DIR/outcomes, one JSON file a row and seed; an
interrupted training goes on where it stopped. Rows of PAGE without an outcome in DIR stay as they
are. Options after `--` go to every training, for example `-- --trainer.max_epochs=3`.
"""

from __future__ import annotations

import argparse
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from affordance_grounding_core.errors import DatasetError
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

BY = "by `python -m tools.studies benchmark_table --write`"


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
        stays: whether it was read from the page, as an earlier run wrote it.
    """

    title: str
    learns_from: str
    mean: Scores
    spread: Scores | None
    seeds: int
    pictures: int
    missing: str = ""
    stays: bool = False

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


@dataclass(frozen=True)
class Drawn:
    """A table as it stands in a document.

    Attributes:
        data: what its data is called there; empty where there is no table.
        pictures: how many pairs were scored.
        lines: those that have figures.
    """

    data: str = ""
    pictures: int = 0
    lines: tuple[Line, ...] = ()

    def of_row(self, title: str) -> list[Line]:
        """Lines of a row, one a kind of map."""
        return [one for one in self.lines if f"{one.title}: ".startswith(f"{title}: ")]


def read_table(document: str, name: str) -> Drawn:
    """Read a table out of a document.

    Args:
        document: Markdown; may be empty.
        name: name of the table in the comments around it.
    """
    place = _place(document, name)
    caption = re.search(r'^(\d+) pairs of .*? of "(.*)", protocol', place[0] if place else "", re.M)
    if place is None or caption is None:
        return Drawn()
    pictures = int(caption[1])
    return Drawn(caption[2], pictures, tuple(_read_lines(place[0], pictures)))


def _read_lines(block: str, pictures: int) -> Iterator[Line]:
    for drawn in re.findall(r"^\| (.*) \|$", block, re.M):
        title, learns_from, *figures, seeds = drawn.split(" | ")
        values = [re.fullmatch(r"(-?[\d.]+)(?: ± ([\d.]+))?", figure) for figure in figures]
        found = [value for value in values if value is not None]
        if len(found) != len(METRICS):
            continue  # a title, or "not run"
        by_metric = dict(zip(METRICS, found, strict=True))
        mean = {metric: float(value[1]) for metric, value in by_metric.items()}
        spreads = {metric: float(value[2]) for metric, value in by_metric.items() if value[2]}
        count = int(seeds) if seeds.isdecimal() else 1
        yield Line(title, learns_from, mean, spreads or None, count, pictures, stays=True)


def _place(document: str, name: str) -> re.Match[str] | None:
    # Also as earlier versions wrote it.
    end = re.escape(f"<!-- end of the {name} table -->")
    return re.search(rf"<!-- {name} table,[^>]*-->.*?{end}", document, re.DOTALL)


def put_table(document: str, drawn: str, name: str = "benchmark") -> str:
    """Put a table into its place in a document, or at its end where it has none.

    Args:
        document: Markdown; may be empty.
        drawn: Markdown of the table.
        name: name of the table in the comments around it.
    """
    end = f"<!-- end of the {name} table -->"
    block = f"<!-- {name} table, {BY} -->\n\n{drawn}\n\n{end}"
    place = _place(document, name)
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


@dataclass(frozen=True)
class _Section:
    """One table of the document.

    Attributes:
        name: name of the table in the comments around it.
        title: what its data is called.
        rows: rows that can be made from its data.
        bench: what they are made from.
        before: the table that the page has.
    """

    name: str
    title: str
    rows: tuple[Row, ...]
    bench: Bench
    before: Drawn

    def lines(self, seeds: Sequence[int], missing: Mapping[str, str]) -> Iterator[Line]:
        """Lines of all rows: by their outcomes, else as the page has them, else why not.

        Args:
            seeds: whose outcomes count.
            missing: name of a row that could not be made to the reason.
        """
        for row in self.rows:
            made = _lines(row, seeds, self.bench, missing.get(row.name, "not asked for"))
            stays = self.before.of_row(row.title) if made[0].missing else []
            yield from stays or made


def _sections(options: argparse.Namespace) -> list[_Section]:
    """The tables that are asked for.

    Raises:
        DatasetError: data of another layout, or other data than the table of the page; found out
            within a second.
    """
    document = _read(options.write)

    def section(name: str, title: str, rows: tuple[Row, ...], root: Path, output: Path) -> _Section:
        bench = Bench(root, output, options.model, tuple(options.training), run_command)
        before = read_table(document, name)
        pairs = len(bench.data()[0].annotated)
        if before.lines and before.pictures != pairs:
            raise DatasetError(
                f"the {name} table of {options.write} is of {before.pictures} pairs of "
                f"{before.data!r}, and {str(root)!r} has {pairs}; rows of both do not stand in "
                "one table: write to another file"
            )
        return _Section(name, title or before.data or root.resolve().name, rows, bench, before)

    made = [section("benchmark", options.name, ROWS, options.data, options.output)]
    if options.photographs is not None:
        rows = tuple(row for row in ROWS if not row.reads_exocentric)  # nobody acts in them
        title, output = options.photographs_name, options.output / "photographs"
        made.append(section("photographs", title, rows, options.photographs, output))
    return made


def _run(options: argparse.Namespace) -> Report:
    drawn: list[str] = []
    content: dict[str, Any] = {"training": options.training}
    for section in _sections(options):
        chosen = [row for row in section.rows if row.name in options.rows]
        missing = _make(chosen, options.seeds, section.bench)
        lines = list(section.lines(options.seeds, missing))
        drawn.append(as_markdown(lines, section.title))
        content[section.name] = [line.as_dict() for line in lines]
        if options.write is not None:
            replaced = put_table(_read(options.write), drawn[-1], section.name)
            replace_file(options.write, replaced.encode())
    return Report("\n\n".join(drawn), content)


def _read(page: Path | None) -> str:
    return page.read_text("utf-8") if page is not None and page.is_file() else ""


def _add_options(parser: argparse.ArgumentParser) -> None:
    names = [row.name for row in ROWS]
    add = parser.add_argument
    add("--write", type=Path, help="document whose table gets the rows that were made")
    add("--name", default="", help="what the data is called (default: as in the document)")
    add(
        "--photographs",
        type=Path,
        metavar="ROOT",
        help="a second training and test set, of photographs: a table of its own",
    )
    add("--photographs-name", default="", help="what those are called, likewise")
    add("--model", default="default", help="model of the row 'default'")
    add("--rows", nargs="*", choices=names, default=names, help="to run; others are only shown")


STUDY = Study("benchmark_table", __doc__, _add_options, _run, reports="benchmark")
