"""Options of Selective Contrastive Learning: head, part discovery, losses, optimiser."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal, get_args

import torch
from torch import nn

from affordance_grounding_core.backbones.loading import DESCRIPTORS

ContrastLevel = Literal["none", "object", "part"]
"""What a contrastive loss learns from: nothing, whole objects, or parts where they are found."""

_LEVELS = ("none", "object", "part")

SaliencySource = Literal["contrast", "attention"]


@dataclass(frozen=True)
class SelectiveHeadConfig:
    """Trained layers on top of frozen patch descriptors.

    Attributes:
        actions: number of actions.
        feature_width: channels of a descriptor, kept by every layer but the one of `hidden`.
        hidden: channels inside the projection MLP.
        skip: whether the descriptors are added to their projection, as LOCATE does and
            SelectiveCL does not.
    """

    actions: int
    feature_width: int = 384
    hidden: int = 1536
    skip: bool = False

    def __post_init__(self) -> None:
        for name in ("actions", "feature_width", "hidden"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} of a head must be at least 1, got {getattr(self, name)}")


@dataclass(frozen=True)
class DiscoveryConfig:
    """How the affording part is found (section 3.3 of the paper).

    Attributes:
        clusters: number of clusters of exocentric patches; one of them is taken for the part.
        alpha: least reliability of a part, in [0, 1]; below it the whole object is learnt.
        gamma1: exocentric patches count as affording above this min-maxed affinity.
        gamma2: egocentric patches belong to the object above this min-maxed affinity.
        iterations: most iterations of k-means.
        restarts: restarts of k-means; the tightest clustering is kept.
        published_quirks: reproduce what the released code computes instead of what it
            evidently means to; see `discovery` and `objective`.
    """

    clusters: int = 3
    alpha: float = 0.6
    gamma1: float = 0.6
    gamma2: float = 0.6
    iterations: int = 100
    restarts: int = 1
    published_quirks: bool = False

    def __post_init__(self) -> None:
        for name in ("clusters", "iterations", "restarts"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} must be at least 1, got {getattr(self, name)}")
        if self.alpha < 0.0:
            raise ValueError(f"alpha must not be negative, got {self.alpha}")
        for name in ("gamma1", "gamma2"):
            if not 0.0 <= getattr(self, name) < 1.0:
                # A min-maxed map never exceeds 1: nothing would ever be chosen.
                raise ValueError(f"{name} must lie in [0, 1), got {getattr(self, name)}")


@dataclass(frozen=True)
class ContrastConfig:
    """The two contrastive losses (section 3.4 of the paper).

    The published losses are multiplied by temperature / 0.07, which weighs them 7.14 beside
    the cross entropies where the paper writes 1. The published numbers were reached that way,
    so it is the default here; `contrast_weight` replaces the factor by one that can be read.

    Attributes:
        temperature: temperature of the softmax over similarities.
        base_temperature: the published losses are scaled by temperature / base_temperature.
        contrast_weight: factor on both losses; None for the published one.
        prototypes: level of the prototype loss.
        pixels: level of the pixel loss.
    """

    temperature: float = 0.5
    base_temperature: float = 0.07
    contrast_weight: float | None = None
    prototypes: ContrastLevel = "part"
    pixels: ContrastLevel = "part"

    def __post_init__(self) -> None:
        if min(self.temperature, self.base_temperature) <= 0.0:
            raise ValueError(
                "temperatures divide and must be positive, got temperature "
                f"{self.temperature} and base_temperature {self.base_temperature}"
            )
        if self.contrast_weight is not None and self.contrast_weight < 0.0:
            raise ValueError(f"contrast_weight must not be negative, got {self.contrast_weight}")
        for name in ("prototypes", "pixels"):
            if getattr(self, name) not in _LEVELS:
                raise ValueError(
                    f"{name} must be one of {', '.join(_LEVELS)}, got {getattr(self, name)!r}"
                )

    @property
    def weight(self) -> float:
        """Factor on both contrastive losses."""
        if self.contrast_weight is not None:
            return self.contrast_weight
        return self.temperature / self.base_temperature


@dataclass(frozen=True)
class ObjectiveConfig:
    """Everything the objective needs to know.

    Attributes:
        discovery: options of part discovery.
        contrast: losses on prototypes and pixels.
        exocentric_weight: factor on the cross entropy of the exocentric images; 0 leaves it out.
        part_map_weight: factor on the divergence of class maps from part labels, where there
            are labels; 0 leaves it out, and labels then guide the contrast alone.
    """

    discovery: DiscoveryConfig = field(default_factory=DiscoveryConfig)
    contrast: ContrastConfig = field(default_factory=ContrastConfig)
    exocentric_weight: float = 1.0
    part_map_weight: float = 0.0

    def __post_init__(self) -> None:
        for name in ("exocentric_weight", "part_map_weight"):
            if getattr(self, name) < 0.0:
                raise ValueError(f"{name} must not be negative, got {getattr(self, name)}")


@dataclass(frozen=True)
class OptimiserConfig:
    """Options of the optimiser and its schedule.

    The rates of the released code are kept by default, because the published numbers were
    reached with them: parameters named "fc" learn at 10 times the rate. LOCATE, which the code
    comes from, called its classifier `aff_fc`; renamed to `aff_classifier` it learns at the plain
    rate. `classifier_factor: 10` gives LOCATE's rate back.

    Attributes:
        learning_rate: learning rate of weights.
        momentum: Nesterov's.
        weight_decay: weight decay of all parameters, biases and norms too.
        bias_factor: rate of biases, as a multiple of that of the weights beside them.
        projection_factor: rate of the projection MLP (parameters named "fc").
        classifier_factor: rate of the classifier.
        step_epochs: after so many epochs rates are multiplied by `step_factor`.
        step_factor: see `step_epochs`.
    """

    learning_rate: float = 1e-3
    momentum: float = 0.9
    weight_decay: float = 5e-4
    bias_factor: float = 2.0
    projection_factor: float = 10.0
    classifier_factor: float = 1.0
    step_epochs: int = 50
    step_factor: float = 0.1

    def __post_init__(self) -> None:
        for name in ("learning_rate", "bias_factor", "projection_factor", "classifier_factor"):
            if getattr(self, name) <= 0:
                raise ValueError(f"{name} must be positive, got {getattr(self, name)}")
        if not 0.0 < self.momentum < 1.0:
            raise ValueError(f"Nesterov's momentum must lie in (0, 1), got {self.momentum}")
        if self.weight_decay < 0 or self.step_epochs < 1 or self.step_factor <= 0:
            raise ValueError(
                "weight_decay must not be negative, step_epochs at least 1 and step_factor "
                f"positive, got {self.weight_decay}, {self.step_epochs} and {self.step_factor}"
            )


Affinity = Literal["clip", "saliency", "none"]


@dataclass(frozen=True)
class BackboneReference:
    """The frozen backbones of a model.

    Attributes:
        descriptor: name of the backbone that describes patches.
        affinity: source of the object's affinity at inference.
        saliency: source of saliency, where affinity is saliency; see `SaliencyAffinity`.
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


