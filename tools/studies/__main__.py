"""Runs a study by its name.

python -m tools.studies NAME --data ROOT --output DIR ...
python -m tools.studies NAME --help
"""

from __future__ import annotations

import importlib
import sys
from collections.abc import Mapping, Sequence
from types import MappingProxyType

from tools.studies.harness import Study, run_study

STUDIES: Mapping[str, str] = MappingProxyType(
    {
        "ablation": "which parts of Selective Contrastive Learning help",
        "benchmark_table": "the table of docs/studies/benchmark.md",
        "few_shot": "how good one, three or five taught examples are",
        "label_noise": "what errors in part labels cost WSAG-PLSP",
        "photographs": "what photographs, views, sizes and adapters bring to the action head",
        "refinement": "what refinement makes of part labels",
    }
)
"""Module beside this one to what it finds out."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a study; returns the exit code."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    if not given or given[0] not in STUDIES:
        asked_for_help = given[:1] in (["-h"], ["--help"])
        lines = [f"  {name:16} {what}" for name, what in STUDIES.items()]
        text = "\n".join(["usage: python -m tools.studies NAME ...", "", "studies:", *lines])
        print(text, file=sys.stdout if asked_for_help else sys.stderr)
        return 0 if asked_for_help else 2
    # One study alone: some are slow to import.
    study: Study = importlib.import_module(f"tools.studies.{given[0]}").STUDY
    return run_study(study, given[1:])


if __name__ == "__main__":
    sys.exit(main())
