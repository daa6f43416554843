"""Checkpoint of SelectiveCL: writes a model's tensors and settings and reads them back.

Tensors are `head.*`, the text vectors `texts.action` and `texts.exocentric` where affinity
comes from CLIP, and, where the backbones travel with the head, `descriptor.*` in timm's names
and `clip.*` in open_clip's, text encoder included.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, Literal, get_args

import torch

from affordance_grounding_core.actions.aliases import ALIASES
from affordance_grounding_core.actions.prompts import action_prompt, exocentric_prompt
from affordance_grounding_core.actions.vocabulary import ActionVocabulary, vocabulary_from_mapping
from affordance_grounding_core.backbones.clip import Clip
from affordance_grounding_core.backbones.loading import DESCRIPTORS
from affordance_grounding_core.checkpoints.format import Checkpoint
from affordance_grounding_core.checkpoints.sections import read_section, unfit
from affordance_grounding_core.inference.heat_calibration import HeatCalibration
from affordance_grounding_core.inference.preprocess import PreprocessConfig
from affordance_grounding_core.inference.regions import RegionConfig
from affordance_grounding_core.methods.selective_cl.affinity_sources import SaliencySource
from affordance_grounding_core.methods.selective_cl.config import SelectiveHeadConfig
from affordance_grounding_core.methods.selective_cl.network import MapConfig, SelectiveHead

METHOD = "selective_cl"
TRAINING_LAYERS = ("aff_exo_proj.", "K_contrast_projection.", "pixel_contrast_projection.")
"""Layers of the head that inference does not run; a checkpoint may lack them."""

Affinity = Literal["clip", "saliency", "none"]


@dataclass(frozen=True)
class BackboneReference:
    """The frozen backbones of a model.

    Attributes:
        descriptor: name of the backbone that describes patches.
        affinity: where the object's affinity comes from at inference.
        saliency: what stands out, where affinity is saliency; see `SaliencyAffinity`.
        embedded: whether the checkpoint holds the backbones' weights.
        descriptor_fingerprint: hash of the weights it was trained on, where they are known.
        clip_fingerprint: fingerprint of CLIP's image encoder.
    """

    descriptor: str = "dino_vits16"
    affinity: Affinity = "clip"
    saliency: SaliencySource = "contrast"
    embedded: bool = False
    descriptor_fingerprint: str | None = None
    clip_fingerprint: str | None = None

    def __post_init__(self) -> None:
        if self.descriptor not in DESCRIPTORS:
            raise ValueError(
                f"descriptor backbone must be one of {sorted(DESCRIPTORS)}, got {self.descriptor!r}"
            )
        if self.affinity not in get_args(Affinity):
            raise ValueError(
                f"affinity must be one of {list(get_args(Affinity))}, got {self.affinity!r}"
            )
        if self.saliency not in get_args(SaliencySource):
            raise ValueError(
                f"saliency must be one of {list(get_args(SaliencySource))}, got {self.saliency!r}"
            )


@dataclass(frozen=True)
class ActionTexts:
    """Vectors of the prompts of a vocabulary.

    Attributes:
        action: (actions, D) of "an item to {action} with".
        exocentric: (actions, D) of "a person {action} an item".
    """

    action: torch.Tensor
    exocentric: torch.Tensor


def encode_actions(clip: Clip, actions: Sequence[str]) -> ActionTexts:
    """Encode the prompts of a vocabulary, once.

    Args:
        clip: CLIP with its weights.
        actions: names.
    """
    return ActionTexts(
        clip.text.encode([action_prompt(action) for action in actions]).cpu(),
        clip.text.encode([exocentric_prompt(action) for action in actions]).cpu(),
    )


@dataclass(frozen=True)
class StoredModel:
    """Everything inference needs beside the backbones.

    Attributes:
        actions: actions in the order of the head's channels.
        network: sizes of the head.
        head: its tensors, by the names of `SelectiveHead`.
        backbones: which ones.
        texts: vectors of the actions; None where affinity does not come from CLIP.
        maps: how affinity enters.
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
