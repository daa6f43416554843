"""Part discovery: finds the affording part of egocentric objects by exocentric images.

Patches of the exocentric images where the object is used are clustered; the cluster whose
place in the egocentric image lies best within its object is the part (section 3.3 of the
paper). Where no cluster is reliable, the object as a whole stands in for it.

Differences of `published_quirks` from the default, which does what the paper describes:

- Default: k-means sees the affording patches of all exocentric images of a sample. Quirk: the
  masks of all samples are flattened before they are indexed by sample, so that the e-th image
  of sample b is masked by row e of the b-th exocentric mask of the batch, and only its top row
  of patches is clustered. The copy of the exocentric affinity where no part was found does the
  same and spreads that row over the image.
- Default: a part's similarity is min-maxed and then weighted by the min-maxed affinity of the
  image, so that part maps lie in [0, 1] and vanish off the object. Quirk: egocentric
  descriptors are weighted before they are brought to length 1, so that of the weight only its
  sign is left; exocentric ones are not weighted. (Weighting the cosine itself leaves no part:
  keys have so much in common that every cluster repeats the affinity.)
- Default: reliability is the mean of precision and intersection over union of the part's
  hard mask and the object's mask, (|P and O| / |P| + |P and O| / |P or O|) / 2. Quirk:
  (|P and O| / |P| + |O| / |P or O|) / 2, which does not ask for overlap twice.
- Default: part maps are the similarities. Quirk: their mean with a softmax of the negative
  distances over all patches, which is near zero everywhere.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch

from affordance_grounding_core.clustering import k_means
from affordance_grounding_core.methods.selective_cl.affinity import min_max, unit
from affordance_grounding_core.methods.selective_cl.config import DiscoveryConfig
from affordance_grounding_core.methods.selective_cl.frozen_backbones import FrozenFeatures

_Maps = tuple[torch.Tensor, torch.Tensor]


@dataclass(frozen=True)
class PartCandidates:
    """The clusters of each sample, seen in its egocentric image.

    Attributes:
        similarity: (B, k, N) of each egocentric patch to each cluster.
        hard: (B, k, N) bool, patches above the mean of the min-maxed similarity.
        intersection: (B, k) patches in a cluster's hard mask and the object's.
        union: (B, k) patches in either.
        reliability: (B, k) in [0, 1].
        exocentric_similarity: (B, E, k, N) of each exocentric patch to each cluster.
    """

    similarity: torch.Tensor
    hard: torch.Tensor
    intersection: torch.Tensor
    union: torch.Tensor
    reliability: torch.Tensor
    exocentric_similarity: torch.Tensor


@dataclass(frozen=True)
class PartDiscovery:
    """What was found in a batch.

    Attributes:
        egocentric: (B, h, w) map of the part, or the affinity where none was found.
        exocentric: (B, E, h, w) maps of the part, or the affinity where none was found.
        chosen: (B) int64 cluster taken for the part, -1 where none was.
        clustered: (B, E * N) bool, exocentric patches that were clustered.
        centroids: (B, k, C) of length 1, before any choice.
        candidates: candidates of the choice.
        egocentric_proximity: (B, h, w) second map that the quirk averages; None by default.
        exocentric_proximity: (B, E, h, w) second maps that the quirk averages; None by default.
    """

    egocentric: torch.Tensor
    exocentric: torch.Tensor
    chosen: torch.Tensor
    clustered: torch.Tensor
    centroids: torch.Tensor
    candidates: PartCandidates
    egocentric_proximity: torch.Tensor | None = None
    exocentric_proximity: torch.Tensor | None = None

    @property
    def found(self) -> torch.Tensor:
        """(B) bool, samples with a part."""
        return self.chosen >= 0

    @property
    def egocentric_map(self) -> torch.Tensor:
        """(B, h, w) map that prototypes are taken with."""
        return _mean_of(self.egocentric, self.egocentric_proximity)

    @property
    def exocentric_map(self) -> torch.Tensor:
        """(B, E, h, w) maps that prototypes are taken with."""
        return _mean_of(self.exocentric, self.exocentric_proximity)


@torch.no_grad()
def discover_parts(
    egocentric: FrozenFeatures,
    exocentric: FrozenFeatures,
    egocentric_affinity: torch.Tensor,
    exocentric_affinity: torch.Tensor,
    exocentric_evidence: torch.Tensor,
    object_mask: torch.Tensor,
    config: DiscoveryConfig,
    generator: torch.Generator | None = None,
    centroids: torch.Tensor | None = None,
) -> PartDiscovery:
    """Find the affording part of every sample.

    Args:
        egocentric: features of B images.
        exocentric: features of B * E images, image b * E + e.
        egocentric_affinity: (B, h, w) float.
        exocentric_affinity: (B, E, h, w) float.
        exocentric_evidence: (B, E, h, w) float, where the object is used: the affinity itself,
            or its product with class maps once these know something.
        object_mask: (B, h * w) bool, the egocentric object that a part must lie in.
        config: thresholds.
        generator: random generator of k-means.
        centroids: (B, k, C), of any norm, in the place of k-means.

    Returns:
        A part, or none, for every sample.
    """
    batch, images = exocentric_affinity.shape[:2]
    exo = exocentric.descriptors.reshape(batch, images, *exocentric.descriptors.shape[1:])
    clustered = _affording_patches(exocentric_evidence, config)
    if centroids is None:
        centroids = _cluster(exo, clustered, config, generator)
    centroids = unit(centroids.to(exo.dtype))
    candidates = _candidates(
        egocentric.descriptors,
        exo,
        egocentric_affinity,
        exocentric_affinity,
        object_mask,
        centroids,
        config,
    )
    best = candidates.reliability.max(dim=1)
    found = (best.values >= config.alpha) & (clustered.sum(dim=1) >= config.clusters)
    chosen = torch.where(found, best.indices, -1)
    part = _part_of(candidates, best.indices, egocentric_affinity, exocentric_affinity)
    whole = (egocentric_affinity, _fallback(exocentric_affinity, config))
    egocentric_map, exocentric_map = _where(found, part, whole)
    proximity: tuple[torch.Tensor | None, torch.Tensor | None] = (None, None)
    if config.published_quirks:
        centre = centroids[torch.arange(batch, device=centroids.device), best.indices]
        proximity = _where(found, _proximity(egocentric.descriptors, exo, centre, part), whole)
    return PartDiscovery(
        egocentric_map, exocentric_map, chosen, clustered, centroids, candidates, *proximity
    )


def _cluster(
    descriptors: torch.Tensor,
    clustered: torch.Tensor,
    config: DiscoveryConfig,
    generator: torch.Generator | None,
) -> torch.Tensor:
    """(B, k, C) centroids of the exocentric patches that are clustered."""
    return k_means(
        descriptors.flatten(1, 2),
        clustered,
        config.clusters,
        generator,
        config.iterations,
        config.restarts,
    ).centroids


def _affording_patches(evidence: torch.Tensor, config: DiscoveryConfig) -> torch.Tensor:
    """(B, E * N) bool."""
    if not config.published_quirks:
        return (min_max(evidence, epsilon=1e-10) > config.gamma1).flatten(1)
    rows = _misindexed(evidence)
    top = min_max(rows, dims=1, epsilon=1e-10) > config.gamma1
    clustered = torch.zeros(evidence.shape, dtype=torch.bool, device=evidence.device)
    clustered[:, :, 0] = top
    return clustered.flatten(1)


def _misindexed(maps: torch.Tensor) -> torch.Tensor:
    """(B, E, h, w) to the (B, E, w) rows that indexing the flattened maps by [b, e] gives."""
    batch, images, rows, _ = maps.shape
    if images > rows:
        raise ValueError(
            f"published_quirks takes a row of the grid for each exocentric image: {images} "
            f"images need at least as many rows, got {rows}; leave published_quirks off"
        )
    return maps.flatten(0, 1)[:batch, :images]


def _candidates(
    ego: torch.Tensor,
    exo: torch.Tensor,
    affinity: torch.Tensor,
    exocentric_affinity: torch.Tensor,
    object_mask: torch.Tensor,
    centroids: torch.Tensor,
    config: DiscoveryConfig,
) -> PartCandidates:
    similarity, exocentric = _similarities(
        ego, exo, affinity, exocentric_affinity, centroids, config
    )
    scaled = min_max(similarity, dims=1, epsilon=1e-12)
    hard = scaled > scaled.mean(dim=2, keepdim=True)
    inside = object_mask[:, None].expand_as(hard)
    intersection = (hard & inside).sum(dim=2).to(ego.dtype)
    size, whole = hard.sum(dim=2), inside.sum(dim=2)
    union = size + whole - intersection
    second = whole if config.published_quirks else intersection
    reliability = (intersection / (size + 1e-10) + second / (union + 1e-10)) / 2
    return PartCandidates(similarity, hard, intersection, union, reliability, exocentric)


def _similarities(
    ego: torch.Tensor,
    exo: torch.Tensor,
    affinity: torch.Tensor,
    exocentric_affinity: torch.Tensor,
    centroids: torch.Tensor,
    config: DiscoveryConfig,
) -> _Maps:
    """Similarity of patches to clusters, (B, k, N) and (B, E, k, N)."""
    exocentric = torch.einsum("bkc,benc->bekn", centroids, unit(exo))
    if config.published_quirks:
        weighted = unit(ego * affinity.flatten(1)[..., None])
        return torch.einsum("bkc,bnc->bkn", centroids, weighted), exocentric
    egocentric = torch.einsum("bkc,bnc->bkn", centroids, unit(ego))
    weight = min_max(affinity).flatten(1)[:, None]
    exocentric_weight = min_max(exocentric_affinity).flatten(2)[:, :, None]
    return (
        min_max(egocentric, dims=1) * weight,
        min_max(exocentric, dims=1) * exocentric_weight,
    )


def _part_of(
    candidates: PartCandidates, chosen: torch.Tensor, ego_like: torch.Tensor, exo_like: torch.Tensor
) -> _Maps:
    batch = torch.arange(len(chosen), device=chosen.device)
    egocentric = candidates.similarity[batch, chosen].reshape(ego_like.shape)
    exocentric = candidates.exocentric_similarity[batch, :, chosen].reshape(exo_like.shape)
    return egocentric, exocentric


def _fallback(exocentric_affinity: torch.Tensor, config: DiscoveryConfig) -> torch.Tensor:
    if not config.published_quirks:
        return exocentric_affinity
    return _misindexed(exocentric_affinity)[:, :, None].expand_as(exocentric_affinity)


def _proximity(ego: torch.Tensor, exo: torch.Tensor, centre: torch.Tensor, like: _Maps) -> _Maps:
    """Softmax of negative distances to the centroid, over all patches of a sample."""
    near = torch.linalg.vector_norm(ego - centre[:, None], dim=2)
    far = torch.linalg.vector_norm(exo.flatten(1, 2) - centre[:, None], dim=2)
    return (
        torch.softmax(-near, dim=1).reshape(like[0].shape),
        torch.softmax(-far, dim=1).reshape(like[1].shape),
    )


def _where(found: torch.Tensor, part: _Maps, whole: _Maps) -> _Maps:
    return (
        torch.where(found[:, None, None], part[0], whole[0]),
        torch.where(found[:, None, None, None], part[1], whole[1]),
    )


def _mean_of(first: torch.Tensor, second: torch.Tensor | None) -> torch.Tensor:
    return first if second is None else (first + second) / 2
