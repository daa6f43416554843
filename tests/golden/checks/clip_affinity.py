"""Affinity of patches to texts, and the two helpers it is made of."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import torch

from affordance_grounding_core.methods.selective_cl.affinity import (
    exocentric_affinity,
    local_mean,
    min_max,
    text_similarity,
)
from checks.comparison import Array, Case, Comparison, cases_with


def matches(arrays: Mapping[str, Array], stem: str) -> bool:
    """Holds dense tokens with text features, or maps before and after a helper."""
    return any(
        cases_with(arrays, *quantities)
        for quantities in (
            ("ego_feats", "aff_label_feats"),
            ("ego_only_feats", "aff_label_feats"),
            ("local_mean_in",),
            ("normalize_in",),
        )
    )


def checks(arrays: Mapping[str, Array], stem: str) -> Iterator[Comparison]:
    """Compare raw affinity, the min-maxed one of inference, and the helpers."""
    for case in cases_with(arrays, "ego_feats", "aff_label_feats"):
        similarity = _tensor(case, "ego_feats"), _tensor(case, "aff_label_feats")
        yield from case.compare("ego_similarity", _grid(text_similarity(*similarity)))
        if "exo_feats" in case:
            yield from _exocentric(case)
    for case in cases_with(arrays, "ego_only_feats", "aff_label_feats"):
        tokens, texts = _tensor(case, "ego_only_feats"), _tensor(case, "aff_label_feats")
        ours = min_max(_grid(text_similarity(tokens, texts)))
        yield from case.compare("ego_only_similarity_norm", ours)
    for case in cases_with(arrays, "local_mean_in"):
        yield from case.compare("local_mean_out", local_mean(_tensor(case, "local_mean_in")))
    for case in cases_with(arrays, "normalize_in"):
        maps = _tensor(case, "normalize_in")
        yield from case.compare("normalize_out", min_max(maps, dims=maps.ndim - 1))


def _exocentric(case: Case) -> Iterator[Comparison]:
    tokens = _tensor(case, "exo_feats")
    rows = int(tokens.shape[1] ** 0.5)
    ours = exocentric_affinity(
        tokens, _tensor(case, "aff_label_feats"), _tensor(case, "exo_text_features"), rows
    )
    yield from case.compare("exo_similarity", ours)


def _grid(values: torch.Tensor) -> torch.Tensor:
    side = int(values.shape[1] ** 0.5)
    return values.reshape(len(values), side, side)


def _tensor(case: Case, quantity: str) -> torch.Tensor:
    return torch.from_numpy(case[quantity])
