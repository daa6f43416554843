"""Train every setting with every seed, and write one table.

    python -m tools.studies label_noise --data ROOT --output runs/noise -- --trainer.max_epochs=5

What errors in part labels cost WSAG-PLSP. Options after `--` go to every run. What is done is not
done again; started twice, the processes share the runs. The setting "refined" learns and refines
first, with its seed or with one for all, in OUTPUT/refinement, which `python -m tools.studies
refinement --output OUTPUT/refinement` takes up. A second table has the held tools alone, of which
those labels are.
"""

from __future__ import annotations

import argparse
import statistics
from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from affordance_grounding_core.data.agd20k import (
    TrainingSet,
    read_evaluation_set,
    read_training_set,
)
from affordance_grounding_core.evaluation.protocols import PROTOCOLS
from affordance_grounding_core.files import replace_json
from affordance_grounding_core.images import read_grey, read_rgb
from affordance_grounding_core.loading import load_grounder
from tools.studies.corruptions import write_labels
from tools.studies.harness import (
    CONFIGS,
    Report,
    Run,
    Spread,
    Study,
    plan_runs,
    read_outcome,
    spread,
    table,
    whole_number,
)
from tools.studies.held_tools import ACTION, HELD_OBJECTS, mark_whole_objects, use_refined

OUTCOME = "outcome.json"
METRICS = ("kld", "sim", "nss")
COLUMNS = ("plsp_kld", "plsp_sim", "plsp_nss", "locate_kld", "locate_sim", "locate_nss")

HELD_SCORES = "held.json"
"""File in the folder of a run: mean KLD, protocol plsp, last epoch, of each object and of all."""

ALL = "all"


@dataclass(frozen=True)
class Setting:
    """One way to train.

    Attributes:
        title: title in the table.
        labels: how the masks are corrupted.
        options: more options of the training.
        held: what the labels of held tools mark instead: the whole object, also refined.
    """

    title: str
    labels: str = "exact"
    options: tuple[str, ...] = field(default=())
    held: Literal["part", "whole", "refined"] = "part"


SETTINGS = {
    "exact": Setting("exact masks"),
    "no_alignment": Setting("... without alignment", "exact", ("--model.loss.alignment=0",)),
    "no_reasoning": Setting("... without reasoning", "exact", ("--model.sizes.reasoning=false",)),
    "eroded": Setting("eroded masks", "eroded"),
    "dilated": Setting("dilated masks", "dilated"),
    "shifted": Setting("shifted masks", "shifted"),
    "dropped": Setting("30 % of the masks missing", "dropped"),
    "whole_object": Setting("held tools marked whole", held="whole"),
    "refined": Setting("held tools marked whole, then refined", held="refined"),
}
"""Name of its folders to each setting."""


def as_markdown(rows: Sequence[Mapping[str, Any]]) -> str:
    """Draw the table: mean and standard deviation over seeds, last and best epoch."""
    titles = [f"{name.upper()} {protocol}" for protocol in ("plsp", "locate") for name in METRICS]
    lines = [
        [row["title"], epoch, *_cells(row[epoch], COLUMNS), row["masks"], row["seeds"]]
        for epoch in ("last", "best")
        for row in rows
    ]
    return table(["labels", "epoch", *titles, "masks", "seeds"], lines)


def held_markdown(rows: Sequence[Mapping[str, Any]]) -> str:
    """Draw the table of held tools; empty without rows."""
    if not rows:
        return ""
    names = [name for name in (*HELD_OBJECTS, ALL) if all(name in row for row in rows)]
    titles = ["KLD all" if name == ALL else f"KLD {ACTION}/{name}" for name in names]
    lines = [[row["title"], *_cells(row, names), row["seeds"]] for row in rows]
    return table(["labels", *titles, "seeds"], lines)


def score_held(run: Path, data: Path) -> None:
    """Score the last epoch of a run on held tools, unless it is done.

    Args:
        run: folder of the run; nothing happens where it left no checkpoint.
        data: root in AGD20K layout.

    Raises:
        AffordanceGroundingError: data or checkpoint cannot be used.
        OSError: the scores cannot be written.
    """
    done, model = run / HELD_SCORES, run / "last"
    if done.is_file() or not (model / "config.json").is_file():
        return
    protocol = PROTOCOLS["plsp"]
    grounder = load_grounder(model, "eager")
    values: dict[str, list[float]] = defaultdict(list)
    for item in read_evaluation_set(data).annotated:
        if item.action == ACTION and item.object_name in HELD_OBJECTS and item.ground_truth:
            (raw,) = grounder.evaluation_maps(read_rgb(item.image), [ACTION])["log_density"]
            truth = protocol.prepare_ground_truth(read_grey(item.ground_truth))
            score = protocol.score(protocol.prepare_raw_map(raw), truth)
            values[item.object_name].append(score.kld)
    means = {name: statistics.fmean(klds) for name, klds in values.items()}
    if values:
        means[ALL] = statistics.fmean(kld for klds in values.values() for kld in klds)
    replace_json(done, means)


