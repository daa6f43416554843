"""Builds the network and the grounder of a SelectiveCL or LOCATE checkpoint."""

from __future__ import annotations

import hashlib
import logging
from pathlib import Path

import numpy as np
import torch

from affordance_grounding_core.actions.aliases import ALIASES
from affordance_grounding_core.actions.datasets import AGD20K_SEEN
from affordance_grounding_core.actions.prompts import action_prompt
from affordance_grounding_core.actions.similarity import (
    ActionSimilarity,
    LazySimilarity,
    TextSimilarity,
)
from affordance_grounding_core.actions.vocabulary import vocabulary_from_mapping
from affordance_grounding_core.backbones.clip import (
    ClipImageEncoder,
    clip_image_encoder,
    clip_text_encoder,
    empty_clip,
    load_clip,
)
from affordance_grounding_core.backbones.dino import Dino
from affordance_grounding_core.backbones.loading import (
    build_descriptor_backbone,
    load_descriptor_backbone,
)
from affordance_grounding_core.backbones.transformer_backbone import TransformerBackbone
from affordance_grounding_core.backbones.weights import tensor_fingerprint
from affordance_grounding_core.checkpoints.format import Checkpoint
from affordance_grounding_core.checkpoints.sections import unfit
from affordance_grounding_core.errors import WeightsError
from affordance_grounding_core.inference.grounder import Grounder, ModelInformation
from affordance_grounding_core.inference.heat_calibration import HeatCalibration
from affordance_grounding_core.inference.preprocess import Preprocess, PreprocessConfig
from affordance_grounding_core.inference.regions import RegionConfig
from affordance_grounding_core.methods.base import METHODS
from affordance_grounding_core.methods.selective_cl.affinity_sources import SaliencyAffinity
from affordance_grounding_core.methods.selective_cl.checkpoint import (
    METHOD,
    StoredModel,
    read_model,
)
from affordance_grounding_core.methods.selective_cl.config import SelectiveHeadConfig
from affordance_grounding_core.methods.selective_cl.frozen_backbones import FrozenBackbones
from affordance_grounding_core.methods.selective_cl.network import (
    MapConfig,
    ProvidedAffinity,
    SelectiveHead,
    SelectiveNetwork,
    TextAffinity,
)
from affordance_grounding_core.runtimes.eager import open_runtime

logger = logging.getLogger(__name__)

RANDOM_MODEL = METHODS[METHOD].random_model
"""Name of a model of the published sizes with random weights, to measure speed with."""


def build_grounder(
    checkpoint: Checkpoint, name: str, runtime: str, backbone_weights: Path | None
) -> Grounder:
    """Put backbones, head, calibration, preprocessing and thresholds together.

    Args:
        checkpoint: checkpoint of method "selective_cl".
        name: the model was asked for by.
        runtime: see `load_grounder`.
        backbone_weights: local file of the descriptor backbone, where the checkpoint holds none.

    Raises:
        CheckpointError: config or tensors do not fit this network.
        WeightsError: a backbone cannot be fetched or verified.
        RuntimeUnavailableError: no such runtime.
    """
    model = read_model(checkpoint)
    try:
        network = build_network(model, backbone_weights)
    except ValueError as error:
        raise unfit(checkpoint, METHOD, error) from error
    return Grounder(
        runtime=open_runtime(network, runtime),
        preprocess=Preprocess(model.preprocess),
        vocabulary=model.vocabulary,
        regions=model.regions,
        information=ModelInformation(name, METHOD, checkpoint.fingerprint),
        similarity=_similarity(model),
    )


def build_network(model: StoredModel, backbone_weights: Path | None = None) -> SelectiveNetwork:
    """Put backbones, head and calibration together.

    Args:
        model: as read.
        backbone_weights: local file of the descriptor backbone, where the model holds none.

    Raises:
        ValueError: the parts do not fit each other.
        WeightsError: a backbone cannot be fetched or verified, or does not fit.
    """
    descriptor = _descriptor(model, backbone_weights)
    if descriptor.width != model.network.feature_width:
        raise ValueError(
            f"backbone {descriptor.name!r} gives descriptors of {descriptor.width} channels, the "
            f"head takes {model.network.feature_width}"
        )
    clip, affinity = _affinity(model)
    return SelectiveNetwork(
        FrozenBackbones(descriptor, clip), model.build_head(), affinity, model.maps, model.heat
    )


