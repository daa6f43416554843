"""The rows of the benchmark table, and how each is made.

Guesses and probes are made here, trainings by the package's own commands.
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

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
from affordance_grounding_core.evaluation.summary import ImageScore, mean_score
from tools.studies.harness import CONFIGS, Run, damaged, kept, read_outcome

REPOSITORY = Path(__file__).parents[2]
PROTOCOL = PROTOCOLS["locate"]

Kind = Literal["baseline", "zero_shot", "probe", "training", "model", "taught"]


@dataclass(frozen=True)
class Row:
    """One method of the table.

    Attributes:
        name: name of its files, and on the command line.
        title: title in the table.
        learns_from: what it has seen of the training set.
        kind: how it is run.
        config: file in config/train, of a training.
        options: more options of the training; "{root}" stands for the root of the data.
        seeded: whether another seed gives another outcome.
        model: packaged model that is scored; empty for the one that the command line names.
    """

    name: str
    title: str
    learns_from: str
    kind: Kind
    config: str = ""
    options: tuple[str, ...] = ()
    seeded: bool = False
    model: str = ""

    @property
    def reads_exocentric(self) -> bool:
        """Whether it can only learn where there are exocentric pictures."""
        return "exocentric" in self.learns_from


ROWS = (
    Row("uniform", "uniform", "nothing", "baseline"),
    Row("centre_prior", "centre prior", "nothing", "baseline"),
    Row("mean_of_train", "mean of train, by action", "part masks", "baseline"),
    Row("zero_shot", "zero-shot: CLIP's patches and texts", "nothing", "zero_shot"),
    Row("probe_sharp", "linear probe by action, masks", "part masks", "probe"),
    Row("probe_blurred", "linear probe by action, blurred masks", "blurred part masks", "probe"),
    Row(
        "selective_cl",
        "SelectiveCL",
        "image labels, exocentric pictures",
        "training",
        "selective_cl_rendered.yaml",
        seeded=True,
    ),
    Row(
        "plsp",
        "WSAG-PLSP",
        "part masks, exocentric pictures",
        "training",
        "plsp_rendered.yaml",
        seeded=True,
    ),
    Row(
        "both",
        "both as one",
        "part masks, image labels, exocentric pictures",
        "training",
        "both_rendered.yaml",
        ("--data.part_labels={root}/trainset",),
        seeded=True,
    ),
    Row("default_anew", "action head", "part masks", "training", "renders.yaml", seeded=True),
    Row("default", "the packaged model `default`", "see its model card", "model"),
    Row("research", "`research`", "see its model card", "model", model="research"),
    Row("renders", "`renders`", "see its model card", "model", model="renders"),
    Row("taught_1", "taught, 1 example an action", "1 part mask an action", "taught", seeded=True),
    Row("taught_3", "taught, 3 examples", "3 part masks an action", "taught", seeded=True),
    Row("taught_5", "taught, 5 examples", "5 part masks an action", "taught", seeded=True),
)
"""In the order of the table."""

METRICS = ("kld", "sim", "nss")
SHOTS = 5
"""Most examples that a row is taught; actions with fewer part masks are not scored."""

HEAT = "heat"
"""Name of the map that a robot sees; others are what a paper scores."""

Scores = Mapping[str, float]


@dataclass(frozen=True)
class Outcome:
    """One row with one seed.

    Attributes:
        maps: name of a kind of map to its mean scores; empty where the row could not be run.
        missing: why it could not; empty where it could.
        notes: how it was made: command, seconds, versions.
    """

    maps: Mapping[str, Scores]
    missing: str = ""
    notes: Mapping[str, Any] = field(default_factory=dict)


def outcome_of(scores: Sequence[ImageScore], **notes: Any) -> Outcome:
    """Average the scores of one kind of map, the heat."""
    mean = mean_score(scores)
    means = {metric: float(getattr(mean, metric)) for metric in METRICS}
    return Outcome({HEAT: {**means, "n": mean.n}}, notes=notes)


_OF_ANOTHER_PROTOCOL = "log_density"
"""WSAG-PLSP scores its softmax, by its own protocol; the table's would min-max a logarithm."""


def outcome_of_report(report: Mapping[str, Any], actions: Collection[str], **notes: Any) -> Outcome:
    """Take the scores out of a report of `affordance-grounding evaluate --json`.

    Args:
        report: content of the file.
        actions: actions that count.
        notes: more about the outcome.

    Raises:
        DatasetError: the report has none of the actions.
    """
    kinds = {HEAT: report["per_action"]}
    kinds |= {
        name: scores["per_action"]
        for name, scores in report.get("raw_maps", {}).items()
        if name != _OF_ANOTHER_PROTOCOL
    }
    maps = {
        name: _mean([scores[action] for action in scores if action in actions])
        for name, scores in kinds.items()
    }
    return Outcome(maps, notes={"fingerprint": report.get("fingerprint", ""), **notes})


def _mean(of_actions: Sequence[Mapping[str, Any]]) -> Scores:
    """Mean over pairs of the means of some actions."""
    count = sum(int(scores["n"]) for scores in of_actions)
    if not count:
        raise DatasetError("the model was scored on none of the actions of the training set")
    means = {
        metric: sum(scores["n"] * scores[metric] for scores in of_actions) / count
        for metric in METRICS
    }
    return {**means, "n": count}


def read_kept(file: Path) -> Outcome | None:
    """Read what was kept of a row with a seed; None where nothing was.

    Raises:
        DatasetError: the file is not one of a row.
    """
    if not file.is_file():
        return None
    content = read_outcome(file)
    try:
        maps = {
            str(name): {metric: float(scores[metric]) for metric in (*METRICS, "n")}
            for name, scores in content["maps"].items()
        }
        return Outcome(maps, notes=content["notes"])
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise damaged(file, error) from error


