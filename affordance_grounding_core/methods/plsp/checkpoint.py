"""Checkpoint of WSAG-PLSP: writes a model's tensors and settings and reads them back.

Tensors are `network.*` in the names of the official checkpoint, the encoder among them where
it was trained, `actions` with the vectors of the vocabulary, and, where a text encoder travels
with the model, `text.*` in open_clip's names.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

import torch

from affordance_grounding_core.actions.aliases import ALIASES
from affordance_grounding_core.actions.vocabulary import ActionVocabulary, vocabulary_from_mapping
from affordance_grounding_core.checkpoints.format import Checkpoint
from affordance_grounding_core.checkpoints.sections import read_section, unfit
from affordance_grounding_core.inference.heat_calibration import HeatCalibration
from affordance_grounding_core.inference.preprocess import PreprocessConfig
from affordance_grounding_core.inference.regions import RegionConfig
from affordance_grounding_core.methods.plsp.config import PlspNetworkConfig
from affordance_grounding_core.methods.plsp.encoders import EncoderName

METHOD = "plsp"

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

    name: EncoderName
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
