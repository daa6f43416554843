"""Training objective of SelectiveCL: computes the losses of frozen features and labels.

Differences of `DiscoveryConfig.published_quirks` from the default here (those of part
discovery stand in `discovery`): the exocentric cross entropy is divided by 3 rather than by
the number of exocentric images, and batch statistics are recorded twice a step, since the
published code runs each branch twice on the same input.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch.nn import functional

from affordance_grounding_core.methods.selective_cl.affinity import min_max
from affordance_grounding_core.methods.selective_cl.affinity_sources import (
    Affinities,
    AffinityProvider,
)
from affordance_grounding_core.methods.selective_cl.config import ObjectiveConfig
from affordance_grounding_core.methods.selective_cl.discovery import PartDiscovery, discover_parts
from affordance_grounding_core.methods.selective_cl.frozen_backbones import FrozenFeatures
from affordance_grounding_core.methods.selective_cl.losses import (
    PrototypeMaps,
    map_divergence,
    pixel_contrast,
    prototype_contrast,
)
from affordance_grounding_core.methods.selective_cl.network import SelectiveHead
from affordance_grounding_core.methods.selective_cl.samples import (
    PartLabels,
    guide_affinities,
    guide_discovery,
)


@dataclass(frozen=True)
class SelectiveOutput:
    """What a training step computes.

    Attributes:
        total: scalar, sum of the losses.
        losses: scalars by name, weights included: "egocentric_classification",
            "exocentric_classification", "prototype" and "pixel" unless switched off, and
            "part_map" where part labels weigh in.
        egocentric_logits: (B, actions).
        exocentric_logits: (B, E, actions).
        discovery: parts that were found; None where the prototype loss does not ask for parts.
        prototype_maps: places that prototypes were taken from; None without prototype loss.
        diagnostics: scalars by name without gradient, for logs.
    """

    total: torch.Tensor
    losses: Mapping[str, torch.Tensor]
    egocentric_logits: torch.Tensor
    exocentric_logits: torch.Tensor
    discovery: PartDiscovery | None
    prototype_maps: PrototypeMaps | None
    diagnostics: Mapping[str, torch.Tensor]


@dataclass(frozen=True)
class _Branches:
    """Features of both branches and their class maps, of each image's own action.

    Responses are class maps without what is negative.
    """

    egocentric: torch.Tensor
    exocentric: torch.Tensor
    egocentric_logits: torch.Tensor
    exocentric_logits: torch.Tensor
    egocentric_maps: torch.Tensor
    exocentric_maps: torch.Tensor

    @property
    def egocentric_response(self) -> torch.Tensor:
        return self.egocentric_maps.relu()

    @property
    def exocentric_response(self) -> torch.Tensor:
        return self.exocentric_maps.relu()


def selective_objective(
    head: SelectiveHead,
    egocentric: FrozenFeatures,
    exocentric: FrozenFeatures,
    labels: torch.Tensor,
    epoch: int,
    provider: AffinityProvider,
    config: ObjectiveConfig,
    generator: torch.Generator | None = None,
    centroids: torch.Tensor | None = None,
    parts: PartLabels | None = None,
) -> SelectiveOutput:
    """Compute the losses of a batch.

    Args:
        head: trained.
        egocentric: features of B images.
        exocentric: features of B * E images, image b * E + e.
        labels: (B) int64 actions.
        epoch: number of the epoch, from 0. In epoch 0 the class maps know nothing yet and are left
            out of part discovery and of the backgrounds.
        provider: source of affinity.
        config: options.
        generator: random generator of k-means.
        centroids: (B, k, C) in the place of k-means.
        parts: labels of the egocentric images, trusted before any guess.

    Raises:
        ValueError: batches that do not fit each other.
    """
    images = _images_per_sample(egocentric, exocentric, labels)
    branches = _run_branches(head, egocentric, exocentric, labels, config)
    losses = _classification(branches, labels, images, config)
    losses |= _part_map(branches, parts, config)
    contrast = config.contrast
    discovery, prototypes = None, None
    diagnostics: dict[str, torch.Tensor] = {}
    if contrast.prototypes != "none" or contrast.pixels != "none":
        # Thresholds and similarities need more digits than mixed precision has.
        with torch.autocast(labels.device.type, enabled=False):
            affinities = provider.affinities(egocentric, exocentric, labels)
            if parts is not None:
                affinities = guide_affinities(affinities, parts)
                diagnostics["parts_labelled"] = parts.known.float().mean()
            if contrast.prototypes == "part":
                evidence = _evidence(affinities, branches, epoch)
                seen = (egocentric, exocentric, affinities, evidence)
                guessed = _discover(*seen, config, generator, centroids)
                diagnostics.update(_diagnose(guessed))
                discovery = guessed if parts is None else guide_discovery(guessed, parts)
        if contrast.prototypes != "none":
            prototypes = _prototype_maps(discovery, affinities, branches, epoch, parts)
            losses["prototype"] = _prototype_loss(head, branches, prototypes, labels, config)
        if contrast.pixels != "none":
            losses["pixel"], positives = _pixel_loss(head, branches, affinities, config)
            diagnostics["pixel_positives"] = positives
    total = torch.stack(list(losses.values())).sum()
    logits = (branches.egocentric_logits, branches.exocentric_logits)
    return SelectiveOutput(total, losses, *logits, discovery, prototypes, diagnostics)


def _images_per_sample(
    egocentric: FrozenFeatures, exocentric: FrozenFeatures, labels: torch.Tensor
) -> int:
    batch = egocentric.batch
    if labels.shape != (batch,) or exocentric.batch < batch or exocentric.batch % batch:
        raise ValueError(
            f"{batch} egocentric images need {batch} labels and a positive multiple of {batch} "
            f"exocentric images, got labels {tuple(labels.shape)} and {exocentric.batch} images"
        )
    if (egocentric.rows, egocentric.columns) != (exocentric.rows, exocentric.columns):
        raise ValueError(
            "egocentric and exocentric images must have the same grid, got "
            f"{egocentric.rows} x {egocentric.columns} and {exocentric.rows} x "
            f"{exocentric.columns} patches"
        )
    return exocentric.batch // batch


def _run_branches(
    head: SelectiveHead,
    egocentric: FrozenFeatures,
    exocentric: FrozenFeatures,
    labels: torch.Tensor,
    config: ObjectiveConfig,
) -> _Branches:
    images = exocentric.batch // egocentric.batch
    ego = head.project(egocentric.descriptors, egocentric.rows, egocentric.columns)
    exo = head.project(exocentric.descriptors, exocentric.rows, exocentric.columns)
    ego_features, exo_features = head.aff_ego_proj(ego), head.aff_exo_proj(exo)
    if config.discovery.published_quirks and head.training:
        with torch.no_grad():  # for what it does to the running statistics alone
            head.aff_ego_proj(ego)
            head.aff_exo_proj(exo)
    ego_maps, exo_maps = head.class_maps(ego_features), head.class_maps(exo_features)
    exo_labels = labels.repeat_interleave(images)
    return _Branches(
        ego_features,
        exo_features,
        ego_maps.mean(dim=(2, 3)),
        exo_maps.mean(dim=(2, 3)).reshape(len(labels), images, -1),
        _select(ego_maps, labels),
        _select(exo_maps, exo_labels),
    )


def _select(maps: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
    """The map of each image's own action, (B, A, h, w) to (B, h, w)."""
    return maps[torch.arange(len(labels), device=labels.device), labels]


