"""The harness of all studies: settings and seeds to one JSON file each, and those to a table.

A run that has its file is not done again, so that an interrupted study goes on where it stopped.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from filelock import FileLock, Timeout

from affordance_grounding_core.errors import AffordanceGroundingError, DatasetError
from affordance_grounding_core.files import replace_file, replace_json

CONFIGS = Path(__file__).parents[2] / "config" / "train"
"""Training configurations of the repository."""


@dataclass(frozen=True)
class Report:
    """Outcome of a study.

    Attributes:
        table: Markdown, printed and written to OUTPUT/NAME.md.
        content: plain values, written to OUTPUT/NAME.json; None writes no such file.
    """

    table: str
    content: dict[str, Any] | None = None


@dataclass(frozen=True)
class Study:
    """One study, as the command line runs it.

    Attributes:
        name: name on the command line.
        description: help text: the docstring of its module.
        add_options: adds the study's own options to `--data`, `--output` and `--seeds`.
        run: does what is missing and reports; options after `--` are `training` in the namespace.
        reports: stem of the files of its report; empty for the name.
    """

    name: str
    description: str | None
    add_options: Callable[[argparse.ArgumentParser], None]
    run: Callable[[argparse.Namespace], Report]
    reports: str = ""


def run_study(study: Study, arguments: Sequence[str]) -> int:
    """Run a study from its command line.

    Args:
        study: study to run.
        arguments: options, without the name of the study; those after `--` go to every training.

    Returns:
        Exit code; 2 where data, weights or files cannot be used, which is said in one line.
    """
    place = list(arguments).index("--") if "--" in arguments else len(arguments)
    parser = argparse.ArgumentParser(
        prog=f"python -m tools.studies {study.name}",
        description=study.description,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--data", type=Path, required=True, help="root in AGD20K layout")
    parser.add_argument("--output", type=Path, required=True, help="folder of all runs")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    study.add_options(parser)
    options = parser.parse_args(arguments[:place])
    options.training = list(arguments[place + 1 :])
    stem = study.reports or study.name
    try:
        report = study.run(options)
        replace_file(options.output / f"{stem}.md", f"{report.table}\n".encode())
        if report.content is not None:
            replace_json(options.output / f"{stem}.json", report.content)
    except (AffordanceGroundingError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    print(report.table)
    return 0


@dataclass(frozen=True)
class Run:
    """One setting with one seed.

    Attributes:
        setting: name of the setting.
        seed: seed of everything random.
        folder: folder of its results.
        file: JSON file that is written when it is done.
    """

    setting: str
    seed: int
    folder: Path
    file: Path

    def read(self) -> Any | None:
        """Read the outcome, plain values; None while it is not done.

        Raises:
            DatasetError: the file is damaged.
        """
        return read_outcome(self.file) if self.file.is_file() else None

    def do(self, make: Callable[[Run], Any]) -> bool:
        """Make the outcome, unless it is done or another process is at it.

        Args:
            make: does the work and returns plain values.

        Returns:
            Whether this call did it.
        """
        if self.file.is_file():
            return False
        self.folder.mkdir(parents=True, exist_ok=True)
        try:
            with FileLock(self.folder / "claim", timeout=0):
                if self.file.is_file():
                    return False
                replace_json(self.file, make(self))
        except Timeout:
            return False
        return True


def plan_runs(
    output: Path, seeds: Iterable[int], settings: Sequence[str], outcome: str
) -> list[Run]:
    """List all runs, seed by seed, so that an interrupted study has whole tables.

    Args:
        output: folder of all runs.
        seeds: seeds of every setting.
        settings: names.
        outcome: name of the JSON file in the folder of a run.
    """
    return [
        Run(name, seed, folder := output / f"{name}-{seed}", folder / outcome)
        for seed in seeds
        for name in settings
    ]


def kept(file: Path, make: Callable[[], Any]) -> Any:
    """Read a JSON file, which is made first where it is missing.

    Args:
        file: file of plain values.
        make: returns what belongs into it.

    Raises:
        DatasetError: the file is damaged.
    """
    if not file.is_file():
        replace_json(file, make())
    return read_outcome(file)


def read_outcome(file: Path) -> Any:
    """Read a JSON file of a run.

    Raises:
        DatasetError: it is damaged.
    """
    try:
        return json.loads(file.read_text(encoding="utf-8"))
    except ValueError as error:
        raise damaged(file, error) from error


def damaged(file: Path, error: Exception) -> DatasetError:
    """Say that a kept outcome cannot be used, and what to do."""
    return DatasetError(
        f"outcome {str(file)!r} is damaged ({type(error).__name__}: {error}); remove it, and "
        "the run is done again"
    )


class Spread(NamedTuple):
    """Mean and standard deviation over seeds; the deviation of one seed is 0."""

    mean: float
    spread: float

    def __str__(self) -> str:
        """Return `1.234 ± 0.056`."""
        return f"{self.mean:.3f} ± {self.spread:.3f}"


def spread(values: Sequence[float]) -> Spread:
    """Summarise a figure over seeds.

    Args:
        values: one a seed, at least one.
    """
    return Spread(statistics.fmean(values), statistics.stdev(values) if len(values) > 1 else 0.0)


def table(titles: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """Draw a Markdown table.

    Args:
        titles: titles of the columns.
        rows: cells, as many as titles.
    """
    lines = [titles, *rows]
    drawn = [
        "|" + "|".join(f" {cell} " if cell != "" else " " for cell in one) + "|" for one in lines
    ]
    return "\n".join([drawn[0], "|" + "---|" * len(titles), *drawn[1:]])


def whole_number(text: str) -> int:
    """Read an option that is a whole number of at least 1."""
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"expected a whole number of at least 1, got {text!r}")
    return int(text)
