"""Checkpoint of the action head: writes a model's tensors and settings and builds its grounder.

Tensors are those of `ActionHead`; the frozen backbone goes by its name.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from affordance_grounding_core.actions.aliases import ALIASES
from affordance_grounding_core.actions.vocabulary import vocabulary_from_mapping
from affordance_grounding_core.backbones.dinov2 import Dinov2
from affordance_grounding_core.backbones.loading import load_dinov2
from affordance_grounding_core.checkpoints.format import (
    Checkpoint,
    packaged_checkpoint,
    read_checkpoint,
)
from affordance_grounding_core.checkpoints.sections import read_section, unfit
from affordance_grounding_core.errors import CheckpointError
from affordance_grounding_core.inference.grounder import Grounder, ModelInformation
from affordance_grounding_core.inference.preprocess import Preprocess, PreprocessConfig
from affordance_grounding_core.inference.regions import RegionConfig
from affordance_grounding_core.methods.action_head.config import ActionHeadConfig
from affordance_grounding_core.methods.action_head.network import ActionHead, ActionHeadNetwork
from affordance_grounding_core.runtimes.eager import open_runtime

METHOD = "action_head"

_ANEW = "heat_offsets"
"""Name of the tensor that every run fits anew."""

_MASKS = "masks."
"""Beginning of the names of the tensors that draw part masks."""

_ADAPTERS = "adapters."
"""Beginning of the names of the tensors that change the backbone."""

_ADDED = (_ANEW, _MASKS, "context.", _ADAPTERS)
"""Beginnings of the names of tensors that a head may have beyond those it begins with."""


@dataclass(frozen=True)
class StoredHead:
    """Everything inference needs beside the backbone.

    Attributes:
        actions: actions in the order of the head's channels.
        network: sizes of the head.
        tensors: tensors of the head, by the names of `ActionHead`.
        backbone: name of the backbone.
        backbone_fingerprint: hash of the weights it was trained with.
        preprocess: preprocessing from image to network input.
        regions: thresholds.
        notice: text that is said whenever the model is loaded; None for nothing.
    """

    actions: tuple[str, ...]
    network: ActionHeadConfig
    tensors: Mapping[str, torch.Tensor]
    backbone: str
    backbone_fingerprint: str
    preprocess: PreprocessConfig
    regions: RegionConfig
    notice: str | None = None

    def as_checkpoint(
        self, notes: Mapping[str, Any]
    ) -> tuple[dict[str, Any], dict[str, torch.Tensor]]:
        """Return config and tensors for `write_checkpoint`.

        Args:
            notes: more sections of the config: how it was trained.
        """
        config = {
            "method": METHOD,
            **({"notice": self.notice} if self.notice else {}),
            "backbone": self.backbone,
            "backbone_fingerprint": self.backbone_fingerprint,
            "actions": list(self.actions),
            "network": asdict(self.network),
            "preprocess": asdict(self.preprocess),
            "regions": asdict(self.regions),
        }
        return {**config, **notes}, dict(self.tensors)


def build_grounder(
    checkpoint: Checkpoint, name: str, runtime: str, backbone_weights: Path | None
) -> Grounder:
    """Put backbone, head, preprocessing and thresholds together.

    Args:
        checkpoint: checkpoint of method "action_head".
        name: name that the model was asked for by.
        runtime: see `load_grounder`.
        backbone_weights: see `load_grounder`.

    Raises:
        CheckpointError: config or tensors do not fit this network.
        WeightsError: the backbone cannot be fetched or verified.
        RuntimeUnavailableError: no such runtime.
    """
    config = checkpoint.config
    try:
        network_config = read_section(config, "network", ActionHeadConfig)
        preprocess = read_section(config, "preprocess", PreprocessConfig)
        regions = read_section(config, "regions", RegionConfig)
    except ValueError as error:
        raise unfit(checkpoint, METHOD, error) from error
    try:
        vocabulary = vocabulary_from_mapping(config["actions"], ALIASES)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise unfit(checkpoint, METHOD, f"section 'actions': {error}") from error
    if len(vocabulary.names) != network_config.actions:
        raise unfit(
            checkpoint,
            METHOD,
            f"{len(vocabulary.names)} actions for {network_config.actions} channels",
        )
    head = ActionHead(network_config)
    _load_head(head, checkpoint)
    try:
        backbone = load_dinov2(str(config.get("backbone")), backbone_weights)
    except ValueError as error:
        raise unfit(checkpoint, METHOD, error) from error
    return Grounder(
        runtime=open_runtime(_joined(backbone, head, checkpoint), runtime),
        preprocess=Preprocess(preprocess),
        vocabulary=vocabulary,
        regions=regions,
        information=ModelInformation(name, METHOD, checkpoint.fingerprint),
    )


def start_from(head: ActionHead, name: str, actions: Sequence[str]) -> ActionHead:
    """Set the weights of a head to those of a trained one; layers that one lacks stay as they are.

    So do the layers that draw part masks, where those of the trained head have another width.

    Args:
        head: head of the same sizes.
        name: model of the package, or path of a checkpoint folder.
        actions: vocabulary of the head, which must be that of the trained one.

    Returns:
        The trained head itself, with its own layers, for inference only.

    Raises:
        CheckpointError: no such checkpoint, another vocabulary or other sizes.
    """
    trained = _trained_head(name, actions, "training cannot begin with")
    other_masks = trained.config.mask_width != head.config.mask_width
    left = (_ANEW, _MASKS) if other_masks else (_ANEW,)
    tensors = {k: v for k, v in trained.state_dict().items() if not k.startswith(left)}
    own = {k: v for k, v in head.state_dict().items() if k.startswith(_ADDED)}
    try:
        head.load_state_dict(own | tensors)
    except RuntimeError as error:
        raise CheckpointError(
            f"training cannot begin with {name}: its head has other sizes ({error}); set "
            "data.backbone, model.width, blocks, attention and context to its own"
        ) from error
    return trained


def weights_to_average(head: ActionHead, name: str, actions: Sequence[str]) -> dict[str, Tensor]:
    """Tensors of a trained head with which those of another are to be averaged, by name.

    Args:
        head: head of the same sizes; it alone may have adapters.
        name: model of the package, or path of a checkpoint folder.
        actions: vocabulary of the head, which must be that of the trained one.

    Raises:
        CheckpointError: no such checkpoint, another vocabulary or other sizes.
    """
    refusal = "weights cannot be averaged with those of"
    other = _trained_head(name, actions, refusal)
    if head.adapters is not None and other.adapters is not None:
        raise CheckpointError(
            f"{refusal} {name}: both have adapters, and the mean of two products is not the "
            "product of the means of their factors; average with a model without adapters"
        )
    tensors = dict(other.state_dict())
    shapes = {key: value.shape for key, value in tensors.items()}
    own = {k: v.shape for k, v in head.state_dict().items() if not k.startswith(_ADAPTERS)}
    if shapes != own:
        raise CheckpointError(
            f"{refusal} {name}: its head has other sizes; set model.width, blocks, attention, "
            "context and mask_width to its own"
        )
    return tensors


def _trained_head(name: str, actions: Sequence[str], refusal: str) -> ActionHead:
    """Read a trained head, for inference only; `refusal` begins the message where that fails."""
    checkpoint = read_checkpoint(packaged_checkpoint(name) or Path(name).expanduser())
    known = list(checkpoint.config.get("actions", []))
    if known != list(actions):
        raise CheckpointError(
            f"{refusal} {checkpoint.folder}: its actions are {known}, the run's are "
            f"{list(actions)}; set model.actions to the former"
        )
    try:
        trained = ActionHead(read_section(checkpoint.config, "network", ActionHeadConfig))
        trained.load_state_dict({_ANEW: trained.heat_offsets} | dict(checkpoint.tensors))
    except (ValueError, RuntimeError) as error:
        raise CheckpointError(
            f"{refusal} {checkpoint.folder}: its weights do not fit its own config ({error}); "
            "take the folder as training wrote it"
        ) from error
    return trained.eval().requires_grad_(False)


def _joined(backbone: Dinov2, head: ActionHead, checkpoint: Checkpoint) -> ActionHeadNetwork:
    if backbone.width != head.config.feature_width:
        raise unfit(
            checkpoint,
            METHOD,
            f"backbone {backbone.name!r} gives tokens of {backbone.width} channels, the head takes "
            f"{head.config.feature_width}",
        )
    return ActionHeadNetwork(backbone, head)


def _load_head(head: ActionHead, checkpoint: Checkpoint) -> None:
    # Older checkpoints have no offsets: theirs are 0, as the head begins.
    tensors = {"heat_offsets": head.heat_offsets} | dict(checkpoint.tensors)
    try:
        head.load_state_dict(tensors)
    except RuntimeError as error:
        raise unfit(checkpoint, METHOD, f"weights: {error}") from error
