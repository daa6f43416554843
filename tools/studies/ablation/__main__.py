"""Train every setting with every seed, and write one table.

    python -m tools.studies.ablation --data ROOT --output runs/ablation -- --trainer.max_epochs=6
    python -m tools.studies.ablation --data ROOT --output runs/both \
        --settings object_prototypes both

Options after `--` go to every run. What is done is not done again, so that an interrupted
ablation goes on where it stopped; started twice, the processes share the runs.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from affordance_grounding_core.data.agd20k import EvaluationImage, read_evaluation_set
from affordance_grounding_core.errors import AffordanceGroundingError
from affordance_grounding_core.evaluation.baselines import (
    centre_prior_baseline,
    evaluate_baselines,
    uniform_baseline,
)
from affordance_grounding_core.evaluation.protocols import PROTOCOLS
from affordance_grounding_core.evaluation.summary import mean_score
from tools.studies.ablation.runs import do_run, plan_runs
from tools.studies.ablation.settings import BY_NAME, SETTINGS
from tools.studies.ablation.table import METRICS, as_markdown, make_rows

CONFIG = Path(__file__).parents[3] / "config" / "train" / "selective_cl_rendered.yaml"


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the ablation; returns the exit code."""
    options = _parse(sys.argv[1:] if arguments is None else arguments)
    runs = plan_runs(options.output, options.seeds, [BY_NAME[name] for name in options.settings])
    try:
        # First, since it finds out within a second whether the data is there.
        references = _references(options.data)
        for run in runs:
            done = do_run(run, options.config, options.data, options.training)
            print(f"{run.folder.name}: {'done' if done else 'left as it is'}", flush=True)
    except (AffordanceGroundingError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    rows = make_rows(runs)
    table = as_markdown(rows, references)
    report = {"rows": [row.as_dict() for row in rows], "references": references}
    (options.output / "ablation.md").write_text(table + "\n", encoding="utf-8")
    (options.output / "ablation.json").write_text(json.dumps(report, indent=1), encoding="utf-8")
    print(table)
    return 0


def _parse(arguments: Sequence[str]) -> argparse.Namespace:
    place = arguments.index("--") if "--" in arguments else len(arguments)
    parser = argparse.ArgumentParser(prog="python -m tools.studies.ablation", description=__doc__)
    parser.add_argument("--data", type=Path, required=True, help="root in AGD20K layout")
    parser.add_argument("--output", type=Path, required=True, help="folder of all runs")
    parser.add_argument("--config", type=Path, default=CONFIG, help="config of the training")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument(
        "--settings",
        nargs="+",
        choices=list(BY_NAME),
        default=[setting.name for setting in SETTINGS],
        help="the paper's ablation by default; those called both learn from part masks too",
    )
    parsed = parser.parse_args(arguments[:place])
    parsed.training = list(arguments[place + 1 :])
    return parsed


def _references(root: Path) -> Mapping[str, Mapping[str, float]]:
    """Score the guesses that know nothing of the picture."""
    protocol = PROTOCOLS["locate"]
    images: tuple[EvaluationImage, ...] = read_evaluation_set(root).annotated
    actions = {image.action for image in images}
    guesses = [uniform_baseline(actions), centre_prior_baseline(actions, protocol)]
    scores = evaluate_baselines(guesses, images, protocol)
    means = {name.replace("_", " "): mean_score(values) for name, values in scores.items()}
    return {name: {m: getattr(mean, m) for m in METRICS} for name, mean in means.items()}


if __name__ == "__main__":
    sys.exit(main())
