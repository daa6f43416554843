"""Prototype contrastive loss of SelectiveCL, with its gradients."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import numpy as np
import torch

from affordance_grounding_core.methods.selective_cl.config import ContrastConfig
from affordance_grounding_core.methods.selective_cl.losses import PrototypeMaps, prototype_contrast
from checks.comparison import GRADIENT_RTOL, Array, Case, Comparison, as_array, cases_with

_GRADIENTS = {
    "grad_ego_pred": "ego_pred",
    "grad_exo_pred": "exo_pred",
    "grad_ego_bg": "ego_bg_similarity",
    "grad_exo_bg": "exo_bg_similarity",
    "grad_ego_similarity": "ego_similarity",
    "grad_exo_similarity": "exo_similarity",
    "grad_obj_ego": "obj_ego_similarity",
}
"""Golden gradient to the input it belongs to."""


def matches(arrays: Mapping[str, Array], stem: str) -> bool:
    """Holds features of both views with background maps."""
    return bool(cases_with(arrays, "ego_pred", "exo_pred", "ego_bg_similarity"))


def checks(arrays: Mapping[str, Array], stem: str) -> Iterator[Comparison]:
    """Compare the loss and its gradients."""
    for case in cases_with(arrays, "ego_pred", "exo_pred", "ego_bg_similarity"):
        yield from _check(case)


def _check(case: Case) -> Iterator[Comparison]:
    inputs = {
        name: torch.from_numpy(case[name]).requires_grad_()
        for name in _GRADIENTS.values()
        if name in case
    }
    config = ContrastConfig(case.number("temperature", 0.5), case.number("base_temperature", 0.07))
    maps = PrototypeMaps(
        inputs["ego_similarity"],
        inputs["exo_similarity"],
        inputs["ego_bg_similarity"],
        inputs["exo_bg_similarity"],
        inputs.get("obj_ego_similarity"),
    )
    labels = torch.from_numpy(case["aff_label"]).long()
    loss = config.weight * prototype_contrast(
        inputs["ego_pred"], inputs["exo_pred"], maps, labels, config.temperature
    )
    loss.backward()
    images = case["exo_pred"].shape[0] // len(labels)
    yield from case.compare("num_exo", images)
    yield from case.compare("loss", loss)
    for gradient, name in _GRADIENTS.items():
        if gradient in case:
            golden = _without_exploded(case[gradient])
            ours = as_array(inputs[name].grad)
            yield Comparison(case.name, gradient, ours, golden, rtol=GRADIENT_RTOL)


def _without_exploded(gradient: Array) -> Array:
    """Blank the gradients of images whose prototype vanishes.

    The published code divides them by an epsilon of 1e-12 and trains on the result; here a
    prototype that vanishes has no gradient.
    """
    sizes = np.abs(gradient).reshape(len(gradient), -1).max(axis=1)
    exploded = (sizes > 1e5).reshape(-1, *(1,) * (gradient.ndim - 1))
    return np.where(exploded, np.nan, gradient)
