"""What a row costs to make: guesses and probes here, trainings by the package's own commands."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from affordance_grounding_core.data.agd20k import (
    EvaluationSet,
    TrainingSet,
    read_evaluation_set,
    read_training_set,
)
from affordance_grounding_core.errors import DatasetError, TrainingError, WeightsError
from affordance_grounding_core.evaluation.baselines import (
    Baseline,
    centre_prior_baseline,
    evaluate_baselines,
    mean_label_baseline,
    uniform_baseline,
)
from affordance_grounding_core.evaluation.protocols import PROTOCOLS
from tools.studies.benchmark_table.outcomes import (
    METRICS,
    Outcome,
    outcome_of,
    outcome_of_report,
    read_outcome,
    write_outcome,
)
from tools.studies.benchmark_table.rows import Row

CONFIGS = Path(__file__).parents[2] / "config" / "train"
REPOSITORY = Path(__file__).parents[2]
PROTOCOL = PROTOCOLS["locate"]

Call = Callable[[Sequence[str]], None]
"""Runs `python ARGUMENTS`; raises TrainingError with the reason where that fails."""


@dataclass(frozen=True)
class Bench:
    """What all rows are made from.

    Attributes:
        root: of the data, in AGD20K layout.
        output: folder of all runs and outcomes.
        model: name or folder of the model in the row "default".
        training: more options of every training, for example `--trainer.max_epochs=3`.
        call: runs a command of the package.
    """

    root: Path
    output: Path
    model: str
    training: tuple[str, ...]
    call: Call

    def data(self) -> tuple[EvaluationSet, TrainingSet]:
        """Read the lists of pictures.

        Raises:
            DatasetError: another layout.
        """
        return read_evaluation_set(self.root), read_training_set(self.root)


def run_command(arguments: Sequence[str]) -> None:
    """Run `python ARGUMENTS` and wait for it; what it prints is seen.

    Raises:
        TrainingError: it failed; the message ends with the last line it said.
    """
    ended = subprocess.run(
        [sys.executable, *arguments],
        cwd=REPOSITORY,
        stderr=subprocess.PIPE,
        text=True,
        check=False,
    )
    if ended.returncode:
        lines = [line for line in ended.stderr.splitlines() if line.strip()]
        raise TrainingError(
            f"`python {' '.join(arguments[:4])} ...` ended with {ended.returncode}: "
            f"{lines[-1] if lines else 'without a word'}"
        )


def outcome_file(row: Row, seed: int, bench: Bench) -> Path:
    """Where the outcome of a row with a seed is kept."""
    return bench.output / "outcomes" / f"{row.name}-{seed}.json"


def make_outcome(row: Row, seed: int, bench: Bench) -> Outcome:
    """Make one row with one seed, or read it where it was made before.

    Args:
        row: to make.
        seed: of everything random.
        bench: what it is made from.

    Returns:
        Scores, or why the row cannot be made here; the latter is tried again the next time.

    Raises:
        DatasetError: data of another layout, or a kept outcome that is damaged.
    """
    file = outcome_file(row, seed, bench)
    kept = read_outcome(file)
    if kept is not None:
        return kept
    started = time.perf_counter()
    try:
        made = _MAKERS[row.kind](row, seed, bench)
    except WeightsError as error:
        # What is wrong in full, with paths of this machine, is not for the document.
        print(f"{row.name}: {error}", file=sys.stderr)
        return Outcome({}, missing="weights that it needs cannot be fetched here")
    except TrainingError as error:
        return Outcome({}, missing=str(error).splitlines()[0])
    notes = {**made.notes, "seconds": round(time.perf_counter() - started, 1)}
    outcome = Outcome(made.maps, notes=notes)
    write_outcome(file, outcome)
    return outcome


def _baseline(row: Row, seed: int, bench: Bench) -> Outcome:
    testing, training = bench.data()
    actions = {image.action for image in testing.annotated}
    makers: Mapping[str, Callable[[], Baseline]] = {
        "uniform": lambda: uniform_baseline(actions),
        "centre_prior": lambda: centre_prior_baseline(actions, PROTOCOL),
        "mean_of_train": lambda: mean_label_baseline(training, PROTOCOL),
    }
    (scores,) = evaluate_baselines([makers[row.name]()], testing.annotated, PROTOCOL).values()
    return outcome_of(scores)


def _zero_shot(row: Row, seed: int, bench: Bench) -> Outcome:
    from affordance_grounding_core.backbones.clip import load_clip
    from tools.studies.zero_shot import zero_shot_scores

    testing, _ = bench.data()
    return outcome_of(zero_shot_scores(load_clip(), testing.annotated, PROTOCOL))


def _probe(row: Row, seed: int, bench: Bench) -> Outcome:
    from tools.studies.probes import dinov2_patches, probe_scores

    testing, training = bench.data()
    scores = probe_scores(
        training.egocentric,
        testing.annotated,
        PROTOCOL,
        dinov2_patches(),
        blurred=row.name == "probe_blurred",
    )
    return outcome_of(scores)


def _training(row: Row, seed: int, bench: Bench) -> Outcome:
    _, training = bench.data()
    actions = sorted({item.action for item in training.egocentric})
    folder = bench.output / "runs" / f"{row.name}-{seed}"
    interrupted = (folder / "lightning" / "last.ckpt").is_file()
    arguments = [
        "-m",
        "affordance_grounding_core",
        "train",
        f"--config={CONFIGS / row.config}",
        f"--data.root={bench.root.resolve()}",
        f"--output={folder.resolve()}",
        f"--seed_everything={seed}",
        f"--model.actions={json.dumps(actions)}",
        *(option.format(root=bench.root.resolve()) for option in row.options),
        *(["--resume=last"] if interrupted else []),
        *bench.training,
    ]
    bench.call(arguments)
    last = folder / "last"
    return _evaluated(last if last.is_dir() else folder, folder, bench, options=bench.training)


def _model(row: Row, seed: int, bench: Bench) -> Outcome:
    return _evaluated(bench.model, bench.output / "runs" / row.name, bench)


def _evaluated(
    model: str | Path, folder: Path, bench: Bench, options: Sequence[str] = ()
) -> Outcome:
    """Score a model on plain PyTorch, which has the maps that papers score, too."""
    report = folder.resolve() / "evaluation.json"
    bench.call(
        [
            "-m",
            "affordance_grounding_core",
            "evaluate",
            f"--model={model}",
            f"--data={bench.root.resolve()}",
            f"--protocol={PROTOCOL.name}",
            "--runtime=eager",
            f"--json={report}",
        ]
    )
    return outcome_of_report(json.loads(report.read_text(encoding="utf-8")), options=list(options))


def _taught(row: Row, seed: int, bench: Bench) -> Outcome:
    shots = int(row.name.rpartition("_")[2])
    folder = bench.output.resolve() / "few_shot" / f"seed-{seed}"
    bench.call(
        [
            "-m",
            "tools.studies.few_shot",
            f"--data={bench.root.resolve()}",
            f"--output={folder}",
            f"--seeds={seed}",
        ]
    )
    content = json.loads((folder / "few_shot.json").read_text(encoding="utf-8"))
    pairs = [
        pair
        for outcome in content["outcomes"]
        if outcome["shots"] == shots and outcome["object"] is None
        for pair in outcome["right"]
    ]
    if not pairs:
        raise DatasetError(f"the few-shot study has no outcome for {shots} examples an action")
    means = {metric: sum(pair[metric] for pair in pairs) / len(pairs) for metric in METRICS}
    return Outcome({"heat": {**means, "n": len(pairs)}})


_MAKERS: Mapping[str, Callable[[Row, int, Bench], Outcome]] = {
    "baseline": _baseline,
    "zero_shot": _zero_shot,
    "probe": _probe,
    "training": _training,
    "model": _model,
    "taught": _taught,
}
