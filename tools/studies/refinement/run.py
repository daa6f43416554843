"""One refinement from first labels to refined ones, and how well both meet the exact masks."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from affordance_grounding_core.data.agd20k import TrainingSet
from affordance_grounding_core.files import replace_json
from affordance_grounding_core.images import read_rgb
from affordance_grounding_core.labelling.manifest import MANIFEST_FILE, read_manifest
from affordance_grounding_core.methods.plsp.refinement.config import RefinementConfig, SnapConfig
from affordance_grounding_core.methods.plsp.refinement.encoders import FrozenPatches, load_encoders
from affordance_grounding_core.methods.plsp.refinement.inference import LabelRefiner
from affordance_grounding_core.methods.plsp.refinement.pictures import PictureFormat, read_mask
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
from tools.studies.held_tools import ACTION, HELD_OBJECTS, held_images, read_part
from tools.studies.label_folder import (
    KINDS,
    first_label,
    label_number,
    write_label_folder,
)
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
    done = folder / OUTCOME
    if done.is_file():
        content = json.loads(done.read_text(encoding="utf-8"))
        return [Overlap(**values) for values in content["overlaps"]]
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
    overlaps = _measure(training, samples, refiner, folder, fit.seed)
    replace_json(done, {"overlaps": [vars(overlap) for overlap in overlaps]})
    return overlaps


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
    whole = read_mask(sample.mask, *part.shape)
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
        intersection_over_union(read_mask(file, *part.shape), part) if refined else 0.0,
        _mean(learned, part),
        _mean(learned, whole & ~part),
    )


def _mean(values: NDArray[np.float32], mask: Mask) -> float:
    return float(values[mask].mean()) if mask.any() else 0.0