def parameter_groups(head: nn.Module, config: OptimiserConfig) -> list[dict[str, Any]]:
    """Sort the trained parameters by their rate.

    Args:
        head: head whose parameters are trained.
        config: rates.

    Returns:
        Groups for `torch.optim`, each with "params", "lr" and the "name" it is logged by.
    """
    factors = {
        "projection": config.projection_factor,
        "classifier": config.classifier_factor,
        "rest": 1.0,
    }
    groups: dict[str, dict[str, Any]] = {}
    for name, parameter in head.named_parameters():
        if not parameter.requires_grad:
            continue
        part = _part(name)
        kind = "bias" if name.rsplit(".", 1)[-1] == "bias" else "weight"
        rate = config.learning_rate * factors[part] * (config.bias_factor if kind == "bias" else 1)
        group = groups.setdefault(
            f"{part} {kind}", {"params": [], "lr": rate, "name": f"{part} {kind}"}
        )
        group["params"].append(parameter)
    return list(groups.values())


def build_optimiser(
    head: nn.Module, config: OptimiserConfig
) -> tuple[torch.optim.Optimizer, torch.optim.lr_scheduler.LRScheduler]:
    """Make the optimiser and its schedule, which steps once an epoch."""
    optimiser = torch.optim.SGD(
        parameter_groups(head, config),
        lr=config.learning_rate,
        momentum=config.momentum,
        weight_decay=config.weight_decay,
        nesterov=True,
    )
    schedule = torch.optim.lr_scheduler.StepLR(
        optimiser, step_size=config.step_epochs, gamma=config.step_factor
    )
    return optimiser, schedule


def _part(name: str) -> str:
    if "fc" in name:
        return "projection"
    return "classifier" if "classifier" in name else "rest"