def _train(run: Run, options: argparse.Namespace) -> dict[str, Any]:
    setting = SETTINGS[run.setting]
    labels, training = run.folder / "labels", read_training_set(options.data)
    count = write_labels(training.folder, labels, setting.labels, run.seed)
    if setting.held != "part":
        mark_whole_objects(training, labels)
    if setting.held == "refined":
        _refine(training, labels, run.seed, options)
    # Lightning is slow to import and not needed to draw the table.
    from affordance_grounding_core.methods.plsp.training import train_from_config

    outcome = train_from_config(
        [
            f"--config={options.config}",
            f"--data.root={options.data}",
            f"--data.labels={labels}",
            f"--output={run.folder}",
            f"--seed_everything={run.seed}",
            *setting.options,
            *options.training,
        ]
    )
    return {"masks": count, "scores": [score.as_dict() for score in outcome.scores]}


def _refine(training: TrainingSet, labels: Path, seed: int, options: argparse.Namespace) -> None:
    # Slow to import for the same reason.
    from tools.studies.refinement import refine_once, study_fit

    if options.refinement_seed is not None:
        seed = options.refinement_seed
    folder = options.output / "refinement" / f"seed-{seed}"
    fit = study_fit(options.refinement_epochs, options.refinement_accumulate, seed)
    overlaps = refine_once(training, folder, fit)
    count = use_refined(folder, labels)
    print(f"{labels.parent.name}: {count} of {len(overlaps)} labels refined", flush=True)


def _row(runs: Sequence[Run]) -> dict[str, Any] | None:
    """Mean and spread over the runs of a setting; None where none is done."""
    found = [outcome for run in runs if (outcome := run.read()) is not None]
    if not found:
        return None
    last = [outcome["scores"][-1] for outcome in found]
    best = [min(outcome["scores"], key=lambda score: score["plsp_kld"]) for outcome in found]
    return {
        "title": SETTINGS[runs[0].setting].title,
        "last": _summary(last, COLUMNS),
        "best": _summary(best, COLUMNS),
        "masks": round(statistics.fmean(outcome["masks"] for outcome in found)),
        "seeds": len(found),
    }


def _held_row(runs: Sequence[Run]) -> dict[str, Any] | None:
    """Mean and spread of the held tools over the runs of a setting; None where none is scored."""
    files = [run.folder / HELD_SCORES for run in runs]
    found = [scores for file in files if file.is_file() and (scores := read_outcome(file))]
    if not found:
        return None
    title = SETTINGS[runs[0].setting].title
    return {"title": title, "seeds": len(found), **_summary(found, found[0])}


def _summary(
    scores: Sequence[Mapping[str, float]], names: Collection[str]
) -> dict[str, dict[str, float]]:
    return {name: spread([score[name] for score in scores])._asdict() for name in names}


def _cells(figures: Mapping[str, Any], names: Sequence[str]) -> list[Spread]:
    return [Spread(**figures[name]) for name in names]


def _run(options: argparse.Namespace) -> Report:
    runs = plan_runs(options.output, options.seeds, options.settings, OUTCOME)
    for run in runs:
        done = run.do(lambda one: _train(one, options)) or run.file.is_file()
        if done:
            score_held(run.folder, options.data)
        print(f"{run.folder.name}: {'done' if done else 'left to another process'}", flush=True)
    of_settings = [[run for run in runs if run.setting == name] for name in options.settings]
    rows = [row for ones in of_settings if (row := _row(ones))]
    held = [row for ones in of_settings if (row := _held_row(ones))]
    text = "\n\n".join(filter(None, [as_markdown(rows), held_markdown(held)]))
    return Report(text, {"rows": rows, "held": held})


def _add_options(parser: argparse.ArgumentParser) -> None:
    config = CONFIGS / "plsp_rendered.yaml"
    add = parser.add_argument
    add("--config", type=Path, default=config, help="config of the training")
    add("--settings", nargs="+", choices=list(SETTINGS), default=list(SETTINGS))
    add("--refinement-epochs", type=whole_number, default=20)
    add("--refinement-accumulate", type=whole_number, default=20, help="pictures in a step")
    add("--refinement-seed", type=int, help="one refinement for all runs; else one a seed")


STUDY = Study("label_noise", __doc__, _add_options, _run)
