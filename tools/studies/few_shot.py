"""Teach every action by one, three and five training pictures, and write one table.

    python -m tools.studies few_shot --data ROOT --output runs/few_shot

What is done with a model is not done again. Features of the pictures are kept in OUTPUT/features.
"""

from __future__ import annotations

import argparse
import statistics
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from tqdm import tqdm

from affordance_grounding_core.data.agd20k import (
    EvaluationImage,
    ExocentricImage,
    TrainingImage,
    affordances_of_objects,
    read_evaluation_set,
    read_training_set,
)
from affordance_grounding_core.errors import DatasetError
from affordance_grounding_core.evaluation.protocols import PROTOCOLS
from affordance_grounding_core.loading import load_grounder
from affordance_grounding_core.teaching.background import generic_background
from affordance_grounding_core.teaching.teacher import Teacher
from tools.studies.harness import Report, Spread, Study, kept, spread, table
from tools.studies.trials import (
    Bench,
    FeatureCache,
    TooFewExamplesError,
    Topic,
    draw_exemplars,
    run_trial,
    test_views,
    topics,
)

Outcome = Mapping[str, Any]

METRICS = ("kld", "sim", "nss")


def summarise(outcomes: Sequence[Outcome]) -> dict[str, Spread]:
    """Mean over the test pairs of every seed, then mean and deviation over seeds.

    Args:
        outcomes: outcomes of one number of shots, at least one.

    Returns:
        Mean and standard deviation by figure. Shares are in [0, 1].
    """
    by_seed: dict[int, list[Outcome]] = {}
    for outcome in outcomes:
        by_seed.setdefault(outcome["seed"], []).append(outcome)
    figures: dict[str, list[float]] = {}
    for ones in by_seed.values():
        right = [pair for outcome in ones for pair in outcome["right"]]
        wrong = sum(outcome["wrong"] for outcome in ones)
        known = [pair["peak_on_part"] for pair in right if pair["peak_on_part"] is not None]
        values = {name: statistics.fmean(pair[name] for pair in right) for name in METRICS}
        values["found"] = statistics.fmean(pair["found"] for pair in right)
        values["on_part"] = statistics.fmean(known) if known else 0.0
        wrong_found = sum(outcome["wrong_found"] for outcome in ones)
        values["wrong"] = wrong_found / wrong if wrong else 0.0
        for name, value in values.items():
            figures.setdefault(name, []).append(value)
    return {name: spread(values) for name, values in figures.items()}


def as_markdown(outcomes: Sequence[Outcome]) -> str:
    """Write the table over all actions, and one by action for each kind of exemplars."""
    kinds = _kinds(outcomes)
    titles = ["exemplars", "shots", "KLD ↓", "SIM ↑", "NSS ↑"]
    titles += ["found", "peak on part", "wrong object found"]
    lines = [
        [title, shots, *_cells(summarise([one for one in chosen if one["shots"] == shots]))]
        for title, chosen in kinds.items()
        for shots in sorted({one["shots"] for one in chosen})
    ]
    blocks = [table(titles, lines)]
    for title, chosen in kinds.items():
        blocks += [f"By action, exemplars {title}:", _by_action(chosen)]
    return "\n\n".join(blocks)


def _kinds(outcomes: Sequence[Outcome]) -> dict[str, list[Outcome]]:
    kinds = {
        "of the object": [one for one in outcomes if one["object"] is not None],
        "of all objects of the action": [one for one in outcomes if one["object"] is None],
    }
    return {title: chosen for title, chosen in kinds.items() if chosen}


def _by_action(outcomes: Sequence[Outcome]) -> str:
    shots = sorted({one["shots"] for one in outcomes})
    most = shots[-1]
    titles = ["", *(f"KLD, {count}" for count in shots)]
    titles += [f"found, {most}", f"peak on part, {most}", f"wrong object found, {most}"]
    lines = []
    for topic in sorted({_topic(one) for one in outcomes}):
        chosen = [one for one in outcomes if _topic(one) == topic]
        figures = [summarise([one for one in chosen if one["shots"] == count]) for count in shots]
        cells = [f"{each['kld'].mean:.2f}" for each in figures]
        shares = [figures[-1][name].mean for name in ("found", "on_part", "wrong")]
        lines.append([topic, *cells, *(f"{100 * share:.0f} %" for share in shares)])
    return table(titles, lines)


