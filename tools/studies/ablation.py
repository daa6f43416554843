"""Train every setting with every seed, and write one table.

    python -m tools.studies ablation --data ROOT --output runs/ablation -- --trainer.max_epochs=6
    python -m tools.studies ablation --data ROOT --output runs/both --settings pixels both

The ablation of Selective Contrastive Learning: which of its parts help, and how sure. Options
after `--` go to every run. What is done is not done again; started twice, the processes share the
runs.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from affordance_grounding_core.data.agd20k import read_evaluation_set, read_training_set
from affordance_grounding_core.evaluation.baselines import (
    centre_prior_baseline,
    evaluate_baselines,
    uniform_baseline,
)
from affordance_grounding_core.evaluation.protocols import PROTOCOLS
from affordance_grounding_core.evaluation.summary import mean_score
from tools.studies.harness import CONFIGS, Report, Run, Study, plan_runs, spread, table

OUTCOME = "scores.json"
"""File in the folder of a run: scores of its epochs, epoch -1 before training."""

METRICS = ("kld", "sim", "nss")
MAPS = ("plain", "calibrated")

Scores = Sequence[Mapping[str, float]]


@dataclass(frozen=True)
class Setting:
    """One way to train.

    Attributes:
        title: title in the table.
        prototypes: level of the prototype loss.
        pixels: level of the pixel loss.
        part_labels: whether the part masks of the data are learned from too.
        part_map_weight: weight of the divergence of class maps from part masks.
    """

    title: str
    prototypes: str
    pixels: str
    part_labels: bool = False
    part_map_weight: float = 0.0

    def options(self, root: Path) -> list[str]:
        """Options of `affordance-grounding train` that make the difference.

        Args:
            root: root of the data, where part masks lie in `trainset/PL`.

        Raises:
            DatasetError: part masks are asked for, and the data cannot be read.
        """
        contrast = "--model.objective.contrast"
        options = [f"{contrast}.prototypes={self.prototypes}", f"{contrast}.pixels={self.pixels}"]
        if self.part_labels:
            options.append(f"--data.part_labels={read_training_set(root).folder}")
            options.append(f"--model.objective.part_map_weight={self.part_map_weight}")
        return options


SETTINGS = {
    "classification": Setting("classification only", "none", "none"),
    "object_prototypes": Setting("+ object prototypes", "object", "none"),
    "part_prototypes": Setting("+ part prototypes", "part", "none"),
    "pixels": Setting("+ pixels", "part", "part"),
}
"""Each adds to the one before it, in the order of the paper's ablation."""

LABELLED_SETTINGS = {
    "both_contrast": Setting("both as one, contrast alone", "part", "part", part_labels=True),
    "both": Setting("both as one", "part", "part", part_labels=True, part_map_weight=7.0),
}
"""SelectiveCL's contrast with part masks as its reliable clue; a stronger supervision."""

ALL_SETTINGS: Mapping[str, Setting] = {**SETTINGS, **LABELLED_SETTINGS}


@dataclass(frozen=True)
class Row:
    """Mean and spread over seeds.

    Attributes:
        title: title of the setting.
        epoch: "last" or "best"; "-" before training.
        maps: "plain" class maps, or "calibrated" by affinity.
        mean: mean by metric.
        spread: standard deviation over seeds by metric, 0 for a single one.
        seeds: number of seeds.
    """

    title: str
    epoch: str
    maps: str
    mean: Mapping[str, float]
    spread: Mapping[str, float]
    seeds: int

    def as_dict(self) -> dict[str, Any]:
        """Return plain values."""
        return {**vars(self), "mean": dict(self.mean), "spread": dict(self.spread)}


def make_rows(runs: Sequence[Run]) -> list[Row]:
    """Average the runs that are done.

    Args:
        runs: runs of all settings and seeds.

    Returns:
        Untrained, then every setting with both maps and both choices of the epoch.
    """
    rows: list[Row] = []
    settings = list(dict.fromkeys(run.setting for run in runs))
    done = [(run.setting, scores) for run in runs if (scores := run.read()) is not None]
    first = [scores for setting, scores in done if setting == settings[0]]
    for kind in MAPS:
        rows += _row("untrained", "-", kind, [_untrained(scores, kind) for scores in first])
    for epoch, choose in CHOICES.items():
        for kind in MAPS:
            for name in settings:
                chosen = [choose(scores, kind) for setting, scores in done if setting == name]
                rows += _row(ALL_SETTINGS[name].title, epoch, kind, chosen)
    return rows


