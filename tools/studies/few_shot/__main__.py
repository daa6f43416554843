"""Teach every action by one, three and five training pictures, and write one table.

    python -m tools.studies.few_shot --data ROOT --output runs/few_shot

What is done is not done again. Features of the pictures are kept in OUTPUT/features.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
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
from affordance_grounding_core.errors import AffordanceGroundingError
from affordance_grounding_core.evaluation.protocols import PROTOCOLS
from affordance_grounding_core.files import replace_file, replace_json
from affordance_grounding_core.loading import load_grounder
from affordance_grounding_core.teaching.background import generic_background
from affordance_grounding_core.teaching.teacher import Teacher
from tools.studies.few_shot.pictures import FeatureCache
from tools.studies.few_shot.table import as_markdown
from tools.studies.trials import Bench, run_trial, test_views, topics


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the study; returns the exit code."""
    options = _parse(sys.argv[1:] if arguments is None else arguments)
    try:
        bench, planned = _prepare(options)
        outcomes = [
            _once(options.output / "trials", topic, shots, seed, bench)
            for seed in tqdm(options.seeds, desc="seeds", disable=None)
            for shots in options.shots
            for topic in planned
        ]
    except (AffordanceGroundingError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    table = as_markdown(outcomes)
    replace_json(options.output / "few_shot.json", {"outcomes": outcomes})
    replace_file(options.output / "few_shot.md", f"{table}\n".encode())
    print(table)
    return 0


def _prepare(options: argparse.Namespace) -> tuple[Bench, list[Any]]:
    dataset, training = read_evaluation_set(options.data), read_training_set(options.data)
    planned = [*topics(training, per_object=True), *topics(training, per_object=False)]
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


def _once(folder: Path, topic: Any, shots: int, seed: int, bench: Bench) -> dict[str, Any]:
    file = folder / f"{topic.action}-{topic.object_name or 'all'}-{shots}-{seed}.json"
    if not file.is_file():
        replace_json(file, run_trial(topic, shots, seed, bench))
    outcome: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
    return outcome


def _parse(arguments: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tools.studies.few_shot", description=__doc__)
    parser.add_argument("--data", type=Path, required=True, help="root in AGD20K layout")
    parser.add_argument("--output", type=Path, required=True, help="folder of the outcome")
    parser.add_argument("--model", default="default", help="whose backbone and threshold count")
    parser.add_argument("--shots", type=int, nargs="+", default=[1, 3, 5])
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    return parser.parse_args(arguments)


if __name__ == "__main__":
    sys.exit(main())
