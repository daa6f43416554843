"""Checkpoint of SelectiveCL: writes and reads a model, and builds its network and grounder.

Tensors are `head.*`, the text vectors `texts.action` and `texts.exocentric` where affinity
comes from CLIP, and, where the backbones travel with the head, `descriptor.*` in timm's names
and `clip.*` in open_clip's, text encoder included.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

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
from affordance_grounding_core.actions.vocabulary import ActionVocabulary, vocabulary_from_mapping
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
from affordance_grounding_core.checkpoints.sections import compare_fingerprints, read_section, unfit
from affordance_grounding_core.errors import WeightsError
from affordance_grounding_core.inference.grounder import Grounder, ModelInformation
from affordance_grounding_core.inference.heat_calibration import HeatCalibration
from affordance_grounding_core.inference.preprocess import Preprocess, PreprocessConfig
from affordance_grounding_core.inference.regions import RegionConfig
from affordance_grounding_core.methods.base import METHODS
from affordance_grounding_core.methods.selective_cl.affinity_sources import (
    ActionTexts,
    SaliencyAffinity,
)
from affordance_grounding_core.methods.selective_cl.config import (
    BackboneReference,
    SelectiveHeadConfig,
)
from affordance_grounding_core.methods.selective_cl.frozen_backbones import FrozenBackbones
from affordance_grounding_core.methods.selective_cl.network import (
    MapConfig,
    ProvidedAffinity,
    SelectiveHead,
    SelectiveNetwork,
    TextAffinity,
)
from affordance_grounding_core.runtimes.eager import open_runtime

METHOD = "selective_cl"
RANDOM_MODEL = METHODS[METHOD].random_model
"""Name of a model of the published sizes with random weights, to measure speed with."""

TRAINING_LAYERS = ("aff_exo_proj.", "K_contrast_projection.", "pixel_contrast_projection.")
"""Layers of the head that inference does not run; a checkpoint may lack them."""


@dataclass(frozen=True)
class StoredModel:
    """Everything inference needs beside the backbones.

    Attributes:
        actions: actions in the order of the head's channels.
        network: sizes of the head.
        head: its tensors, by the names of `SelectiveHead`.
        backbones: which ones.
        texts: vectors of the actions; None where affinity does not come from CLIP.
        maps: use of the affinity.
        heat: calibration from maps to heat.
        preprocess: preprocessing from image to network input.
        regions: thresholds.
        embedded: weights of the backbones as `descriptor.*` and `clip.*`; empty if they do not
            travel with the head.
    """

    actions: tuple[str, ...]
    network: SelectiveHeadConfig
    head: Mapping[str, torch.Tensor]
    backbones: BackboneReference
    texts: ActionTexts | None
    maps: MapConfig = field(default_factory=MapConfig)
    heat: HeatCalibration = field(default_factory=HeatCalibration)
    preprocess: PreprocessConfig = field(default_factory=lambda: PreprocessConfig(multiple=16))
    regions: RegionConfig = field(default_factory=RegionConfig)
    embedded: Mapping[str, torch.Tensor] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if len(self.actions) != self.network.actions:
            raise ValueError(
                f"{len(self.actions)} actions for a head of {self.network.actions} channels; a "
                "model needs the class list it was trained with, in the same order"
            )
        if self.backbones.affinity == "clip" and self.texts is None:
            raise ValueError("affinity by CLIP needs the text vectors of the actions, got none")
        if self.texts is not None and len(self.texts.action) != len(self.actions):
            raise ValueError(
                f"text vectors of {len(self.texts.action)} actions for {len(self.actions)} actions"
            )
        if self.backbones.embedded != bool(self.embedded):
            raise ValueError(
                "backbones are embedded where their tensors are given, and only there; got "
                f"embedded={self.backbones.embedded} and {len(self.embedded)} tensors"
            )

    def as_checkpoint(
        self, notes: Mapping[str, Any]
    ) -> tuple[dict[str, Any], dict[str, torch.Tensor]]:
        """Return config and tensors for `write_checkpoint`.

        Args:
            notes: more sections of the config: how it was trained, where it came from.
        """
        config = {
            "method": METHOD,
            "actions": list(self.actions),
            "network": asdict(self.network),
            "backbones": asdict(self.backbones),
            "maps": asdict(self.maps),
            "heat": asdict(self.heat),
            "preprocess": asdict(self.preprocess),
            "regions": asdict(self.regions),
        }
        tensors = {f"head.{name}": value.detach().cpu() for name, value in self.head.items()}
        if self.texts is not None:
            tensors |= {
                "texts.action": self.texts.action.float(),
                "texts.exocentric": self.texts.exocentric.float(),
            }
        return {**config, **notes}, {**tensors, **self.embedded}

    @property
    def vocabulary(self) -> ActionVocabulary:
        """The actions with the aliases that fit them."""
        return vocabulary_from_mapping(self.actions, ALIASES)

    def build_head(self) -> SelectiveHead:
        """Build the head with its weights.

        Raises:
            ValueError: a tensor is missing, unknown or of another shape.
        """
        head = SelectiveHead(self.network)
        try:
            missing, unknown = head.load_state_dict(dict(self.head), strict=False)
        except RuntimeError as error:  # shapes
            raise ValueError(f"weights of the head: {error}") from error
        lacking = [name for name in missing if not name.startswith(TRAINING_LAYERS)]
        if lacking or unknown:
            raise ValueError(
                f"weights of the head: missing {lacking[:5]}, unknown {list(unknown)[:5]}"
            )
        return head


def read_model(checkpoint: Checkpoint) -> StoredModel:
    """Read a checkpoint of this method.

    Raises:
        CheckpointError: config and tensors do not fit this method or each other.
    """
    config = checkpoint.config
    grouped = _group(checkpoint.tensors)
    texts = grouped.get("texts", {})
    embedded = {
        f"{group}.{name}": value
        for group in ("descriptor", "clip")
        for name, value in grouped.get(group, {}).items()
    }
    try:
        unknown = sorted(grouped.keys() - {"head", "texts", "descriptor", "clip"})
        if unknown:
            raise ValueError(f"tensors of unknown groups {unknown[:5]}")
        actions = config["actions"]
        vocabulary_from_mapping(actions, ALIASES)  # refuses names that are no actions
        return StoredModel(
            actions=tuple(actions),
            network=read_section(config, "network", SelectiveHeadConfig),
            head=grouped.get("head", {}),
            backbones=read_section(config, "backbones", BackboneReference),
            texts=ActionTexts(texts["action"], texts["exocentric"]) if texts else None,
            maps=read_section(config, "maps", MapConfig),
            heat=read_section(config, "heat", HeatCalibration),
            preprocess=read_section(config, "preprocess", PreprocessConfig),
            regions=read_section(config, "regions", RegionConfig),
            embedded=embedded,
        )
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise unfit(checkpoint, METHOD, error) from error


def _group(tensors: Mapping[str, torch.Tensor]) -> dict[str, dict[str, torch.Tensor]]:
    groups: dict[str, dict[str, torch.Tensor]] = {}
    for name, value in tensors.items():
        group, _, rest = name.partition(".")
        groups.setdefault(group, {})[rest] = value
    return groups


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
        model: stored model.
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
    compare_fingerprints(
        f"Backbone {reference.descriptor}",
        tensor_fingerprint(backbone.transformer.state_dict()),
        reference.descriptor_fingerprint,
    )
    return backbone


def _clip_image(model: StoredModel) -> ClipImageEncoder:
    if model.backbones.embedded:
        return clip_image_encoder(_embedded(model, "clip"))
    image = load_clip().image
    compare_fingerprints(
        "Backbone clip_vitb16",
        tensor_fingerprint(image.state_dict()),
        model.backbones.clip_fingerprint,
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
