"""Refine the labels of held tools with every seed, and compare them with the exact masks.

    python -m tools.studies refinement --data ROOT --output runs/refinement --epochs 20

What refinement makes of part labels. Epochs and pictures in a step are the published ones by
default. First labels mark the whole object, or a part that is too large or moved. Of the exact part
masks only their union, the object, is learned from. What is done is not done again.
"""

from __future__ import annotations

import argparse
import statistics
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from affordance_grounding_core.data.agd20k import TrainingSet, read_training_set
from affordance_grounding_core.data.part_masks import read_part_mask
from affordance_grounding_core.images import read_rgb
from affordance_grounding_core.labelling.manifest import MANIFEST_FILE, read_manifest
from affordance_grounding_core.methods.plsp.refinement.config import RefinementConfig, SnapConfig
from affordance_grounding_core.methods.plsp.refinement.encoders import FrozenPatches, load_encoders
from affordance_grounding_core.methods.plsp.refinement.inference import LabelRefiner
from affordance_grounding_core.methods.plsp.refinement.pictures import PictureFormat
from affordance_grounding_core.methods.plsp.refinement.proposals import FeatureProposals
from affordance_grounding_core.methods.plsp.refinement.run import REFINED_FOLDER, refine_labels
from affordance_grounding_core.methods.plsp.refinement.samples import (
    RefinementSample,
    read_samples,
)
from affordance_grounding_core.methods.plsp.refinement.training import (
    MODEL_FOLDER,
    FitConfig,
    fit_masks,
    load_masks,
)
from affordance_grounding_core.training.callbacks import STATE_FOLDER
from tools.studies.harness import Report, Study, kept, spread, table, whole_number
from tools.studies.held_tools import ACTION, HELD_OBJECTS, held_images, read_part
from tools.studies.label_folder import KINDS, first_label, label_number, write_label_folder
from tools.studies.object_finder import PatchDescriber

OUTCOME = "overlaps.json"
PAIRS = [(ACTION, name) for name in HELD_OBJECTS]

_FINDER_SIZE, _SEGMENT_SIZE = 336, 448  # px; finer grids than the network's 224

Mask = NDArray[np.bool_]


@dataclass(frozen=True)
class Overlap:
    """How well the labels of one picture meet its exact mask, as intersection over union.

    Attributes:
        object_name: class of the object.
        image: stem of the file name.
        refined: whether refinement gave a label; else the first one stays.
        first: of the first label, by what is wrong with it.
        threshold: of the learned mask above the threshold, before segments.
        after: of the refined label; 0 where there is none.
        part: mean of the learned mask on the part.
        rest: mean of the learned mask on the rest of the object.
    """

    object_name: str
    image: str
    refined: bool
    first: dict[str, float]
    threshold: float
    after: float
    part: float
    rest: float


def study_fit(epochs: int, accumulate: int, seed: int) -> FitConfig:
    """How the studies learn masks: on the CPU, and without a word.

    Args:
        epochs: over all pictures.
        accumulate: pictures in a step.
        seed: of everything random.

    Raises:
        ValueError: no epoch, or no picture in a step.
    """
    return FitConfig(
        epochs=epochs,
        accumulate=accumulate,
        workers=0,
        seed=seed,
        devices=1,
        accelerator="cpu",
        show_progress=False,
    )


def refine_once(
    training: TrainingSet, folder: Path, fit: FitConfig, every: int = 1
) -> list[Overlap]:
    """Refine the labels of held tools, unless it is done.

    Labels that are there are taken as they are; learning goes on where it stopped.

    Args:
        training: with exact part masks.
        folder: of labels and outcome.
        fit: of learning masks, from all pictures.
        every: one label of so many is refined.

    Raises:
        AffordanceGroundingError: data or weights cannot be used.
        OSError: a file cannot be written.
    """

    def refine() -> dict[str, Any]:
        overlaps = _refine(training, folder, fit, every)
        return {"overlaps": [vars(overlap) for overlap in overlaps]}

    return [Overlap(**values) for values in kept(folder / OUTCOME, refine)["overlaps"]]


