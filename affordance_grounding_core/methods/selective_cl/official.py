"""Imports the published checkpoints of SelectiveCL and LOCATE.

SelectiveCL's file holds DINO (`vit_model.*`), both encoders of CLIP (`net.*`) and the head: 492
tensors, all of which are kept. LOCATE's holds DINO and a head with a skip around the
projection, its classifier called `aff_fc`, and no CLIP.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import torch

from affordance_grounding_core.backbones.clip import clip_from_tensors, empty_clip
from affordance_grounding_core.backbones.dino import Dino
from affordance_grounding_core.backbones.weights import tensor_fingerprint
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
from affordance_grounding_core.methods.selective_cl.affinity_sources import (
    ActionTexts,
    encode_actions,
)
from affordance_grounding_core.methods.selective_cl.checkpoint import (
    StoredModel,
    build_network,
    read_model,
)
from affordance_grounding_core.methods.selective_cl.config import (
    Affinity,
    BackboneReference,
    SelectiveHeadConfig,
)
from affordance_grounding_core.methods.selective_cl.network import (
    AffinityCalibration,
    MapConfig,
    SelectiveHead,
)
from affordance_grounding_core.training.heat_fitting import CalibrationSet, fit_network_heat

_CONTRAST_LAYERS = ("K_contrast_projection.", "pixel_contrast_projection.")


def import_selective_cl(
    file: Path,
    folder: Path,
    *,
    actions: Sequence[str] | None = None,
    calibration: AffinityCalibration = "raw",
    images: CalibrationSet | None = None,
) -> list[str]:
    """Import a published checkpoint of SelectiveCL.

    Args:
        file: file of the authors.
        folder: folder of the checkpoint to write.
        actions: class list it was trained with; told by the number of classes if None.
        calibration: use of the affinity; "raw" is what the released code does.
        images: images to fit the heat on; None leaves it uncalibrated.

    Returns:
        What was done, line by line.

    Raises:
        CheckpointError: the file is not complete or is of another kind.
        DatasetError: heat cannot be fitted on the images.
    """
    official = read_official(file)
    model = selective_cl_from_official(official, actions, calibration)
    return _store(official, model, "selective-cl", folder, images)


def import_locate(
    file: Path,
    folder: Path,
    *,
    actions: Sequence[str] | None = None,
    images: CalibrationSet | None = None,
) -> list[str]:
    """Import a published checkpoint of LOCATE; see `import_selective_cl`."""
    official = read_official(file)
    return _store(official, locate_from_official(official, actions), "locate", folder, images)


def _store(
    official: OfficialFile,
    model: StoredModel,
    kind: str,
    folder: Path,
    images: CalibrationSet | None,
) -> list[str]:
    if images is not None:
        network, preprocess = build_network(model), Preprocess(model.preprocess)
        heat = fit_network_heat(network, preprocess, model.actions, images, show_progress=True)
        model = replace(model, heat=heat)
    write_checkpoint(folder, *model.as_checkpoint(source_notes(official, kind)))
    read_model(read_checkpoint(folder)).build_head()  # what was written can be read again
    return [
        f"{folder}: {len(official.tensors)} tensors of {official.path.name} "
        f"(sha256 {official.sha256[:16]}...), {len(model.actions)} actions",
        "Heat is not calibrated: it orders the places of a frame, but 0.5 does not yet mean "
        "'afforded'. Import with --calibrate-on ROOT where there is data, or set a threshold."
        if model.heat.fitted_on is None
        else f"Heat fitted on {model.heat.fitted_on}: sigmoid({model.heat.scale:.4g} * value + "
        f"{model.heat.offset:.4g})",
    ]


def selective_cl_from_official(
    file: OfficialFile,
    actions: Sequence[str] | None = None,
    calibration: AffinityCalibration = "raw",
) -> StoredModel:
    """Convert a published SelectiveCL checkpoint.

    Args:
        file: file of the authors, as read.
        actions: class list it was trained with; told by the number of classes if None.
        calibration: use of the affinity; "raw" is what the released code does.

    Raises:
        CheckpointError: the file is not complete or is of another kind.
    """
    if "aff_fc.weight" in file.tensors:
        raise CheckpointError(
            f"{file.path} is a LOCATE checkpoint (it has aff_fc.weight and no CLIP): import it "
            "with `affordance-grounding import locate`"
        )
    network = _network(file, "aff_classifier.weight", skip=False, kind="SelectiveCL")
    with torch.device("meta"):
        dino, clip, head = Dino(), empty_clip(), SelectiveHead(network)
    expected = {
        **_prefixed("vit_model.", dino.transformer.state_dict()),
        **_prefixed("net.", clip.tensors()),
        **head.state_dict(),
    }
    require_tensors(file, expected, "SelectiveCL")
    clip_tensors = _below(file, "net.")
    names = choose_actions(network.actions, actions)
    return _model(
        file,
        network,
        names,
        head={name: _float(file.tensors[name]) for name in head.state_dict()},
        affinity="clip",
        texts=encode_actions(clip_from_tensors(clip_tensors), names),
        calibration=calibration,
        clip_tensors=clip_tensors,
    )


def locate_from_official(file: OfficialFile, actions: Sequence[str] | None = None) -> StoredModel:
    """Convert a published LOCATE checkpoint.

    Args:
        file: file of the authors, as read.
        actions: class list it was trained with; told by the number of classes if None.

    Raises:
        CheckpointError: the file is not complete or is of another kind.
    """
    if "aff_classifier.weight" in file.tensors:
        raise CheckpointError(
            f"{file.path} is a SelectiveCL checkpoint (it has aff_classifier.weight): import it "
            "with `affordance-grounding import selective-cl`"
        )
    network = _network(file, "aff_fc.weight", skip=True, kind="LOCATE")
    with torch.device("meta"):
        dino, head = Dino(), SelectiveHead(network)
    published = {
        name: name.replace("aff_classifier.", "aff_fc.")
        for name in head.state_dict()
        if not name.startswith(_CONTRAST_LAYERS)
    }
    expected = {
        **_prefixed("vit_model.", dino.transformer.state_dict()),
        **{
            published[name]: value for name, value in head.state_dict().items() if name in published
        },
    }
    require_tensors(file, expected, "LOCATE")
    return _model(
        file,
        network,
        choose_actions(network.actions, actions),
        head={ours: _float(file.tensors[theirs]) for ours, theirs in published.items()},
        affinity="none",
        texts=None,
        calibration="off",
        clip_tensors={},
    )


def _model(
    file: OfficialFile,
    network: SelectiveHeadConfig,
    actions: tuple[str, ...],
    *,
    head: Mapping[str, torch.Tensor],
    affinity: Affinity,
    texts: ActionTexts | None,
    calibration: AffinityCalibration,
    clip_tensors: Mapping[str, torch.Tensor],
) -> StoredModel:
    dino_tensors = _below(file, "vit_model.")
    image = {name: value for name, value in clip_tensors.items() if name.startswith("visual.")}
    return StoredModel(
        actions=actions,
        network=network,
        head=head,
        backbones=BackboneReference(
            descriptor="dino_vits16",
            affinity=affinity,
            embedded=True,
            descriptor_fingerprint=tensor_fingerprint(dino_tensors),
            clip_fingerprint=tensor_fingerprint(image) if image else None,
        ),
        texts=texts,
        maps=MapConfig(calibration=calibration),
        preprocess=PreprocessConfig(multiple=16),
        embedded={
            **_prefixed("descriptor.", dino_tensors),
            **_prefixed("clip.", clip_tensors),
        },
    )


def _network(file: OfficialFile, classifier: str, *, skip: bool, kind: str) -> SelectiveHeadConfig:
    """Sizes of the head: the published ones with the file's number of classes."""
    weight = file.tensors.get(classifier)
    if weight is None or weight.ndim != 4:
        raise CheckpointError(
            f"{file.path} is no {kind} checkpoint: it has no classifier {classifier!r} of shape "
            f"(classes, 384, 1, 1); it holds {sorted(file.tensors)[:4]}..."
        )
    return SelectiveHeadConfig(actions=len(weight), skip=skip)


def _below(file: OfficialFile, prefix: str) -> dict[str, torch.Tensor]:
    return {
        name.removeprefix(prefix): _float(value)
        for name, value in file.tensors.items()
        if name.startswith(prefix)
    }


def _prefixed(prefix: str, tensors: Mapping[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    return {f"{prefix}{name}": value for name, value in tensors.items()}


def _float(value: torch.Tensor) -> torch.Tensor:
    return value.float() if value.is_floating_point() else value
