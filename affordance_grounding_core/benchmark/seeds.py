"""Several seeds of one training: best and last epoch, both protocols, mean and spread."""

from __future__ import annotations

import json
import resource
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from affordance_grounding_core.benchmark.environment import environment, file_hash, listing_hash
from affordance_grounding_core.checkpoints.format import read_checkpoint
from affordance_grounding_core.data.agd20k import EvaluationSet, read_evaluation_set
from affordance_grounding_core.errors import TrainingError
from affordance_grounding_core.evaluation.datasets import evaluate_test_set, training_set_beside
from affordance_grounding_core.evaluation.protocols import PROTOCOLS
from affordance_grounding_core.evaluation.summary import mean_score
from affordance_grounding_core.files import replace_json
from affordance_grounding_core.inference.grounder import Grounder
from affordance_grounding_core.loading import load_grounder
from affordance_grounding_core.methods.training import trainer_arguments
from affordance_grounding_core.training.callbacks import STATE_FOLDER
from affordance_grounding_core.training.run_options import is_trial, run_option
from affordance_grounding_core.training.trial import TRIAL_FOLDER, link_few

OUTCOME = "outcome.json"
"""Name of the file that says that a seed is done, in its folder."""

OPTIONS = "options.json"
"""Name of the file that says what a seed was started with, in its folder."""

REPORT = "seeds.json"
"""Name of the file with all seeds, in the folder of the run."""

Train = Callable[[Sequence[str]], None]
"""Trains by the options of a run."""


@dataclass(frozen=True)
class SeedRuns:
    """Outcomes of several seeds.

    Attributes:
        method: method that was trained.
        split: split of the data, "" where it has none.
        report: everything, as written to `REPORT`.
    """

    method: str
    split: str
    report: dict[str, Any]


def run_seeds(
    method: str, arguments: Sequence[str], count: int, train: Train | None = None
) -> SeedRuns:
    """Train and evaluate the seeds 0, 1, ...; those that are done are not run again.

    Each seed is a run of its own in OUTPUT/seed_N, started anew or resumed where it stopped. Its
    best and its last checkpoint are scored on the test set under both protocols.

    Args:
        method: method of the training.
        arguments: options of the run, as on the command line.
        count: count of seeds.
        train: how to train; a process of its own by default.

    Returns:
        All outcomes, which also stand in OUTPUT/seeds.json.

    Raises:
        TrainingError: a run fails, no output or data is named, or the output holds a run of other
            options.
        DatasetError: the data has no test set.
    """
    if count < 1:
        raise TrainingError(f"--seeds must be at least 1, got {count}")
    options = trainer_arguments(arguments)
    root, split, output = (run_option(options, n) for n in ("data.root", "data.split", "output"))
    if root is None or output is None:
        raise TrainingError("several seeds need --output and --data.root, or a config with both")
    trial = is_trial(options)
    folder = Path(str(output)) / TRIAL_FOLDER if trial else Path(str(output))
    with TemporaryDirectory() as few:
        if trial:
            link_few(Path(str(root)), None if split is None else str(split), Path(few))
        dataset = read_evaluation_set(few if trial else str(root), split)
        outcomes = [
            _run_seed(options, seed, folder / f"seed_{seed}", dataset, train or in_process)
            for seed in range(count)
        ]
        report = {
            "method": method,
            "split": dataset.split,
            "trial": trial,
            "arguments": list(arguments),
            "configs": _config_hashes(arguments),
            "data": listing_hash(dataset.folder, [item.image for item in dataset.images]),
            "environment": environment(),
            "seeds": outcomes,
        }
        replace_json(folder / REPORT, report)
    return SeedRuns(method, dataset.split or "", report)