def _topic(outcome: Outcome) -> str:
    return " ".join(filter(None, (outcome["action"], outcome["object"])))


def _cells(figures: Mapping[str, Spread]) -> list[str]:
    return [
        str(figure) if name in METRICS else f"{100 * figure.mean:.0f} ± {100 * figure.spread:.0f} %"
        for name, figure in figures.items()
    ]


def _prepare(options: argparse.Namespace) -> tuple[Bench, list[Topic]]:
    dataset, training = read_evaluation_set(options.data), read_training_set(options.data)
    planned = topics(training, per_object=False)
    if not options.actions_alone:
        planned = [*topics(training, per_object=True), *planned]
    grounder = load_grounder(options.model, "eager")
    features = Teacher(grounder).features
    cache = FeatureCache(options.output / "features", features)
    marked = tuple(item for item in training.egocentric if item.part_mask is not None)
    shown: list[EvaluationImage | TrainingImage | ExocentricImage] = [
        *dataset.images,
        *training.egocentric,
        *training.exocentric,
    ]
    bench = Bench(
        training=marked,
        views=tuple(test_views(dataset, cache, grounder.preprocess)),
        affordances=affordances_of_objects(shown),
        cache=cache,
        generic=generic_background(features.identity),
        preprocess=grounder.preprocess,
        regions=grounder.regions,
        protocol=PROTOCOLS["locate"],
    )
    return bench, planned


def _run(options: argparse.Namespace) -> Report:
    bench, planned = _prepare(options)
    planned, left_out = _teachable(planned, max(options.shots), options.seeds, bench)
    outcomes = [
        _trial(options.output / "trials" / bench.key, topic, shots, seed, bench)
        for seed in tqdm(options.seeds, desc="seeds", disable=None)
        for shots in options.shots
        for topic in planned
    ]
    written = as_markdown(outcomes)
    if left_out:
        written += "\n\nLeft out, with too few parts that can be marked: " + ", ".join(left_out)
    return Report(written, {"outcomes": outcomes, "left_out": left_out})


def _teachable(
    planned: Sequence[Topic], shots: int, seeds: Sequence[int], bench: Bench
) -> tuple[list[Topic], list[str]]:
    """Topics with examples enough for every seed, and the names of the others."""
    enough = [_has_examples(topic, shots, seeds, bench) for topic in planned]
    kept = [topic for topic, has in zip(planned, enough, strict=True) if has]
    left_out = [
        " ".join(filter(None, (topic.action, topic.object_name)))
        for topic, has in zip(planned, enough, strict=True)
        if not has
    ]
    if not kept:
        raise DatasetError(f"no action of the training set has {shots} parts that can be marked")
    return kept, left_out


def _has_examples(topic: Topic, shots: int, seeds: Sequence[int], bench: Bench) -> bool:
    try:
        for seed in seeds:
            draw_exemplars(topic, shots, seed, bench)
    except TooFewExamplesError:
        return False
    return True


def _trial(folder: Path, topic: Topic, shots: int, seed: int, bench: Bench) -> dict[str, Any]:
    name = f"{topic.action}-{topic.object_name or 'all'}-{shots}-{seed}.json"
    outcome: dict[str, Any] = kept(folder / name, lambda: run_trial(topic, shots, seed, bench))
    return outcome


def _add_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--model", default="default", help="whose backbone and threshold count")
    parser.add_argument("--shots", type=int, nargs="+", default=[1, 3, 5])
    parser.add_argument(
        "--actions-alone", action="store_true", help="teach actions, not those of each object"
    )


STUDY = Study("few_shot", __doc__, _add_options, _run)