Call = Callable[[Sequence[str]], None]
"""Runs `python ARGUMENTS`; raises TrainingError with the reason where that fails."""


@dataclass(frozen=True)
class Bench:
    """What all rows are made from.

    Attributes:
        root: root of the data, in AGD20K layout.
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
        """Read the lists of pictures; those of actions with too few part masks are left out.

        Raises:
            DatasetError: another layout, or too few part masks of every action.
        """
        testing, training = read_evaluation_set(self.root), read_training_set(self.root)
        masks = Counter(item.action for item in training.egocentric if item.part_mask)
        kept = tuple(image for image in testing.images if masks[image.action] >= SHOTS)
        if not kept:
            raise DatasetError(
                f"training set {str(training.folder)!r} has no action of the test set with "
                f"{SHOTS} part masks or more; found {dict(masks)}"
            )
        return replace(testing, images=kept), training

    def actions(self) -> set[str]:
        """Actions that are scored."""
        return {image.action for image in self.data()[0].images}


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


def plan_row(row: Row, seeds: Sequence[int], bench: Bench) -> list[Run]:
    """List the runs of a row: one a seed, or one alone where a seed changes nothing."""
    return [
        Run(
            row.name,
            seed,
            bench.output / "runs" / f"{row.name}-{seed}",
            bench.output / "outcomes" / f"{row.name}-{seed}.json",
        )
        for seed in (seeds if row.seeded else seeds[:1])
    ]


def make_outcome(row: Row, run: Run, bench: Bench) -> Outcome:
    """Make one row with one seed, or read it where it was made before.

    Args:
        row: row to make.
        run: its run.
        bench: what it is made from.

    Returns:
        Scores, or why the row cannot be made here; the latter is tried again the next time.

    Raises:
        DatasetError: data of another layout, or a kept outcome that is damaged.
    """

    def make() -> dict[str, Any]:
        started = time.perf_counter()
        made = _MAKERS[row.kind](row, run, bench)
        seconds = round(time.perf_counter() - started, 1)
        return {"maps": dict(made.maps), "notes": {**made.notes, "seconds": seconds}}

    kept_before = read_kept(run.file)
    if kept_before is not None:
        return kept_before
    try:
        kept(run.file, make)
    except WeightsError as error:
        # What is wrong in full, with paths of this machine, is not for the document.
        print(f"{row.name}: {error}", file=sys.stderr)
        return Outcome({}, missing="weights that it needs cannot be fetched here")
    except TrainingError as error:
        return Outcome({}, missing=str(error).splitlines()[0])
    outcome = read_kept(run.file)
    assert outcome is not None  # just written
    return outcome


def _baseline(row: Row, run: Run, bench: Bench) -> Outcome:
    testing, training = bench.data()
    actions = {image.action for image in testing.annotated}
    makers: Mapping[str, Callable[[], Baseline]] = {
        "uniform": lambda: uniform_baseline(actions),
        "centre_prior": lambda: centre_prior_baseline(actions, PROTOCOL),
        "mean_of_train": lambda: mean_label_baseline(training, PROTOCOL),
    }
    (scores,) = evaluate_baselines([makers[row.name]()], testing.annotated, PROTOCOL).values()
    return outcome_of(scores)


def _zero_shot(row: Row, run: Run, bench: Bench) -> Outcome:
    from affordance_grounding_core.backbones.clip import load_clip
    from tools.studies.probes import zero_shot_scores

    testing, _ = bench.data()
    return outcome_of(zero_shot_scores(load_clip(), testing.annotated, PROTOCOL))


def _probe(row: Row, run: Run, bench: Bench) -> Outcome:
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


def _training(row: Row, run: Run, bench: Bench) -> Outcome:
    _, training = bench.data()
    actions = sorted({item.action for item in training.egocentric})
    folder = run.folder
    interrupted = (folder / "lightning" / "last.ckpt").is_file()
    arguments = [
        "-m",
        "affordance_grounding_core",
        "train",
        f"--config={CONFIGS / row.config}",
        f"--data.root={bench.root.resolve()}",
        f"--output={folder.resolve()}",
        f"--seed_everything={run.seed}",
        f"--model.actions={json.dumps(actions)}",
        *(option.format(root=bench.root.resolve()) for option in row.options),
        *(["--resume=last"] if interrupted else []),
        *bench.training,
    ]
    bench.call(arguments)
    last = folder / "last"
    return _evaluated(last if last.is_dir() else folder, folder, bench, options=bench.training)


def _model(row: Row, run: Run, bench: Bench) -> Outcome:
    return _evaluated(row.model or bench.model, bench.output / "runs" / row.name, bench)


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
    content = json.loads(report.read_text(encoding="utf-8"))
    return outcome_of_report(content, bench.actions(), options=list(options))


def _taught(row: Row, run: Run, bench: Bench) -> Outcome:
    shots = int(row.name.rpartition("_")[2])
    folder = bench.output.resolve() / "few_shot"
    bench.call(
        [
            "-m",
            "tools.studies",
            "few_shot",
            f"--data={bench.root.resolve()}",
            f"--output={folder}",
            f"--seeds={run.seed}",
            "--actions-alone",
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


_MAKERS: Mapping[str, Callable[[Row, Run, Bench], Outcome]] = {
    "baseline": _baseline,
    "zero_shot": _zero_shot,
    "probe": _probe,
    "training": _training,
    "model": _model,
    "taught": _taught,
}
