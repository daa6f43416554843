"""Refine the labels of held tools with every seed, and compare them with the exact masks.

    python -m tools.studies.refinement --data ROOT --output runs/refinement --epochs 20

Epochs and pictures in a step are the published ones by default. First labels mark the whole
object, or a part that is too large or moved. Of the exact part masks only their union, the
object, is learned from. What is done is not done again.
"""

from __future__ import annotations

import argparse
import statistics
import sys
from collections.abc import Sequence
from pathlib import Path

from affordance_grounding_core.data.agd20k import read_training_set
from affordance_grounding_core.errors import AffordanceGroundingError
from affordance_grounding_core.files import replace_file
from tools.studies.held_tools import ACTION, HELD_OBJECTS
from tools.studies.label_folder import KINDS
from tools.studies.refinement.run import Overlap, refine_once, study_fit


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the study; returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m tools.studies.refinement", description=__doc__)
    parser.add_argument("--data", type=Path, required=True, help="root in AGD20K layout")
    parser.add_argument("--output", type=Path, required=True, help="folder of all runs")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--epochs", type=int, default=20)
    parser.add_argument("--accumulate", type=int, default=20, help="pictures in a step")
    parser.add_argument("--every", type=int, default=1, help="refine one label of so many")
    options = parser.parse_args(arguments)
    try:
        training = read_training_set(options.data)
        by_seed = [
            refine_once(
                training,
                options.output / f"seed-{seed}",
                study_fit(options.epochs, options.accumulate, seed),
                options.every,
            )
            for seed in options.seeds
        ]
    except (AffordanceGroundingError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    text = as_markdown(by_seed)
    replace_file(options.output / "refinement.md", f"{text}\n".encode())
    print(text)
    return 0


def as_markdown(by_seed: Sequence[Sequence[Overlap]]) -> str:
    """Draw the table: mean and standard deviation over seeds.

    Args:
        by_seed: the overlaps of every seed.
    """
    names = [f"{kind}: first" for kind in KINDS] + [f"{kind}: after" for kind in KINDS]
    titles = ["pair", "pictures", *names, "refined alone", "threshold alone", "refined", "part"]
    lines = ["| " + " | ".join([*titles, "rest"]) + " |", "|" + "---|" * (len(titles) + 1)]
    for name in HELD_OBJECTS:
        chosen = [[o for o in overlaps if o.object_name == name] for overlaps in by_seed]
        if all(chosen):
            lines.append(_line(f"{ACTION}/{name}", chosen))
    return "\n".join([*lines, _line("all", by_seed)])


def _line(title: str, by_seed: Sequence[Sequence[Overlap]]) -> str:
    columns = [
        *([o.first[kind] for o in overlaps] for kind in KINDS for overlaps in by_seed),
        *(
            [o.after if o.refined else o.first[kind] for o in overlaps]
            for kind in KINDS
            for overlaps in by_seed
        ),
        *([o.after for o in overlaps if o.refined] for overlaps in by_seed),
        *([o.threshold for o in overlaps] for overlaps in by_seed),
        *([float(o.refined) for o in overlaps] for overlaps in by_seed),
        *([o.part for o in overlaps] for overlaps in by_seed),
        *([o.rest for o in overlaps] for overlaps in by_seed),
    ]
    seeds = len(by_seed)
    cells = [_cell(columns[start : start + seeds]) for start in range(0, len(columns), seeds)]
    return f"| {title} | {len(by_seed[0])} | " + " | ".join(cells) + " |"


def _cell(by_seed: Sequence[Sequence[float]]) -> str:
    means = [statistics.fmean(values) for values in by_seed if values]
    if not means:
        return "-"
    spread = statistics.stdev(means) if len(means) > 1 else 0.0
    return f"{statistics.fmean(means):.3f} ± {spread:.3f}"


if __name__ == "__main__":
    sys.exit(main())
