"""The whole training step of SelectiveCL on given frozen features and k-means centroids.

Run with `published_quirks`: everything the published code records in between is compared.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import torch

from affordance_grounding_core.methods.selective_cl.affinity import min_max, saliency_mask
from affordance_grounding_core.methods.selective_cl.affinity_sources import (
    PUBLISHED_HEADS,
    Affinities,
    clip_affinities,
)
from affordance_grounding_core.methods.selective_cl.config import (
    ContrastConfig,
    DiscoveryConfig,
    ObjectiveConfig,
    SelectiveHeadConfig,
)
from affordance_grounding_core.methods.selective_cl.discovery import PartDiscovery
from affordance_grounding_core.methods.selective_cl.frozen_backbones import FrozenFeatures
from affordance_grounding_core.methods.selective_cl.network import SelectiveHead
from affordance_grounding_core.methods.selective_cl.objective import (
    SelectiveOutput,
    selective_objective,
)
from checks.comparison import ATOL, GRADIENT_RTOL, Array, Case, Comparison, cases_with

_WEIGHTS = "w/"
_GRADIENTS = {
    "grad_classifier": "aff_classifier.weight",
    "grad_fc1_first8": "aff_proj.fc1.weight",
    "grad_egoconv0_bias_like": "aff_ego_proj.0.weight",
    "grad_exoconv3_bias": "aff_exo_proj.3.bias",
    "grad_K": "K_contrast_projection.weight",
    "grad_pix": "pixel_contrast_projection.weight",
}
"""Golden gradient to the parameter whose first rows it is of."""


class _TextsOfSamples:
    """Affinity by CLIP with texts a sample, where the product has texts an action."""

    def __init__(self, texts: torch.Tensor, exocentric_texts: torch.Tensor) -> None:
        self.texts = texts
        self.exocentric_texts = exocentric_texts

    def affinities(
        self, egocentric: FrozenFeatures, exocentric: FrozenFeatures, labels: torch.Tensor
    ) -> Affinities:
        return clip_affinities(egocentric, exocentric, self.texts, self.exocentric_texts)

    def affinity(self, features: FrozenFeatures, actions: torch.Tensor) -> torch.Tensor:
        raise AssertionError("inference is not part of this check")


def matches(arrays: Mapping[str, Array], stem: str) -> bool:
    """Holds keys of both views, centroids and the weights of the head."""
    return bool(cases_with(arrays, "in_ego_key", "in_exo_key")) and any(
        key.startswith(_WEIGHTS) for key in arrays
    )


def checks(arrays: Mapping[str, Array], stem: str) -> Iterator[Comparison]:
    """Compare affinities, part discovery, losses, gradients and batch statistics."""
    for case in cases_with(arrays, "in_ego_key", "in_exo_key"):
        attempts = [list(_run(case, arrays, centroids)) for centroids in _centroids(case)]
        yield from min(attempts, key=lambda rows: sum(bool(row.defect) for row in rows))


def _run(case: Case, arrays: Mapping[str, Array], centroids: torch.Tensor) -> Iterator[Comparison]:
    head = _head(arrays)
    head.train(bool(case.number("train_mode", 1)))
    egocentric, exocentric = _features(case, "ego"), _features(case, "exo")
    provider = _TextsOfSamples(_tensor(case, "in_text"), _tensor(case, "in_exo_text"))
    config = _config(case, centroids.shape[1])
    labels = _tensor(case, "aff_label").long()
    output = selective_objective(
        head,
        egocentric,
        exocentric,
        labels,
        int(case.number("epoch", 0)),
        provider,
        config,
        centroids=centroids,
    )
    output.total.backward()
    affinities = provider.affinities(egocentric, exocentric, labels)
    yield from _check_affinities(case, egocentric, affinities, config)
    yield from _check_discovery(case, output)
    yield from _check_losses(case, output)
    yield from _check_head(case, head)


def _head(arrays: Mapping[str, Array]) -> SelectiveHead:
    weights = {
        key.removeprefix(_WEIGHTS): torch.from_numpy(arrays[key])
        for key in arrays
        if key.startswith(_WEIGHTS)
    }
    hidden, width = weights["aff_proj.fc1.weight"].shape
    head = SelectiveHead(SelectiveHeadConfig(len(weights["aff_classifier.bias"]), width, hidden))
    head.load_state_dict(weights)
    return head


def _features(case: Case, view: str) -> FrozenFeatures:
    keys = _tensor(case, f"in_{view}_key")[:, :, 1:]
    side = round(keys.shape[2] ** 0.5)
    attention = f"in_{view}_attn_row0"
    return FrozenFeatures(
        keys.permute(0, 2, 3, 1).flatten(2),
        _tensor(case, attention)[:, :, 1:] if attention in case else None,
        _tensor(case, f"in_clip_{view}"),
        side,
        side,
    )


def _config(case: Case, clusters: int) -> ObjectiveConfig:
    return ObjectiveConfig(
        DiscoveryConfig(
            clusters=clusters,
            alpha=case.number("alpha", 0.6),
            gamma1=case.number("gamma1", 0.6),
            gamma2=case.number("gamma2", 0.6),
            published_quirks=True,
        ),
        ContrastConfig(case.number("temperature", 0.5), case.number("base_temperature", 0.07)),
    )


def _clustered_samples(case: Case) -> list[int]:
    """Samples with enough patches for k-means."""
    return [index for index in range(len(case["aff_label"])) if f"b{index}.sim_map" in case]


def _centroids(case: Case) -> list[torch.Tensor]:
    """What `in_centroids` may mean where not every sample was clustered.

    The k-means that recorded them is called for samples with enough patches alone: there is a
    set a sample, or a set a call. Those of samples that were never clustered do not matter.
    """
    batch, clustered = len(case["aff_label"]), _clustered_samples(case)
    width = case["in_ego_key"].shape[1] * case["in_ego_key"].shape[3]
    if "in_centroids" not in case or not case["in_centroids"].size:
        return [torch.zeros(batch, 3, width)]
    clusters = case["in_centroids"].shape[-2]
    given = _tensor(case, "in_centroids").reshape(-1, clusters, width)
    by_call = torch.zeros(batch, clusters, width)
    by_call[clustered] = given[: len(clustered)]
    if len(given) == batch:
        return [given] if len(clustered) == batch else [given, by_call]
    return [by_call]


def _clustered_counts(case: Case, discovery: PartDiscovery) -> torch.Tensor:
    """Patches clustered, by the file's convention for samples that were not."""
    counts, golden = discovery.clustered.sum(1), case["n_clustered"]
    clustered = _clustered_samples(case)
    if len(golden) != len(counts):
        return counts[clustered]
    unclustered = [
        index for index in range(len(counts)) if index not in clustered and golden[index] <= 0
    ]
    counts[unclustered] = torch.from_numpy(golden).to(counts)[unclustered]
    return counts


