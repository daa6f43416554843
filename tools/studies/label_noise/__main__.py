"""Train every setting with every seed, and write one table.

    python -m tools.studies.label_noise --data ROOT --output runs/label_noise \
        -- --trainer.max_epochs=5

Options after `--` go to every run. What is done is not done again, so that an interrupted
study goes on where it stopped. The setting "refined" learns and refines first, with its seed or
with one for all, in OUTPUT/refinement, which `python -m tools.studies.refinement --output
OUTPUT/refinement` takes up. A second table has the held tools alone, of which those labels are.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from affordance_grounding_core.data.agd20k import TrainingSet, read_training_set
from affordance_grounding_core.errors import AffordanceGroundingError
from affordance_grounding_core.files import replace_file, replace_json
from tools.studies.corruptions import write_labels
from tools.studies.label_noise.held import mark_whole_objects, use_refined
from tools.studies.label_noise.held_scores import held_markdown, held_row, score_held

CONFIG = Path(__file__).parents[3] / "config" / "train" / "plsp_rendered.yaml"
OUTCOME = "outcome.json"
COLUMNS = ("plsp_kld", "plsp_sim", "plsp_nss", "locate_kld", "locate_sim", "locate_nss")


@dataclass(frozen=True)
class Setting:
    """One way to train.

    Attributes:
        title: in the table.
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


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the study; returns the exit code."""
    options = _parse(sys.argv[1:] if arguments is None else arguments)
    try:
        for seed in options.seeds:
            for name in options.settings:
                folder = options.output / f"{name}-{seed}"
                if not (folder / OUTCOME).is_file():
                    _train(folder, SETTINGS[name], seed, options)
                score_held(folder, options.data)
                print(f"{folder.name}: done", flush=True)
    except (AffordanceGroundingError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    rows = [row for name in options.settings if (row := _row(name, options))]
    held = [row for name in options.settings if (row := _held_row(name, options))]
    text = "\n\n".join(filter(None, [as_markdown(rows), held_markdown(held)]))
    replace_file(options.output / "label_noise.md", f"{text}\n".encode())
    replace_json(options.output / "label_noise.json", {"rows": rows, "held": held})
    print(text)
    return 0


def as_markdown(rows: Sequence[dict[str, Any]]) -> str:
    """Draw the table: mean and standard deviation over seeds, last and best epoch."""
    lines = [
        "| labels | epoch | KLD plsp | SIM plsp | NSS plsp | KLD locate | SIM locate "
        "| NSS locate | masks | seeds |",
        "|" + "---|" * 10,
    ]
    for epoch in ("last", "best"):
        for row in rows:
            cells = " | ".join(
                f"{row[epoch][name]['mean']:.3f} ± {row[epoch][name]['spread']:.3f}"
                for name in COLUMNS
            )
            lines.append(
                f"| {row['title']} | {epoch} | {cells} | {row['masks']} | {row['seeds']} |"
            )
    return "\n".join(lines)


def _parse(arguments: Sequence[str]) -> argparse.Namespace:
    place = arguments.index("--") if "--" in arguments else len(arguments)
    prog = "python -m tools.studies.label_noise"
    parser = argparse.ArgumentParser(prog=prog, description=__doc__)
    parser.add_argument("--data", type=Path, required=True, help="root in AGD20K layout")
    parser.add_argument("--output", type=Path, required=True, help="folder of all runs")
    parser.add_argument("--config", type=Path, default=CONFIG, help="config of the training")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--settings", nargs="+", choices=list(SETTINGS), default=list(SETTINGS))
    parser.add_argument("--refinement-epochs", type=_count, default=20)
    parser.add_argument(
        "--refinement-accumulate", type=_count, default=20, help="pictures in a step"
    )
    parser.add_argument(
        "--refinement-seed", type=int, help="one refinement for all runs; else one a seed"
    )
    parsed = parser.parse_args(arguments[:place])
    parsed.training = list(arguments[place + 1 :])
    return parsed


def _count(text: str) -> int:
    """Read a number of at least one."""
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"expected a whole number of at least 1, got {text!r}")
    return int(text)


def _train(folder: Path, setting: Setting, seed: int, options: argparse.Namespace) -> None:
    labels, training = folder / "labels", read_training_set(options.data)
    count = write_labels(training.folder, labels, setting.labels, seed)
    if setting.held != "part":
        mark_whole_objects(training, labels)
    if setting.held == "refined":
        _refine(training, labels, seed, options)
    # Lightning is slow to import and not needed to draw the table.
    from affordance_grounding_core.methods.plsp.training import train_from_config

    outcome = train_from_config(
        [
            f"--config={options.config}",
            f"--data.root={options.data}",
            f"--data.labels={labels}",
            f"--output={folder}",
            f"--seed_everything={seed}",
            *setting.options,
            *options.training,
        ]
    )
    scores = [score.as_dict() for score in outcome.scores]
    replace_json(folder / OUTCOME, {"masks": count, "scores": scores})


def _refine(training: TrainingSet, labels: Path, seed: int, options: argparse.Namespace) -> None:
    from tools.studies.refinement.run import refine_once, study_fit  # slow, likewise

    if options.refinement_seed is not None:
        seed = options.refinement_seed
    folder = options.output / "refinement" / f"seed-{seed}"
    fit = study_fit(options.refinement_epochs, options.refinement_accumulate, seed)
    overlaps = refine_once(training, folder, fit)
    count = use_refined(folder, labels)
    print(f"{labels.parent.name}: {count} of {len(overlaps)} labels refined", flush=True)


def _row(name: str, options: argparse.Namespace) -> dict[str, Any] | None:
    files = [options.output / f"{name}-{seed}" / OUTCOME for seed in options.seeds]
    found = [json.loads(file.read_text(encoding="utf-8")) for file in files if file.is_file()]
    if not found:
        return None
    last = [outcome["scores"][-1] for outcome in found]
    best = [min(outcome["scores"], key=lambda score: score["plsp_kld"]) for outcome in found]
    return {
        "title": SETTINGS[name].title,
        "last": _summary(last),
        "best": _summary(best),
        "masks": round(statistics.fmean(outcome["masks"] for outcome in found)),
        "seeds": len(found),
    }


def _held_row(name: str, options: argparse.Namespace) -> dict[str, Any] | None:
    runs = [options.output / f"{name}-{seed}" for seed in options.seeds]
    return held_row(SETTINGS[name].title, runs)


def _summary(scores: Sequence[dict[str, float]]) -> dict[str, dict[str, float]]:
    columns = {name: [score[name] for score in scores] for name in COLUMNS}
    return {
        name: {
            "mean": statistics.fmean(values),
            "spread": statistics.stdev(values) if len(values) > 1 else 0.0,
        }
        for name, values in columns.items()
    }


if __name__ == "__main__":
    sys.exit(main())
