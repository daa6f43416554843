"""A checkpoint of the action head as a grounder."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeVar

from affordance_grounding_core.actions.aliases import ALIASES
from affordance_grounding_core.actions.vocabulary import vocabulary_from_mapping
from affordance_grounding_core.backbones.dinov2 import Dinov2
from affordance_grounding_core.backbones.weights import load_pinned
from affordance_grounding_core.checkpoints.format import Checkpoint
from affordance_grounding_core.deployment.runtimes.eager import open_runtime
from affordance_grounding_core.errors import CheckpointError
from affordance_grounding_core.inference.grounder import Grounder, ModelInformation
from affordance_grounding_core.inference.preprocess import Preprocess, PreprocessConfig
from affordance_grounding_core.inference.regions import RegionConfig
from affordance_grounding_core.methods.action_head.config import ActionHeadConfig
from affordance_grounding_core.methods.action_head.network import ActionHead, ActionHeadNetwork

Section = TypeVar("Section", ActionHeadConfig, PreprocessConfig, RegionConfig)


def build_grounder(
    checkpoint: Checkpoint, name: str, runtime: str, backbone_weights: Path | None
) -> Grounder:
    """Put backbone, head, preprocessing and thresholds together.

    Args:
        checkpoint: of method "action_head".
        name: the model was asked for by.
        runtime: see `load_grounder`.
        backbone_weights: see `load_grounder`.

    Raises:
        CheckpointError: config or tensors do not fit this network.
        WeightsError: the backbone cannot be fetched or verified.
        RuntimeUnavailableError: no such runtime.
    """
    config = checkpoint.config
    network_config = _section(checkpoint, "network", ActionHeadConfig)
    preprocess = _section(checkpoint, "preprocess", PreprocessConfig)
    regions = _section(checkpoint, "regions", RegionConfig)
    try:
        vocabulary = vocabulary_from_mapping(config["actions"], ALIASES)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise _unfit(checkpoint, f"section 'actions': {error}") from error
    if len(vocabulary.names) != network_config.actions:
        raise _unfit(
            checkpoint, f"{len(vocabulary.names)} actions for {network_config.actions} channels"
        )
    head = ActionHead(network_config)
    _load_head(head, checkpoint)
    backbone = Dinov2(str(config.get("backbone")))
    backbone.load_tensors(load_pinned(path=backbone_weights))
    return Grounder(
        runtime=open_runtime(ActionHeadNetwork(backbone, head), runtime),
        preprocess=Preprocess(preprocess),
        vocabulary=vocabulary,
        regions=regions,
        information=ModelInformation(name, "action_head", checkpoint.fingerprint),
    )


def _load_head(head: ActionHead, checkpoint: Checkpoint) -> None:
    try:
        head.load_state_dict(dict(checkpoint.tensors))
    except RuntimeError as error:
        raise _unfit(checkpoint, f"weights: {error}") from error


def _section(checkpoint: Checkpoint, name: str, kind: type[Section]) -> Section:
    """Build a config from its part of the checkpoint; every error names the part."""
    values = checkpoint.config.get(name)
    if not isinstance(values, Mapping):
        raise _unfit(checkpoint, f"section {name!r} is missing or no mapping")
    listed: dict[str, Any] = {
        key: tuple(value) if isinstance(value, list) else value for key, value in values.items()
    }
    try:
        return kind(**listed)
    except (TypeError, ValueError) as error:
        raise _unfit(checkpoint, f"section {name!r}: {error}") from error


def _unfit(checkpoint: Checkpoint, reason: str) -> CheckpointError:
    return CheckpointError(
        f"checkpoint {checkpoint.folder} does not fit method 'action_head' ({reason}); restore "
        "config.json and model.safetensors from the same source, or train again"
    )