def as_markdown(rows: Sequence[Row], references: Mapping[str, Mapping[str, float]]) -> str:
    """Draw the table.

    Args:
        rows: rows of the ablation.
        references: name of a guess that nothing was learnt for, to its scores by metric.
    """
    guesses = [
        [name, "-", "-", *(f"{score[metric]:.3f}" for metric in METRICS), "-"]
        for name, score in references.items()
    ]
    learnt = [
        [
            *(row.title, row.epoch, row.maps),
            *(f"{row.mean[metric]:.3f} ± {row.spread[metric]:.3f}" for metric in METRICS),
            row.seeds,
        ]
        for row in rows
    ]
    titles = ["setting", "epoch", "maps", "KLD (lower)", "SIM", "NSS", "seeds"]
    return table(titles, [*guesses, *learnt])


def _row(title: str, epoch: str, kind: str, scores: Scores) -> list[Row]:
    if not scores:
        return []
    figures = {name: spread([score[f"{kind}_{name}"] for score in scores]) for name in METRICS}
    means = {name: figure.mean for name, figure in figures.items()}
    spreads = {name: figure.spread for name, figure in figures.items()}
    return [Row(title, epoch, kind, means, spreads, len(scores))]


def _untrained(scores: Scores, kind: str) -> Mapping[str, float]:
    return next(score for score in scores if score["epoch"] < 0)


def _last(scores: Scores, kind: str) -> Mapping[str, float]:
    return max(scores, key=lambda score: score["epoch"])


def _best(scores: Scores, kind: str) -> Mapping[str, float]:
    trained = [score for score in scores if score["epoch"] >= 0]
    return min(trained, key=lambda score: score[f"{kind}_kld"])


CHOICES: Mapping[str, Callable[[Scores, str], Mapping[str, float]]] = {
    "last": _last,
    "best": _best,
}
"""Which epoch is reported: the last, or the best on the test set, as papers do."""


def _train(run: Run, options: argparse.Namespace) -> list[dict[str, float]]:
    # Lightning is slow to import and not needed to draw the table.
    from affordance_grounding_core.methods.selective_cl.training import train_from_config

    interrupted = (run.folder / "lightning" / "last.ckpt").is_file()
    outcome = train_from_config(
        [
            f"--config={options.config}",
            f"--data.root={options.data}",
            f"--output={run.folder}",
            f"--seed_everything={run.seed}",
            "--score_untrained=true",
            *ALL_SETTINGS[run.setting].options(options.data),
            *(["--resume=last"] if interrupted else []),
            *options.training,
        ]
    )
    return [score.as_dict() for score in outcome.scores]


def _references(root: Path) -> dict[str, dict[str, float]]:
    """Score the guesses that know nothing of the picture."""
    protocol = PROTOCOLS["locate"]
    images = read_evaluation_set(root).annotated
    actions = {image.action for image in images}
    guesses = [uniform_baseline(actions), centre_prior_baseline(actions, protocol)]
    scores = evaluate_baselines(guesses, images, protocol)
    means = {name.replace("_", " "): mean_score(values) for name, values in scores.items()}
    return {
        name: {"kld": mean.kld, "sim": mean.sim, "nss": mean.nss} for name, mean in means.items()
    }


def _run(options: argparse.Namespace) -> Report:
    # First, since it finds out within a second whether the data is there.
    references = _references(options.data)
    runs = plan_runs(options.output, options.seeds, options.settings, OUTCOME)
    for run in runs:
        done = run.do(lambda one: _train(one, options))
        print(f"{run.folder.name}: {'done' if done else 'left as it is'}", flush=True)
    rows = make_rows(runs)
    content = {"rows": [row.as_dict() for row in rows], "references": references}
    return Report(as_markdown(rows, references), content)


def _add_options(parser: argparse.ArgumentParser) -> None:
    config = CONFIGS / "selective_cl_rendered.yaml"
    parser.add_argument("--config", type=Path, default=config, help="config of the training")
    parser.add_argument(
        "--settings",
        nargs="+",
        choices=list(ALL_SETTINGS),
        default=list(SETTINGS),
        help="the paper's ablation by default; those called both learn from part masks too",
    )


STUDY = Study("ablation", __doc__, _add_options, _run)