def _classification(
    branches: _Branches, labels: torch.Tensor, images: int, config: ObjectiveConfig
) -> dict[str, torch.Tensor]:
    exocentric = functional.cross_entropy(
        branches.exocentric_logits.flatten(0, 1).float(), labels.repeat_interleave(images)
    )
    if config.discovery.published_quirks:
        exocentric = exocentric * images / 3
    return {
        "egocentric_classification": functional.cross_entropy(
            branches.egocentric_logits.float(), labels
        ),
        "exocentric_classification": config.exocentric_weight * exocentric,
    }


def _part_map(
    branches: _Branches, parts: PartLabels | None, config: ObjectiveConfig
) -> dict[str, torch.Tensor]:
    if parts is None or config.part_map_weight <= 0:
        return {}
    divergence = map_divergence(branches.egocentric_maps.float(), parts.maps, parts.known)
    return {"part_map": config.part_map_weight * divergence}


def _discover(
    egocentric: FrozenFeatures,
    exocentric: FrozenFeatures,
    affinities: Affinities,
    evidence: torch.Tensor,
    config: ObjectiveConfig,
    generator: torch.Generator | None,
    centroids: torch.Tensor | None,
) -> PartDiscovery:
    return discover_parts(
        egocentric,
        exocentric,
        affinities.egocentric,
        affinities.exocentric,
        evidence,
        affinities.object_mask,
        config.discovery,
        generator,
        centroids,
    )


