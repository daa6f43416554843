"""Checkpoint of WSAG-PLSP: writes and reads a model, and builds its network and grounder.

Tensors are `network.*` in the names of the official checkpoint, the encoder among them where
it was trained, `actions` with the vectors of the vocabulary, and, where a text encoder travels
with the model, `text.*` in open_clip's names.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from affordance_grounding_core.actions.aliases import ALIASES
from affordance_grounding_core.actions.datasets import AGD20K_SEEN
from affordance_grounding_core.actions.similarity import ActionSimilarity, TextSimilarity
from affordance_grounding_core.actions.vocabulary import ActionVocabulary, vocabulary_from_mapping
from affordance_grounding_core.backbones.clip import (
    CLIP_MEAN,
    CLIP_STD,
    ClipTextEncoder,
    empty_clip,
)
from affordance_grounding_core.backbones.weights import tensor_fingerprint
from affordance_grounding_core.checkpoints.format import Checkpoint
from affordance_grounding_core.checkpoints.sections import compare_fingerprints, read_section, unfit
from affordance_grounding_core.inference.grounder import Grounder, ModelInformation
from affordance_grounding_core.inference.heat_calibration import HeatCalibration
from affordance_grounding_core.inference.preprocess import Preprocess, PreprocessConfig
from affordance_grounding_core.inference.regions import RegionConfig
from affordance_grounding_core.methods.base import METHODS
from affordance_grounding_core.methods.plsp.config import PlspNetworkConfig
from affordance_grounding_core.methods.plsp.encoders import (
    ClipTokens,
    EncoderConfig,
    ImageEncoder,
    action_words,
    load_encoder,
    name_codes,
)
from affordance_grounding_core.methods.plsp.network import PlspHeatNetwork, PlspNetwork
from affordance_grounding_core.runtimes.eager import open_runtime

METHOD = "plsp"
RANDOM_MODEL = METHODS[METHOD].random_model
"""Name of a model of the published sizes with random weights, to measure speed with."""


REGIONS = RegionConfig(threshold=0.25)
"""Half of a peak that leaves open whether the action is afforded, as most of them do: the network
never sees an action that is not."""


@dataclass(frozen=True)
class EncoderReference:
    """The encoder of a model.

    Attributes:
        name: which one.
        embedded: whether the checkpoint holds its weights.
        heads: number of attention heads of an embedded encoder, which its tensors do not tell.
        fingerprint: hash of the weights it was trained with, where it is not embedded.
    """

    name: str
    embedded: bool
    heads: int = 12
    fingerprint: str | None = None


@dataclass(frozen=True)
class StoredPlsp:
    """Everything inference needs beside an encoder that goes by its name.

    Attributes:
        actions: actions in the order of `vectors`.
        network: sizes.
        tensors: tensors of the network, by the names of `PlspNetwork`.
        vectors: (actions, width) of the actions.
        encoder: which one.
        grid: rows and columns of patches whose positions are stored.
        preprocess: preprocessing from image to network input.
        heat: calibration from peaks of log density to peaks of heat.
        regions: thresholds.
        text: weights of a text encoder; empty where there is none.
    """

    actions: tuple[str, ...]
    network: PlspNetworkConfig
    tensors: Mapping[str, torch.Tensor]
    vectors: torch.Tensor
    encoder: EncoderReference
    grid: tuple[int, int]
    preprocess: PreprocessConfig
    heat: HeatCalibration = HeatCalibration()  # noqa: RUF009  frozen
    regions: RegionConfig = REGIONS
    text: Mapping[str, torch.Tensor] = field(default_factory=dict)

    def __post_init__(self) -> None:
        expected = (len(self.actions), self.network.width)
        if tuple(self.vectors.shape) != expected:
            raise ValueError(
                f"vectors of the actions must have shape {expected} (actions, width of the "
                f"network), got {tuple(self.vectors.shape)}; encode the actions with the text "
                "encoder that the model was trained with"
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
            "encoder": asdict(self.encoder),
            "grid": list(self.grid),
            "preprocess": asdict(self.preprocess),
            "heat": asdict(self.heat),
            "regions": asdict(self.regions),
        }
        tensors = {f"network.{name}": value.detach().cpu() for name, value in self.tensors.items()}
        texts = {f"text.{name}": value.detach().cpu() for name, value in self.text.items()}
        vectors = {"actions": self.vectors.detach().float().cpu()}
        return {**config, **notes}, {**tensors, **vectors, **texts}

    @property
    def vocabulary(self) -> ActionVocabulary:
        """The actions with the aliases that fit them."""
        return vocabulary_from_mapping(self.actions, ALIASES)


def read_model(checkpoint: Checkpoint) -> StoredPlsp:
    """Read a checkpoint of this method.

    Raises:
        CheckpointError: config and tensors do not fit this method or each other.
    """
    config = checkpoint.config
    groups: dict[str, dict[str, torch.Tensor]] = {"network": {}, "text": {}}
    try:
        for name, value in checkpoint.tensors.items():
            group, _, rest = name.partition(".")
            if name != "actions" and group not in groups:
                raise ValueError(f"tensor {name!r} belongs to no part of this method")
            if name != "actions":
                groups[group][rest] = value
        rows, columns = config["grid"]
        return StoredPlsp(
            actions=vocabulary_from_mapping(config["actions"], ALIASES).names,
            network=read_section(config, "network", PlspNetworkConfig),
            tensors=groups["network"],
            vectors=checkpoint.tensors["actions"],
            encoder=read_section(config, "encoder", EncoderReference),
            grid=(int(rows), int(columns)),
            preprocess=read_section(config, "preprocess", PreprocessConfig),
            heat=read_section(config, "heat", HeatCalibration),
            regions=read_section(config, "regions", RegionConfig),
            text=groups["text"],
        )
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise unfit(checkpoint, METHOD, error) from error


def build_grounder(
    checkpoint: Checkpoint, name: str, runtime: str, backbone_weights: Path | None
) -> Grounder:
    """Put encoder, network, calibration, preprocessing and thresholds together.

    Args:
        checkpoint: checkpoint of method "plsp".
        name: the model was asked for by.
        runtime: see `load_grounder`.
        backbone_weights: local file of a frozen encoder, which the checkpoint does not hold.

    Raises:
        CheckpointError: config or tensors do not fit this network.
        WeightsError: the encoder cannot be fetched or verified.
        RuntimeUnavailableError: no such runtime.
    """
    model = read_model(checkpoint)
    try:
        network = build_network(model, backbone_weights)
        similarity = text_similarity(model)
    except ValueError as error:
        raise unfit(checkpoint, METHOD, error) from error
    return Grounder(
        runtime=open_runtime(network, runtime),
        preprocess=Preprocess(model.preprocess),
        vocabulary=model.vocabulary,
        regions=model.regions,
        information=ModelInformation(name, METHOD, checkpoint.fingerprint),
        similarity=similarity,
    )


def build_network(model: StoredPlsp, backbone_weights: Path | None = None) -> PlspHeatNetwork:
    """Put encoder, network and calibration together.

    Args:
        model: stored model.
        backbone_weights: local file of a frozen encoder.

    Raises:
        ValueError: the parts do not fit each other.
        WeightsError: a frozen encoder cannot be fetched or verified.
    """
    tensors = dict(model.tensors)
    if model.encoder.embedded:
        encoder: ImageEncoder = clip_tokens_like(tensors, model.encoder.heads)
    else:
        config = EncoderConfig(
            model.encoder.name, str(backbone_weights) if backbone_weights else None
        )
        encoder = load_encoder(config, model.preprocess.size).image
        compare_fingerprints(
            f"Encoder {model.encoder.name}",
            tensor_fingerprint(encoder.state_dict()),
            model.encoder.fingerprint,
        )
    network = PlspNetwork(model.network, encoder, model.grid)
    own = {} if model.encoder.embedded else encoder.state_dict()
    frozen = {f"encoder.{name}": value for name, value in own.items()}
    try:
        network.load_state_dict({**tensors, **frozen})
    except RuntimeError as error:
        raise ValueError(f"weights of the network: {error}") from error
    return PlspHeatNetwork(network, model.vectors, model.heat)


def clip_tokens_like(tensors: dict[str, torch.Tensor], heads: int) -> ClipTokens:
    """Build an image encoder of the sizes of some weights.

    Args:
        tensors: tensors of a whole network, the encoder's under `encoder.`.
        heads: number of attention heads.

    Raises:
        ValueError: tensors are missing, or their shapes are those of no such encoder.
    """
    try:
        table = tensors["encoder.positional_embedding"]
        kernel = tensors["encoder.conv1.weight"]
        output_width = int(tensors["encoder.proj"].shape[1])
    except KeyError as error:
        raise ValueError(f"weights of the encoder: tensor {error} is missing") from error
    side, patch = round((len(table) - 1) ** 0.5), int(kernel.shape[-1])
    prefix = "encoder.transformer.resblocks."
    layers = {name.removeprefix(prefix).split(".")[0] for name in tensors if prefix in name}
    if side * side + 1 != len(table) or heads < 1 or table.shape[1] % heads:
        raise ValueError(
            f"weights of the encoder: {len(table)} positions of width {table.shape[1]} with "
            f"{heads} heads; expected one more than a square, and a width that heads divide"
        )
    return ClipTokens(side * patch, patch, table.shape[1], len(layers), heads, output_width)


def text_similarity(model: StoredPlsp) -> ActionSimilarity | None:
    """Make free text possible where a text encoder travels with the model.

    Raises:
        ValueError: its weights do not fit.
    """
    if not model.text:
        return None
    with torch.device("meta"):
        encoder: Any = empty_clip().text.model
    try:
        encoder.load_state_dict(dict(model.text), assign=True, strict=False)
    except RuntimeError as error:
        raise ValueError(f"weights of the text encoder: {error}") from error
    if incomplete := [name for name, value in encoder.named_parameters() if value.is_meta]:
        raise ValueError(f"weights of the text encoder: missing {incomplete[:4]}")
    length = int(encoder.context_length)  # the causal mask is in no state dict
    encoder.attn_mask = torch.full((length, length), float("-inf")).triu_(1)
    text = ClipTextEncoder(encoder.requires_grad_(False).eval())

    def encode(texts: Sequence[str]) -> NDArray[np.float32]:
        return np.asarray(text.encode([action_words(one) for one in texts]).numpy(), np.float32)

    return TextSimilarity(model.vocabulary, encode)


def random_grounder(runtime: str = "auto", seed: int = 0) -> Grounder:
    """Build a grounder of the published sizes with random weights, to measure speed with.

    Args:
        runtime: see `load_grounder`.
        seed: seed of all weights.
    """
    config = PlspNetworkConfig(actions=len(AGD20K_SEEN))
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        network = PlspNetwork(config, ClipTokens())
    vectors = name_codes(AGD20K_SEEN, config.width)
    fingerprint = hashlib.sha256(f"{RANDOM_MODEL} {seed}".encode()).hexdigest()
    return Grounder(
        runtime=open_runtime(PlspHeatNetwork(network, vectors, HeatCalibration()), runtime),
        preprocess=Preprocess(PreprocessConfig("squash", 224, 16, CLIP_MEAN, CLIP_STD)),
        vocabulary=vocabulary_from_mapping(AGD20K_SEEN, ALIASES),
        regions=REGIONS,
        information=ModelInformation(RANDOM_MODEL, METHOD, fingerprint),
    )