def _refine(training: TrainingSet, folder: Path, fit: FitConfig, every: int) -> list[Overlap]:
    encoders = load_encoders("dinov2", PAIRS)
    frozen = FrozenPatches(encoders.frozen)
    finer = [PictureFormat(encoders.mean, encoders.std, s) for s in (_FINDER_SIZE, _SEGMENT_SIZE)]
    if not (folder / MANIFEST_FILE).is_file():
        describer = PatchDescriber(frozen, finer[0])
        write_label_folder(training, folder, describer, KINDS[0], fit.seed)
    samples = read_samples(read_manifest(folder), training.folder, folder, PAIRS)
    model = folder / MODEL_FOLDER
    if (model / STATE_FOLDER / "last.ckpt").is_file():
        fit = replace(fit, resume="last")
    fit_masks(samples, encoders, PAIRS, model, RefinementConfig(), fit)
    network = load_masks(model, encoders, PAIRS)
    own = PictureFormat(encoders.mean, encoders.std, encoders.size)
    numbers = {pair: number for number, pair in enumerate(PAIRS)}
    proposals = FeatureProposals(frozen, finer[1], encoders.name)
    refiner = LabelRefiner(network, numbers, own, proposals, SnapConfig())
    samples = samples[::every]
    refine_labels(samples, refiner, folder, proposals.identity)
    return _measure(training, samples, refiner, folder, fit.seed)


def intersection_over_union(one: Mask, other: Mask) -> float:
    """Compare two masks; 1 where both are empty."""
    union = int((one | other).sum())
    return float((one & other).sum()) / union if union else 1.0


def _measure(
    training: TrainingSet,
    samples: list[RefinementSample],
    refiner: LabelRefiner,
    folder: Path,
    seed: int,
) -> list[Overlap]:
    exact = {item.image: read_part(item) for item in held_images(training, HELD_OBJECTS)}
    return [_compare(sample, exact[sample.image], refiner, folder, seed) for sample in samples]


def _compare(
    sample: RefinementSample, part: Mask, refiner: LabelRefiner, folder: Path, seed: int
) -> Overlap:
    whole = read_part_mask(sample.mask, *part.shape, may_be_empty=True)
    learned = refiner.probability(read_rgb(sample.image), sample.pair)
    stem = sample.image.stem
    file = folder / REFINED_FOLDER / sample.action / sample.object_name / f"{stem}_pl.png"
    refined = file.is_file()
    number = label_number(seed, stem)
    return Overlap(
        sample.object_name,
        stem,
        refined,
        {
            kind: intersection_over_union(first_label(part, whole, kind, number), part)
            for kind in KINDS
        },
        intersection_over_union(whole & (learned > SnapConfig().probability), part),
        intersection_over_union(read_part_mask(file, *part.shape, may_be_empty=True), part)
        if refined
        else 0.0,
        _mean(learned, part),
        _mean(learned, whole & ~part),
    )


def _mean(values: NDArray[np.float32], mask: Mask) -> float:
    return float(values[mask].mean()) if mask.any() else 0.0


def as_markdown(by_seed: Sequence[Sequence[Overlap]]) -> str:
    """Draw the table: mean and standard deviation over seeds.

    Args:
        by_seed: the overlaps of every seed.
    """
    names = [f"{kind}: first" for kind in KINDS] + [f"{kind}: after" for kind in KINDS]
    titles = ["pair", "pictures", *names, "refined alone", "threshold alone", "refined"]
    lines = []
    for name in HELD_OBJECTS:
        chosen = [[o for o in overlaps if o.object_name == name] for overlaps in by_seed]
        if all(chosen):
            lines.append(_line(f"{ACTION}/{name}", chosen))
    return table([*titles, "part", "rest"], [*lines, _line("all", by_seed)])


def _line(title: str, by_seed: Sequence[Sequence[Overlap]]) -> list[str]:
    columns = [
        *([[o.first[kind] for o in overlaps] for overlaps in by_seed] for kind in KINDS),
        *(
            [[o.after if o.refined else o.first[kind] for o in overlaps] for overlaps in by_seed]
            for kind in KINDS
        ),
        [[o.after for o in overlaps if o.refined] for overlaps in by_seed],
        [[o.threshold for o in overlaps] for overlaps in by_seed],
        [[float(o.refined) for o in overlaps] for overlaps in by_seed],
        [[o.part for o in overlaps] for overlaps in by_seed],
        [[o.rest for o in overlaps] for overlaps in by_seed],
    ]
    return [title, str(len(by_seed[0])), *(_cell(column) for column in columns)]


def _cell(by_seed: Sequence[Sequence[float]]) -> str:
    means = [statistics.fmean(values) for values in by_seed if values]
    return str(spread(means)) if means else "-"


def _run(options: argparse.Namespace) -> Report:
    training = read_training_set(options.data)
    by_seed = [
        refine_once(
            training,
            options.output / f"seed-{seed}",
            study_fit(options.epochs, options.accumulate, seed),
            options.every,
        )
        for seed in options.seeds
    ]
    return Report(as_markdown(by_seed))


def _add_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--epochs", type=whole_number, default=20)
    parser.add_argument("--accumulate", type=whole_number, default=20, help="pictures in a step")
    parser.add_argument("--every", type=whole_number, default=1, help="refine one of so many")


STUDY = Study("refinement", __doc__, _add_options, _run)