def _evidence(affinities: Affinities, branches: _Branches, epoch: int) -> torch.Tensor:
    """(B, E, h, w), where the objects are used: class maps count once they know something."""
    evidence = affinities.exocentric
    if epoch > 0:
        response = branches.exocentric_response.detach().float().reshape(evidence.shape)
        evidence = evidence.relu() * response
    return evidence


def _prototype_maps(
    discovery: PartDiscovery | None,
    affinities: Affinities,
    branches: _Branches,
    epoch: int,
    parts: PartLabels | None,
) -> PrototypeMaps:
    if discovery is None:
        egocentric, exocentric = affinities.egocentric, affinities.exocentric.flatten(0, 1)
        anchor = None
    else:
        egocentric = discovery.egocentric_map
        exocentric = discovery.exocentric_map.flatten(0, 1)
        found = discovery.found if parts is None else discovery.found | parts.known
        anchor = torch.where(found[:, None, None], affinities.egocentric, 1.0)
    if epoch == 0:
        return PrototypeMaps(egocentric, exocentric, 1 - egocentric, 1 - exocentric, anchor)
    return PrototypeMaps(
        egocentric,
        exocentric,
        1 - egocentric * branches.egocentric_response,
        1 - exocentric * branches.exocentric_response,
        anchor,
    )


def _prototype_loss(
    head: SelectiveHead,
    branches: _Branches,
    maps: PrototypeMaps,
    labels: torch.Tensor,
    config: ObjectiveConfig,
) -> torch.Tensor:
    egocentric = head.K_contrast_projection(branches.egocentric)
    exocentric = head.K_contrast_projection(branches.exocentric)
    with torch.autocast(labels.device.type, enabled=False):
        loss = prototype_contrast(
            egocentric.float(), exocentric.float(), maps, labels, config.contrast.temperature
        )
    return config.contrast.weight * loss


def _pixel_loss(
    head: SelectiveHead, branches: _Branches, affinities: Affinities, config: ObjectiveConfig
) -> tuple[torch.Tensor, torch.Tensor]:
    features = head.pixel_contrast_projection(branches.egocentric)
    anchors = (min_max(affinities.egocentric) > config.discovery.gamma2).flatten(1)
    groups = anchors
    if config.contrast.pixels == "part":
        foreground = affinities.pixel_foreground
        groups = torch.where(foreground.any(dim=1, keepdim=True), foreground, anchors)
    with torch.autocast(features.device.type, enabled=False):
        contrast = pixel_contrast(features.float(), groups, anchors, config.contrast.temperature)
    return config.contrast.weight * contrast.loss, contrast.positives.detach()


def _diagnose(discovery: PartDiscovery) -> dict[str, torch.Tensor]:
    reliability = discovery.candidates.reliability.amax(dim=1)
    return {
        "parts_found": discovery.found.float().mean(),
        "part_reliability": reliability.mean(),
        "patches_clustered": discovery.clustered.sum(dim=1).float().mean(),
    }
