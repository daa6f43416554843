"""Make the benchmark table: run what is missing, write every row with its spread.

    python -m tools.studies.benchmark_table --data ROOT --output runs/benchmark \
        --write docs/studies/benchmark.md

What is done is not done again: outcomes lie in OUTPUT/outcomes, one JSON file a row and seed; an
interrupted training goes on where it stopped. Options after `--` go to every training, for example
`-- --trainer.max_epochs=3`.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from affordance_grounding_core.errors import AffordanceGroundingError
from affordance_grounding_core.files import replace_file, replace_json
from tools.studies.benchmark_rows import Bench, make_outcome, outcome_file, run_command
from tools.studies.benchmark_table.document import as_markdown, put_table
from tools.studies.benchmark_table.outcomes import Line, Outcome, make_lines, read_outcome
from tools.studies.benchmark_table.rows import ROWS, Row


def main(arguments: Sequence[str] | None = None) -> int:
    """Make the table; returns the exit code."""
    options = _parse(sys.argv[1:] if arguments is None else arguments)
    chosen = [row for row in ROWS if row.name in options.rows]
    bench = Bench(options.data, options.output, options.model, tuple(options.training), run_command)
    try:
        bench.data()  # finds out within a second whether the data is there
        missing = _run(chosen, options.seeds, bench)
        lines = [
            line
            for row in ROWS
            for line in _lines(row, options.seeds, bench, missing.get(row.name, "not asked for"))
        ]
        table = as_markdown(lines, options.name or options.data.resolve().name)
        report = {"lines": [line.as_dict() for line in lines], "training": options.training}
        replace_json(options.output / "benchmark.json", report)
        if options.write is not None:
            document = options.write.read_text("utf-8") if options.write.is_file() else ""
            replace_file(options.write, put_table(document, table).encode())
    except (AffordanceGroundingError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    print(table)
    return 0


def _run(rows: Sequence[Row], seeds: Sequence[int], bench: Bench) -> dict[str, str]:
    """Make all rows, seed by seed, so that an interrupted benchmark has whole tables.

    Returns:
        Name of a row that could not be made to the reason.
    """
    missing: dict[str, str] = {}
    for seed in seeds:
        for row in rows:
            if seed not in _seeds(row, seeds):
                continue
            outcome = make_outcome(row, seed, bench)
            print(f"{row.name}, seed {seed}: {outcome.missing or 'done'}", flush=True)
            if outcome.missing:
                missing.setdefault(row.name, outcome.missing)
    return missing


def _seeds(row: Row, seeds: Sequence[int]) -> Sequence[int]:
    return seeds if row.seeded else seeds[:1]


def _lines(row: Row, seeds: Sequence[int], bench: Bench, reason: str) -> list[Line]:
    files = [outcome_file(row, seed, bench) for seed in _seeds(row, seeds)]
    kept = [outcome for file in files if (outcome := read_outcome(file)) is not None]
    return make_lines(row.title, row.learns_from, kept or [Outcome({}, missing=reason)])


def _parse(arguments: Sequence[str]) -> argparse.Namespace:
    place = arguments.index("--") if "--" in arguments else len(arguments)
    names = [row.name for row in ROWS]
    parser = argparse.ArgumentParser(
        prog="python -m tools.studies.benchmark_table",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--data", type=Path, required=True, help="root in AGD20K layout")
    parser.add_argument("--output", type=Path, required=True, help="folder of runs and outcomes")
    parser.add_argument("--write", type=Path, help="document whose table is replaced")
    parser.add_argument("--name", help="what the data is called in the document")
    parser.add_argument("--model", default="default", help="model of the row 'default'")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument(
        "--rows", nargs="*", choices=names, default=names, help="to run; the others are only shown"
    )
    parsed = parser.parse_args(arguments[:place])
    parsed.training = list(arguments[place + 1 :])
    return parsed


if __name__ == "__main__":
    sys.exit(main())
