"""Imports the published checkpoint of WSAG-PLSP.

It holds encoder, network and the decoder's random positions, 351 tensors, and the state of the
optimiser, which is not used. It holds neither the class list nor the vectors of the actions:
those are encoded by CLIP's text encoder, or read from the authors' file of verb vectors.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import cast

import torch

from affordance_grounding_core.actions.datasets import AGD20K_SEEN, AGD20K_UNSEEN
from affordance_grounding_core.backbones.clip import CLIP_MEAN, CLIP_STD, Clip, load_clip
from affordance_grounding_core.checkpoints.format import read_checkpoint, write_checkpoint
from affordance_grounding_core.checkpoints.official import (
    OfficialFile,
    choose_actions,
    read_official,
    require_tensors,
    source_notes,
)
from affordance_grounding_core.errors import CheckpointError
from affordance_grounding_core.inference.preprocess import Preprocess, PreprocessConfig
from affordance_grounding_core.methods.plsp.checkpoint import (
    EncoderReference,
    StoredPlsp,
    build_network,
    read_model,
)
from affordance_grounding_core.methods.plsp.config import PlspNetworkConfig
from affordance_grounding_core.methods.plsp.encoders import (
    ClipTokens,
    encode_actions,
)
from affordance_grounding_core.methods.plsp.network import PlspNetwork
from affordance_grounding_core.training.heat_fitting import (
    fit_network_heat,
    read_calibration_set,
)

_CLASSIFIER = "exo_cls.2.weight"


def published_network(actions: int) -> PlspNetwork:
    """The network of the published sizes, without memory for its weights.

    Args:
        actions: classes of the exocentric classifier.
    """
    with torch.device("meta"):
        return PlspNetwork(PlspNetworkConfig(actions=actions), ClipTokens())


def read_official_plsp(path: Path) -> OfficialFile:
    """Read a published checkpoint, complete and of the published sizes.

    Args:
        path: a PyTorch file with "state_dict" and "optimizer", or a flat state dict.

    Raises:
        CheckpointError: damaged, holding more than tensors, or not complete; the message names
            what is missing and what is left over.
    """
    try:
        file = read_official(path, entry="state_dict")
    except CheckpointError:
        if not path.is_file() or not _is_flat(path):
            raise
        file = read_official(path)
    classes = len(file.tensors[_CLASSIFIER]) if _CLASSIFIER in file.tensors else len(AGD20K_SEEN)
    require_tensors(file, published_network(classes).state_dict(), "WSAG-PLSP")
    return file


def plsp_from_official(
    file: OfficialFile,
    *,
    actions: Sequence[str] | None = None,
    clip: Clip | None = None,
    verb_vectors: Mapping[str, torch.Tensor] | None = None,
    split: str | None = None,
) -> StoredPlsp:
    """Convert a published checkpoint.

    Args:
        file: file read by `read_official_plsp`.
        actions: class list of the classifier, in order; told by the number of classes if None.
        clip: encodes the actions; its text encoder then travels with the model, so that free
            text is understood.
        verb_vectors: the authors' vectors by action, in place of `clip`'s.
        split: "Seen" or "Unseen": which of the published checkpoints it should be; the Unseen
            one was trained on 25 of the 36 actions, and only those are kept.

    Raises:
        CheckpointError: neither source of action vectors, vectors of another width than the
            network, or a checkpoint of another split.
    """
    classes = choose_actions(len(file.tensors[_CLASSIFIER]), actions)
    kept = _of_split(file, classes, split)
    network = published_network(len(classes))
    encoder = cast(ClipTokens, network.encoder)
    rows, _ = encoder.trained_grid
    size = rows * encoder.patch_size
    if verb_vectors is not None:
        vectors = _chosen(verb_vectors, kept)
    elif clip is not None:
        vectors = encode_actions(clip.text, kept)
    else:
        raise CheckpointError(
            "the published checkpoint holds no vectors of the actions: give CLIP's weights "
            "(--clip-weights) or the authors' file of verb vectors (--verb-vectors)"
        )
    try:
        return StoredPlsp(
            actions=kept,
            network=network.config,
            tensors={name: value.float() for name, value in file.tensors.items()},
            vectors=vectors,
            encoder=EncoderReference("clip_vitb16", embedded=True, heads=encoder.heads),
            grid=encoder.trained_grid,
            preprocess=PreprocessConfig("squash", size, encoder.patch_size, CLIP_MEAN, CLIP_STD),
            text={} if clip is None else dict(clip.text.model.state_dict()),
        )
    except ValueError as error:
        raise CheckpointError(f"{file.path} does not fit its action vectors: {error}") from error


def read_verb_vectors(path: Path) -> dict[str, torch.Tensor]:
    """Read the authors' vectors of verbs: a PyTorch file of action to (D) or (1, D).

    Raises:
        CheckpointError: damaged, or holding more than tensors.
    """
    vectors = read_official(path).tensors
    return {name: value.float().reshape(-1) for name, value in vectors.items()}


def _of_split(file: OfficialFile, classes: tuple[str, ...], split: str | None) -> tuple[str, ...]:
    """Check the split, as far as it shows: the classifier of either has the 36 actions of Seen."""
    if split is None or split == "Seen":
        if split and set(classes) != set(AGD20K_SEEN):
            raise _other_split(file, classes, split)
        return classes
    missing = [action for action in AGD20K_UNSEEN if action not in classes]
    if split != "Unseen" or missing:
        raise _other_split(file, classes, split)
    # The classes that the split lacks were never trained: their rows still are as drawn.
    return tuple(action for action in classes if action in AGD20K_UNSEEN)


def _other_split(file: OfficialFile, classes: tuple[str, ...], split: str) -> CheckpointError:
    return CheckpointError(
        f"{file.path} is a checkpoint of another split than {split!r}: its {len(classes)} classes "
        f"are {list(classes)[:6]}...; name the split it was trained on, or give its --actions"
    )


def _chosen(vectors: Mapping[str, torch.Tensor], actions: Sequence[str]) -> torch.Tensor:
    missing = [action for action in actions if action not in vectors]
    if missing:
        raise CheckpointError(
            f"the verb vectors lack the actions {missing[:6]}, they are of {sorted(vectors)[:6]}; "
            "give the file of the same data, or CLIP's weights (--clip-weights)"
        )
    widths = {len(vectors[action]) for action in actions}
    if len(widths) > 1:
        raise CheckpointError(f"the verb vectors have several widths: {sorted(widths)}")
    return torch.stack([vectors[action] for action in actions])


def _is_flat(path: Path) -> bool:
    """Whether a file is a state dict itself, without an entry around it."""
    return _CLASSIFIER in read_official(path).tensors


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
        file: file of the authors.
        folder: folder of the checkpoint to write.
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
    return _report(folder, official, model)


def _report(folder: Path, official: OfficialFile, model: StoredPlsp) -> list[str]:
    """Say what an import wrote, line by line."""
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
        model: model whose own calibration is not looked at.
        root: data in AGD20K layout.
        split: split of the data.

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