def in_process(arguments: Sequence[str]) -> None:
    """Train in a process of its own, whose memory and devices are free again afterwards.

    Raises:
        TrainingError: it fails; its messages stand above.
    """
    command = [sys.executable, "-m", "affordance_grounding_core", "train", *arguments]
    if (code := subprocess.run(command, check=False).returncode) != 0:
        raise TrainingError(
            f"training ended with exit code {code}; the same command goes on where it stopped: "
            f"`{' '.join(command)}`"
        )


def _run_seed(
    options: Sequence[str],
    seed: int,
    folder: Path,
    dataset: EvaluationSet,
    train: Train,
) -> dict[str, Any]:
    outcome_file = folder / OUTCOME
    key = _identity(options)
    trial = is_trial(options)
    if outcome_file.is_file() and not trial:
        stored: dict[str, Any] = json.loads(outcome_file.read_text(encoding="utf-8"))
        if stored["options"] == key:
            return stored
    more = [f"--seed_everything={seed}", f"--output={folder}"]
    if (folder / STATE_FOLDER / "last.ckpt").is_file() and not trial:
        _require_same(folder, key)
        more.append("--resume=last")
    replace_json(folder / OPTIONS, {"options": key})
    started = time.perf_counter()
    train([*options, *more])
    seconds = time.perf_counter() - started
    written = folder / TRIAL_FOLDER if trial else folder
    places = {"best": written / "best", "last": written / "last", "run": written}
    checkpoints = {n: path for n, path in places.items() if (path / "config.json").is_file()}
    if not checkpoints:
        raise TrainingError(f"the run of seed {seed} left no checkpoint in {folder}")
    outcome = {
        "seed": seed,
        "options": key,
        "seconds": round(seconds, 1),
        "peak_memory_mb": round(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024),
        "checkpoints": {name: _evaluate(path, dataset) for name, path in checkpoints.items()},
    }
    replace_json(outcome_file, outcome)
    return outcome


def _require_same(folder: Path, key: list[str]) -> None:
    """Refuse to go on with a run of other options.

    Raises:
        TrainingError: the folder holds one.
    """
    file = folder / OPTIONS
    before = json.loads(file.read_text(encoding="utf-8"))["options"] if file.is_file() else None
    if before != key:
        raise TrainingError(
            f"{folder} holds the run of other options or another config, {before}, this one has "
            f"{key}; give another --output, or remove the folder"
        )


def _evaluate(checkpoint: Path, dataset: EvaluationSet) -> dict[str, Any]:
    """Score a checkpoint on a test set under both protocols: its heat and its paper's maps."""
    stored = read_checkpoint(checkpoint)
    grounder = load_grounder(checkpoint, "eager")
    try:
        scores = {name: _scores(grounder, dataset, name) for name in PROTOCOLS}
    finally:
        grounder.close()
    training: Mapping[str, Any] = stored.config.get("training", {})
    return {
        "fingerprint": stored.fingerprint,
        "epoch": training.get("epoch"),
        "epochs": training.get("epochs"),
        "losses": training.get("losses", []),
        "scores_of_epochs": training.get("scores", []),
        "protocols": scores,
    }


def _scores(grounder: Grounder, dataset: EvaluationSet, protocol: str) -> dict[str, Any]:
    evaluation = evaluate_test_set(
        grounder, dataset, training_set_beside(dataset), PROTOCOLS[protocol]
    )
    maps = {"heat": evaluation.scores, **evaluation.raw_maps}
    return {name: asdict(mean_score(scores)) for name, scores in maps.items()}


def _identity(options: Sequence[str]) -> list[str]:
    """What makes a run another run: its options without places, and the content of its configs."""
    kept = [o for o in options if not o.startswith(("--output", "--data.root"))]
    return [*kept, *_config_hashes(options).values()]


def _config_hashes(arguments: Sequence[str]) -> dict[str, str]:
    files = []
    for place, argument in enumerate(arguments):
        option, equals, value = argument.partition("=")
        if option == "--config":
            files.append(Path(value if equals else arguments[place + 1]))
    return {str(file): file_hash(file) for file in files}