def _affinity(
    model: StoredModel,
) -> tuple[ClipImageEncoder | None, TextAffinity | ProvidedAffinity | None]:
    """What calibrates the class maps, and CLIP where it is needed for that."""
    reference = model.backbones
    if reference.affinity == "none" or model.maps.calibration == "off":
        return None, None
    if reference.affinity == "saliency":
        provider = SaliencyAffinity(source=reference.saliency)
        return None, ProvidedAffinity(provider, needs_attention=reference.saliency == "attention")
    clip, texts = _clip_image(model), model.texts
    assert texts is not None  # StoredModel refuses clip without texts
    if texts.action.shape[1] != clip.embedding_width:
        raise ValueError(
            f"text vectors of {texts.action.shape[1]} channels, CLIP's images have "
            f"{clip.embedding_width}"
        )
    return clip, TextAffinity(texts.action)


def random_grounder(runtime: str = "auto", seed: int = 0) -> Grounder:
    """Build a grounder of the published sizes with random weights, to measure speed with.

    Args:
        runtime: see `load_grounder`.
        seed: seed of all weights.
    """
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        descriptor, clip = Dino(), empty_clip()
        head = SelectiveHead(SelectiveHeadConfig(actions=len(AGD20K_SEEN)))
    texts = clip.text.encode([action_prompt(action) for action in AGD20K_SEEN])
    network = SelectiveNetwork(
        FrozenBackbones(descriptor, clip.image),
        head,
        TextAffinity(texts),
        MapConfig(),
        HeatCalibration(),
    )
    fingerprint = hashlib.sha256(f"{RANDOM_MODEL} {seed}".encode()).hexdigest()
    return Grounder(
        runtime=open_runtime(network, runtime),
        preprocess=Preprocess(PreprocessConfig(multiple=descriptor.patch_size)),
        vocabulary=vocabulary_from_mapping(AGD20K_SEEN, ALIASES),
        regions=RegionConfig(),
        information=ModelInformation(RANDOM_MODEL, METHOD, fingerprint),
    )


def _similarity(model: StoredModel) -> ActionSimilarity | None:
    """Understand free text where the model looks through CLIP; built on first use."""
    if model.backbones.affinity != "clip":
        return None
    embedded = model.backbones.embedded
    tensors = _embedded(model, "clip") if embedded else {}
    tensors = {name: value for name, value in tensors.items() if not name.startswith("visual.")}

    def build() -> TextSimilarity:
        encoder = clip_text_encoder(tensors) if embedded else load_clip().text
        return TextSimilarity(
            model.vocabulary,
            lambda texts: np.asarray(encoder.encode(texts).numpy(), np.float32),
        )

    return LazySimilarity(build)


def _descriptor(model: StoredModel, path: Path | None) -> TransformerBackbone:
    reference = model.backbones
    if reference.embedded:
        backbone = build_descriptor_backbone(reference.descriptor)
        backbone.load_tensors(_embedded(model, "descriptor"))
        return backbone
    backbone = load_descriptor_backbone(reference.descriptor, path)
    _compare(
        tensor_fingerprint(backbone.transformer.state_dict()),
        reference.descriptor_fingerprint,
        reference.descriptor,
    )
    return backbone


def _clip_image(model: StoredModel) -> ClipImageEncoder:
    if model.backbones.embedded:
        return clip_image_encoder(_embedded(model, "clip"))
    image = load_clip().image
    _compare(
        tensor_fingerprint(image.state_dict()), model.backbones.clip_fingerprint, "clip_vitb16"
    )
    return image


def _embedded(model: StoredModel, group: str) -> dict[str, torch.Tensor]:
    prefix = f"{group}."
    found = {
        name.removeprefix(prefix): value
        for name, value in model.embedded.items()
        if name.startswith(prefix)
    }
    if not found:
        raise WeightsError(
            f"the checkpoint says that it holds its backbones, but no tensor is named {prefix}*; "
            "import or copy it again"
        )
    return found


def _compare(found: str, expected: str | None, name: str) -> None:
    if expected is not None and found != expected:
        logger.warning(
            "Backbone %s has fingerprint %s..., the model was trained on %s...; expect other "
            "results.",
            name,
            found[:16],
            expected[:16],
        )
