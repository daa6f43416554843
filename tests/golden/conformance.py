#!/usr/bin/env python3
"""Run every golden file of a folder against this package.

Golden files hold numbers that the published code computed. Usage, from any folder::

    python tests/golden/conformance.py DIR [--json FILE]

Prints a line a quantity. Exit code 0: everything passes; 1: something fails, a file cannot be
read, or no check knows it; 2: nothing was run.
"""

from __future__ import annotations

import argparse
import importlib
import json
import pkgutil
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

HERE = Path(__file__).resolve().parent
for _folder in (HERE.parents[1], HERE):
    if str(_folder) not in sys.path:
        sys.path.insert(0, str(_folder))

import checks  # noqa: E402
from checks.comparison import Array  # noqa: E402

PASSED, FAILED, NOTHING_RAN = 0, 1, 2
_COLUMNS = f"{'file':<20} {'case':<26} {'quantity':<34} {'max abs':>10} {'max rel':>10}  result"


@dataclass(frozen=True)
class Row:
    """One line of the report.

    Attributes:
        file: name of the golden file.
        case: name of the case, empty where there is none.
        quantity: what was compared, empty where the file as a whole failed.
        max_abs: largest absolute error; None where nothing could be compared.
        max_rel: largest relative error; likewise.
        passed: whether it holds.
        defect: why not.
    """

    file: str
    case: str
    quantity: str
    max_abs: float | None
    max_rel: float | None
    passed: bool
    defect: str

    def __str__(self) -> str:
        errors = " ".join(
            f"{'-':>10}" if value is None else f"{value:10.2e}"
            for value in (self.max_abs, self.max_rel)
        )
        result = "pass" if self.passed else f"FAIL: {self.defect}"
        return f"{self.file:<20} {self.case:<26} {self.quantity:<34} {errors}  {result}"


def run(folder: Path) -> Iterator[Row]:
    """Check every golden file of a folder, in the order of their names.

    Args:
        folder: holds `*.npz`.

    Yields:
        A row a quantity, and one for every file that cannot be checked.
    """
    files: dict[Path, dict[str, Array]] = {}
    for path in sorted(folder.glob("*.npz")):
        arrays = _read(path)
        if isinstance(arrays, str):
            yield _failure(path, arrays)
        else:
            files[path] = arrays
    pictures = {path: arrays for path, arrays in files.items() if _are_pictures(arrays)}
    images = {f"images/{key}": array for held in pictures.values() for key, array in held.items()}
    modules = _check_modules()
    for path, arrays in files.items():
        if path in pictures:
            continue
        known = [module for module in modules if module.matches(arrays, path.stem)]
        if not known:
            yield _failure(path, "no check knows the keys of this file")
        recorded = _Recorded({**images, **arrays})
        for module in known:
            yield from _run_check(module, recorded, path)
        unread = sorted(arrays.keys() - recorded.read)
        if known and unread:
            print(f"note: no check reads {', '.join(unread)} of {path.name}", file=sys.stderr)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run from the command line.

    Args:
        arguments: of the command, without its name; from the command line by default.

    Returns:
        The exit code.
    """
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n\n")[0])
    parser.add_argument("folder", type=Path, metavar="DIR", help="folder with *.npz")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the rows there, too")
    options = parser.parse_args(arguments)
    print(_COLUMNS)
    rows = []
    for row in run(options.folder):
        rows.append(row)
        print(row, flush=True)
    failures = sum(not row.passed for row in rows)
    files = len({row.file for row in rows})
    print(f"{len(rows)} quantities of {files} files: {len(rows) - failures} pass, {failures} fail")
    if options.json is not None:
        options.json.write_text(json.dumps([asdict(row) for row in rows], indent=1) + "\n")
    if not rows:
        print(f"nothing to run: no golden file (*.npz) in {options.folder}", file=sys.stderr)
        return NOTHING_RAN
    return FAILED if failures else PASSED


class _Recorded(Mapping[str, Array]):
    """Arrays that remember which of them were read."""

    def __init__(self, arrays: Mapping[str, Array]) -> None:
        self.arrays = arrays
        self.read: set[str] = set()

    def __getitem__(self, key: str) -> Array:
        self.read.add(key)
        return self.arrays[key]

    def __contains__(self, key: object) -> bool:
        return key in self.arrays

    def __iter__(self) -> Iterator[str]:
        return iter(self.arrays)

    def __len__(self) -> int:
        return len(self.arrays)


def _check_modules() -> list[Any]:
    names = sorted(module.name for module in pkgutil.iter_modules(checks.__path__))
    modules = [importlib.import_module(f"checks.{name}") for name in names]
    return [module for module in modules if hasattr(module, "matches")]


def _run_check(module: Any, arrays: Mapping[str, Array], path: Path) -> Iterator[Row]:
    ran = False
    try:
        for comparison in module.checks(arrays, path.stem):
            ran = True
            absolute, relative = comparison.errors
            yield Row(
                path.name,
                comparison.case,
                comparison.quantity,
                None if np.isnan(absolute) else absolute,
                None if np.isnan(relative) else relative,
                not comparison.defect,
                comparison.defect,
            )
    # Whatever goes wrong in one file is that file's failure; the others are still run.
    except Exception as error:
        yield _failure(path, f"{type(error).__name__}: {error}")
    else:
        if not ran:
            yield _failure(path, "holds no case that could be run")


def _read(path: Path) -> dict[str, Array] | str:
    """The arrays of a file, or why it cannot be read."""
    try:
        with np.load(path, allow_pickle=False) as held:
            return {key: held[key] for key in held.files}
    # A damaged archive raises whatever the byte that broke leads to.
    except Exception as error:
        return f"cannot be read as arrays: {error}"


def _are_pictures(arrays: Mapping[str, Array]) -> bool:
    return bool(arrays) and all(
        "." not in key and array.ndim == 4 and array.shape[1] == 3 for key, array in arrays.items()
    )


def _failure(path: Path, defect: str) -> Row:
    return Row(path.name, "", "", None, None, False, defect)


if __name__ == "__main__":
    # Golden arrays are tiny: threads would cost more than they bring.
    torch.set_num_threads(1)
    sys.exit(main())
