"""Refines the labels of a training set and reports what changed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
from tqdm import tqdm

from affordance_grounding_core.data.agd20k import TrainingSet
from affordance_grounding_core.errors import DatasetError
from affordance_grounding_core.files import replace_file, replace_json
from affordance_grounding_core.labelling.manifest import read_manifest
from affordance_grounding_core.labelling.segmenters.models import ModelSource
from affordance_grounding_core.labelling.store import encode_mask
from affordance_grounding_core.methods.plsp.refinement.config import RefinementConfig, SnapConfig
from affordance_grounding_core.methods.plsp.refinement.encoders import (
    FeatureName,
    FrozenPatches,
    load_encoders,
)
from affordance_grounding_core.methods.plsp.refinement.inference import LabelRefiner, RefinedLabel
from affordance_grounding_core.methods.plsp.refinement.pairs import choose_pairs
from affordance_grounding_core.methods.plsp.refinement.pictures import PictureFormat
from affordance_grounding_core.methods.plsp.refinement.proposals import ProposalName, load_proposals
from affordance_grounding_core.methods.plsp.refinement.samples import RefinementSample, read_samples
from affordance_grounding_core.methods.plsp.refinement.training import (
    MODEL_FOLDER,
    FitConfig,
    fit_masks,
    load_masks,
    require_pairs,
    trained_pairs,
)

REFINED_FOLDER = "PL_refined"
REPORT_FILE = "refinement.json"


@dataclass(frozen=True)
class RefinementReport:
    """Outcome of a refinement.

    Attributes:
        folder: folder of the labels.
        outcomes: outcomes by "ACTION/OBJECT/IMAGE"; without their masks.
        proposals: source of the segments.
    """

    folder: Path
    outcomes: Mapping[str, RefinedLabel]
    proposals: str

    def as_dict(self) -> dict[str, Any]:
        """Return plain values, ready for `json.dump`."""
        refined = [label.overlap for label in self.outcomes.values() if not label.reason]
        return {
            "folder": str(self.folder),
            "proposals": self.proposals,
            "refined": len(refined),
            "kept": len(self.outcomes) - len(refined),
            "mean_overlap_with_first_label": round(float(np.mean(refined)), 4) if refined else None,
            "images": {
                name: {"reason": label.reason, "overlap": round(label.overlap, 4)}
                for name, label in self.outcomes.items()
            },
        }

    def as_text(self) -> str:
        """Return lines for the console."""
        content = self.as_dict()
        reasons = Counter(label.reason for label in self.outcomes.values() if label.reason)
        lines = [f"{content['refined']} labels refined, {content['kept']} kept as they were"]
        lines += [f"  {count} kept: {reason}" for reason, count in reasons.most_common()]
        if content["refined"]:
            overlap = content["mean_overlap_with_first_label"]
            lines.append(f"mean overlap (IoU) of refined with first labels: {overlap}")
        lines.append(f"refined labels in {self.folder / REFINED_FOLDER}")
        return "\n".join(lines)


@dataclass(frozen=True)
class RefinementRunConfig:
    """How the labels of a training set are refined.

    Attributes:
        pairs: "ACTION/OBJECT" to refine, or "all"; empty for those of `model`, else the
            published list.
        features: features that objects are compared by.
        features_weights: local file of the weights of `features`; None for the cached ones.
        proposals: segments that labels snap to.
        source: source of SAM.
        model: folder of trained masks; None trains them in the label folder.
        fit: options of training, where masks are trained.
        snapping: options of snapping to segments.
        device: device that masks and segments are computed on.
        overwrite: whether refined labels of another hand may be replaced.
        show_progress: whether to draw a progress bar, where stderr is a terminal.
    """

    pairs: tuple[str, ...] = ()
    features: FeatureName = "clip"
    features_weights: Path | None = None
    proposals: ProposalName = "sam"
    source: ModelSource = field(default_factory=ModelSource)
    model: Path | None = None
    fit: FitConfig = field(default_factory=FitConfig)
    snapping: SnapConfig = field(default_factory=SnapConfig)
    device: str = "cpu"
    overwrite: bool = False
    show_progress: bool = True


def refine_training_set(
    training: TrainingSet, labels: Path, config: RefinementRunConfig
) -> RefinementReport | None:
    """Refine the labels of a training set: train masks where there are none, then snap to them.

    Args:
        training: training set whose pictures the labels are of.
        labels: label folder with a manifest.
        config: options of the run.

    Returns:
        The report; None in the processes that Lightning starts for further devices.

    Raises:
        DatasetError: no manifest or sample that can be used, or refined labels of another hand.
        CheckpointError: the trained masks cannot be used, or not for these pairs.
        WeightsError: weights cannot be fetched or verified.
        TrainingError: the loss is not finite.
        OSError: a file cannot be written.
    """
    manifest = read_manifest(labels)
    claim_refined(labels, overwrite=config.overwrite)
    present = {(item.action, item.object_name) for item in training.egocentric}
    trained = [] if config.model is None else trained_pairs(config.model)
    given = config.pairs or ["/".join(known) for known in trained]
    chosen = choose_pairs(present, training.split, given)
    pairs = trained or sorted(chosen)
    require_pairs(chosen, pairs, config.model)
    samples = read_samples(manifest, training.folder, labels, chosen)
    encoders = load_encoders(config.features, pairs, config.features_weights)
    segments = load_proposals(
        config.proposals,
        config.source,
        FrozenPatches(encoders.frozen),
        PictureFormat(encoders.mean, encoders.std, 2 * encoders.size),
        encoders.name,
        config.device,
    )
    model = config.model or labels / MODEL_FOLDER
    if config.model is None:
        fitted = fit_masks(samples, encoders, pairs, model, RefinementConfig(), config.fit)
        if fitted is None:
            return None
    network = load_masks(model, encoders, pairs).to(config.device)
    numbers = {name: number for number, name in enumerate(pairs)}
    picture_format = PictureFormat(encoders.mean, encoders.std, encoders.size)
    refiner = LabelRefiner(network, numbers, picture_format, segments, config.snapping)
    progress = config.show_progress
    return refine_labels(samples, refiner, labels, segments.identity, show_progress=progress)


def claim_refined(folder: Path, *, overwrite: bool) -> None:
    """Check that refined labels of another hand are not replaced.

    Raises:
        DatasetError: there are refined labels without a report of this command.
    """
    refined = folder / REFINED_FOLDER
    foreign = next(refined.rglob("*.png"), None) if refined.is_dir() else None
    if foreign is not None and not (folder / REPORT_FILE).is_file() and not overwrite:
        raise DatasetError(
            f"label folder {str(folder)!r} holds refined labels that were not made by this "
            f"command, for example {foreign.relative_to(folder)}; move them, or replace them "
            "with --overwrite"
        )


def refine_labels(
    samples: Sequence[RefinementSample],
    refiner: LabelRefiner,
    folder: Path,
    proposals: str,
    *,
    show_progress: bool = False,
) -> RefinementReport:
    """Refine labels and write those that change.

    A refined label goes to `PL_refined/ACTION/OBJECT/NAME_pl.png`, where training looks before
    `PL`. Where nothing results, no file is written and the first label stays in force; a
    refined one of an earlier run is removed.

    Args:
        samples: samples to refine.
        refiner: refiner that does it.
        folder: folder of the labels.
        proposals: source of the segments, for the report.
        show_progress: whether to draw a progress bar, where stderr is a terminal.

    Raises:
        InvalidImageError: a picture or mask cannot be read, or they differ in size.
        OSError: a file cannot be written.
    """
    outcomes: dict[str, RefinedLabel] = {}
    report = RefinementReport(folder, outcomes, proposals)
    replace_json(folder / REPORT_FILE, report.as_dict())  # claims the folder
    for sample in tqdm(samples, desc="refining", disable=None if show_progress else True):
        name = f"{sample.action}/{sample.object_name}/{sample.image.stem}_pl.png"
        label = refiner.refine(sample)
        path = folder / REFINED_FOLDER / name
        if label.mask is None:
            path.unlink(missing_ok=True)
        else:
            replace_file(path, encode_mask(label.mask))
        title = f"{sample.action}/{sample.object_name}/{sample.image.name}"
        outcomes[title] = replace(label, mask=None)
    replace_json(folder / REPORT_FILE, report.as_dict())
    return report
