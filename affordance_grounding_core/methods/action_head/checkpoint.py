"""A checkpoint of the action head as a grounder."""

from __future__ import annotations

from pathlib import Path

from affordance_grounding_core.actions.aliases import ALIASES
from affordance_grounding_core.actions.vocabulary import vocabulary_from_mapping
from affordance_grounding_core.backbones.loading import load_dinov2
from affordance_grounding_core.checkpoints.format import Checkpoint
from affordance_grounding_core.checkpoints.sections import read_section, unfit
from affordance_grounding_core.inference.grounder import Grounder, ModelInformation
from affordance_grounding_core.inference.preprocess import Preprocess, PreprocessConfig
from affordance_grounding_core.inference.regions import RegionConfig
from affordance_grounding_core.methods.action_head.config import ActionHeadConfig
from affordance_grounding_core.methods.action_head.network import ActionHead, ActionHeadNetwork
from affordance_grounding_core.runtimes.eager import open_runtime

METHOD = "action_head"


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
        runtime=open_runtime(ActionHeadNetwork(backbone, head), runtime),
        preprocess=Preprocess(preprocess),
        vocabulary=vocabulary,
        regions=regions,
        information=ModelInformation(name, METHOD, checkpoint.fingerprint),
    )


def _load_head(head: ActionHead, checkpoint: Checkpoint) -> None:
    # Checkpoints of before have no offsets: theirs are 0, as the head begins.
    tensors = {"heat_offsets": head.heat_offsets} | dict(checkpoint.tensors)
    try:
        head.load_state_dict(tensors)
    except RuntimeError as error:
        raise unfit(checkpoint, METHOD, f"weights: {error}") from error
