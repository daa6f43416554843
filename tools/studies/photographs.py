r"""What photographs, views, sizes and an adapted backbone bring to the action head.

    python -m tools.studies photographs --data RENDERS --photographs PHOTOGRAPHS --test TEST \
        --output runs/photographs

RENDERS and PHOTOGRAPHS are folders in AGD20K layout with part masks, TEST is one with a test set
of other photographs. Every setting trains the head of the model `renders` for the same number of
steps, with every seed. Options after `--` go to every run. What is done is not done again; started
twice, the processes share the runs.
"""

from __future__ import annotations

import argparse
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from affordance_grounding_core.data.agd20k import read_evaluation_set
from affordance_grounding_core.evaluation.datasets import evaluate_test_set, training_set_beside
from affordance_grounding_core.evaluation.detection import average_precision
from affordance_grounding_core.evaluation.evaluate import Evaluation
from affordance_grounding_core.evaluation.masks import mean_mask_score
from affordance_grounding_core.evaluation.protocols import PROTOCOLS
from affordance_grounding_core.evaluation.summary import mean_score
from affordance_grounding_core.loading import load_grounder
from tools.studies.harness import (
    CONFIGS,
    Report,
    Run,
    Spread,
    Study,
    plan_runs,
    spread,
    table,
    whole_number,
)

OUTCOME = "scores.json"
"""File in the folder of a run: input size in px to its scores."""

SIZES = (224, 336)
"""Input sizes at which every run is tested, and for which one setting is trained."""

METRICS = {
    "kld": "KLD (lower)",
    "average_precision": "average precision of found",
    "peak_on_part": "peak on part",
    "mask_iou": "mask gIoU",
}
"""Name of a score to its title."""

_BATCHES_AN_EPOCH = 12
"""The renders alone have as many; settings of more pictures see other ones in every epoch."""


@dataclass(frozen=True)
class Setting:
    """One way to train.

    Attributes:
        title: title in the table.
        photographs: whether photographs are seen beside renders.
        options: of `affordance-grounding train` that make the difference.
    """

    title: str
    photographs: bool = True
    options: tuple[str, ...] = ()


SETTINGS = {
    "renders": Setting("renders alone", photographs=False),
    "photographs": Setting("renders and photographs"),
    "views": Setting(
        "... and turned, cropped, relit views", options=("--data.photograph_scenes.views=3",)
    ),
    "sizes": Setting("... and two sizes", options=(f"--data.further_sizes=[{SIZES[1]}]",)),
    "adapters": Setting("... and an adapted backbone", options=("--model.adapter_rank=8",)),
}
"""All but the first two add one thing to the second."""


def make_rows(runs: Sequence[Run]) -> list[dict[str, Any]]:
    """Average the runs that are done, each setting at each input size."""
    rows = []
    for size in map(str, SIZES):
        for name, setting in SETTINGS.items():
            done = [run.read() for run in runs if run.setting == name]
            scores = [outcome[size] for outcome in done if outcome is not None]
            if scores:
                figures = {
                    metric: spread([score[metric] for score in scores])._asdict()
                    for metric in METRICS
                }
                rows.append({"title": setting.title, "size": int(size), "seeds": len(scores)})
                rows[-1] |= figures
    return rows


def as_markdown(rows: Sequence[Mapping[str, Any]]) -> str:
    """Draw the table: mean and standard deviation over seeds."""
    lines = [
        [
            row["title"],
            row["size"],
            *(Spread(**row[metric]) for metric in METRICS),
            row["seeds"],
        ]
        for row in rows
    ]
    return table(["trained on", "input, px", *METRICS.values(), "seeds"], lines)


def summarise(evaluation: Evaluation) -> dict[str, float]:
    """Mean scores of a test set; see `METRICS`."""
    right = evaluation.right
    on_part = [pair.peak_on_part for pair in right if pair.peak_on_part is not None]
    masks = [mask for pair in right if (mask := pair.mask or pair.hot_region) is not None]
    return {
        "kld": mean_score(evaluation.scores).kld,
        "average_precision": average_precision(
            [pair.peak for pair in right], [pair.peak for pair in evaluation.wrong]
        ),
        "peak_on_part": statistics.fmean(on_part),
        "mask_iou": mean_mask_score(masks).giou,
    }


def _train(run: Run, options: argparse.Namespace) -> dict[str, dict[str, float]]:
    # Lightning is slow to import and not needed to draw the table.
    from affordance_grounding_core.methods.action_head.training import train_from_config

    setting = SETTINGS[run.setting]
    photographs = [f"--data.photographs={options.photographs}"] if setting.photographs else []
    train_from_config(
        [
            f"--config={CONFIGS / 'research_adapters.yaml'}",
            "--model.initial=renders",
            "--model.adapter_rank=0",
            "--model.learning_rate=1.5e-3",
            f"--data.root={options.data}",
            f"--output={run.folder}",
            f"--seed_everything={run.seed}",
            f"--trainer.max_epochs={options.epochs}",
            f"--trainer.limit_train_batches={_BATCHES_AN_EPOCH}",
            f"--trainer.check_val_every_n_epoch={options.epochs}",
            *photographs,
            *setting.options,
            *options.training,
        ]
    )
    dataset = read_evaluation_set(options.test)
    scores = {}
    for size in SIZES:
        grounder = load_grounder(run.folder, "eager", input_size=size)
        beside = training_set_beside(dataset)
        evaluation = evaluate_test_set(grounder, dataset, beside, PROTOCOLS["locate"])
        scores[str(size)] = summarise(evaluation)
    return scores


def _add_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--photographs", type=Path, required=True, help="root in AGD20K layout")
    parser.add_argument("--test", type=Path, required=True, help="root with a test set")
    parser.add_argument("--epochs", type=whole_number, default=10, help="epochs (10)")
    parser.add_argument("--settings", nargs="+", choices=[*SETTINGS], default=[*SETTINGS])


def _run(options: argparse.Namespace) -> Report:
    runs = plan_runs(options.output, options.seeds, options.settings, OUTCOME)
    for run in runs:
        run.do(lambda run: _train(run, options))
    rows = make_rows(runs)
    return Report(as_markdown(rows), {"rows": rows})


STUDY = Study("photographs", __doc__, _add_options, _run)