def _check_affinities(
    case: Case, egocentric: FrozenFeatures, affinities: Affinities, config: ObjectiveConfig
) -> Iterator[Comparison]:
    assert egocentric.class_attention is not None
    saliency = saliency_mask(egocentric.class_attention, PUBLISHED_HEADS)
    yield from case.compare("sam_hard", saliency)
    yield from case.compare("clip_ego_sim", affinities.egocentric)
    if "clip_exo_sim" in case:
        shape = case["clip_exo_sim"].shape
        yield from case.compare("clip_exo_sim", affinities.exocentric.reshape(shape))
    mask = min_max(affinities.egocentric) > config.discovery.gamma2
    yield from case.compare("clip_ego_mask", mask)


def _check_discovery(case: Case, output: SelectiveOutput) -> Iterator[Comparison]:
    discovery, maps = output.discovery, output.prototype_maps
    assert discovery is not None
    assert maps is not None
    yield from case.compare("ego_part_idx", discovery.found)
    yield from case.compare("chosen_cluster", discovery.chosen)
    yield from case.compare("ego_prob", discovery.egocentric)
    yield from case.compare("ego_prob2", discovery.egocentric_proximity)
    yield from case.compare("exo_prob", discovery.exocentric)
    yield from case.compare("exo_prob2", discovery.exocentric_proximity)
    yield from case.compare("proto_ego_sim", maps.egocentric)
    yield from case.compare("proto_exo_sim", maps.exocentric)
    yield from case.compare("proto_ego_bg", maps.egocentric_background)
    yield from case.compare("proto_exo_bg", maps.exocentric_background)
    yield from case.compare("proto_obj_ego", maps.anchor)
    if "n_clustered" in case:
        yield from case.compare("n_clustered", _clustered_counts(case, discovery))
    found = discovery.candidates
    for index in range(len(discovery.chosen)):
        sample = f"b{index}"
        clustered = torch.nonzero(discovery.clustered[index]).flatten()
        yield from case.compare(f"{sample}.clustered_index", clustered)
        yield from case.compare(f"{sample}.sim_map", found.similarity[index])
        yield from case.compare(f"{sample}.sim_map_hard", found.hard[index])
        yield from case.compare(f"{sample}.inter", found.intersection[index])
        yield from case.compare(f"{sample}.union", found.union[index])
        yield from case.compare(f"{sample}.p_score", found.reliability[index])


def _check_losses(case: Case, output: SelectiveOutput) -> Iterator[Comparison]:
    yield from case.compare("logits_ego", output.egocentric_logits)
    yield from case.compare("logits_exo", output.exocentric_logits)
    for quantity, name in (
        ("loss_ce_ego", "egocentric_classification"),
        ("loss_ce_exo", "exocentric_classification"),
        ("loss_pixel", "pixel"),
        ("loss_proto", "prototype"),
    ):
        if quantity in case:
            ours = output.losses[name].reshape(case[quantity].shape)
            yield from case.compare(quantity, ours)


def _check_head(case: Case, head: SelectiveHead) -> Iterator[Comparison]:
    parameters = dict(head.named_parameters())
    for quantity, name in _GRADIENTS.items():
        if quantity in case:
            gradient = parameters[name].grad
            assert gradient is not None
            rows = gradient[: len(case[quantity])]
            # Batch statistics cancel a bias: its gradient is 0, and both numbers are rounding.
            atol = 1e-4 if name.endswith("bias") and head.training else ATOL
            yield from case.compare(quantity, rows, rtol=GRADIENT_RTOL, atol=atol)
    for view, branch in (("ego", head.aff_ego_proj), ("exo", head.aff_exo_proj)):
        statistics = branch[1]
        yield from case.compare(f"bn_{view}_running_mean", statistics.running_mean)
        yield from case.compare(f"bn_{view}_running_var", statistics.running_var)
        yield from case.compare(f"bn_{view}_num_batches", statistics.num_batches_tracked)


def _tensor(case: Case, quantity: str) -> torch.Tensor:
    return torch.from_numpy(case[quantity])
