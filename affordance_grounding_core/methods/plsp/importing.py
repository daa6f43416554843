"""`affordance-grounding import plsp`: read, convert, calibrate, write, read again."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from affordance_grounding_core.backbones.clip import load_clip
from affordance_grounding_core.checkpoints.format import read_checkpoint, write_checkpoint
from affordance_grounding_core.checkpoints.official import source_notes
from affordance_grounding_core.inference.preprocess import Preprocess
from affordance_grounding_core.methods.plsp.checkpoint import StoredPlsp, read_model
from affordance_grounding_core.methods.plsp.inference import build_network
from affordance_grounding_core.methods.plsp.official import (
    plsp_from_official,
    read_official_plsp,
    read_verb_vectors,
)
from affordance_grounding_core.training.heat_fitting import (
    fit_network_heat,
    read_calibration_set,
)


def import_plsp(
    file: Path,
    folder: Path,
    *,
    actions: Sequence[str] | None = None,
    clip_weights: Path | None = None,
    verb_vectors: Path | None = None,
    calibrate_on: Path | None = None,
    split: str | None = None,
) -> list[str]:
    """Import a published checkpoint.

    Args:
        file: of the authors.
        folder: of the checkpoint to write.
        actions: class list of the classifier; the published one of its length if None.
        clip_weights: local file of CLIP; cached or published weights if None.
        verb_vectors: the authors' vectors of verbs, in place of CLIP's text encoder.
        calibrate_on: data in AGD20K layout to fit the heat on.
        split: "Seen" or "Unseen", which the checkpoint should be of.

    Returns:
        What was done, line by line.

    Raises:
        CheckpointError: the file is not complete or of another kind or split, or its action
            vectors do not fit.
        WeightsError: CLIP cannot be fetched or verified.
        DatasetError: the data to calibrate on cannot be used.
    """
    official = read_official_plsp(file)
    model = plsp_from_official(
        official,
        actions=actions,
        clip=load_clip(clip_weights) if verb_vectors is None else None,
        verb_vectors=None if verb_vectors is None else read_verb_vectors(verb_vectors),
        split=split,
    )
    if calibrate_on is not None:
        model = calibrated(model, calibrate_on, split)
    write_checkpoint(folder, *model.as_checkpoint(source_notes(official, "plsp")))
    build_network(read_model(read_checkpoint(folder)))  # what was written can be read again
    lines = [
        f"{folder}: {len(official.tensors)} tensors of {official.path.name} "
        f"(sha256 {official.sha256[:16]}...), {len(model.actions)} actions",
        "Free text is understood: CLIP's text encoder travels with the model."
        if model.text
        else "Actions go by their names and aliases: no text encoder travels with the model.",
    ]
    if model.heat.fitted_on is None:
        return [
            *lines,
            "Heat is not calibrated: it compares the places of a frame, but 0.5 does not yet mean "
            "'afforded'. Import with --calibrate-on ROOT where there is data, or set a threshold.",
        ]
    heat = model.heat
    return [
        *lines,
        f"Heat fitted on {heat.fitted_on}: its peak is sigmoid({heat.scale:.4g} * log density + "
        f"{heat.offset:.4g})",
    ]


def calibrated(model: StoredPlsp, root: Path, split: str | None) -> StoredPlsp:
    """Fit the heat of a model on data.

    Args:
        model: whose own calibration is not looked at.
        root: data in AGD20K layout.
        split: of the data.

    Raises:
        DatasetError: the data cannot be used.
    """
    heat = fit_network_heat(
        build_network(model),
        Preprocess(model.preprocess),
        model.actions,
        read_calibration_set(root, split),
        show_progress=True,
    )
    return replace(model, heat=heat)
