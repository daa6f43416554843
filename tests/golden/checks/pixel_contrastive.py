"""Pixel contrastive loss of SelectiveCL, with its foreground and its gradient."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import torch

from affordance_grounding_core.methods.selective_cl.affinity import pixel_foreground
from affordance_grounding_core.methods.selective_cl.config import ContrastConfig
from affordance_grounding_core.methods.selective_cl.losses import pixel_contrast
from checks.comparison import GRADIENT_RTOL, Array, Case, Comparison, cases_with


def matches(arrays: Mapping[str, Array], stem: str) -> bool:
    """Holds pixel features with a weight map."""
    return bool(cases_with(arrays, "contfeat_ego", "weight_map"))


def checks(arrays: Mapping[str, Array], stem: str) -> Iterator[Comparison]:
    """Compare the loss, what it counts and its gradient."""
    for case in cases_with(arrays, "contfeat_ego", "weight_map"):
        yield from _check(case)


def _check(case: Case) -> Iterator[Comparison]:
    features = torch.from_numpy(case["contfeat_ego"]).requires_grad_()
    objects = torch.from_numpy(case["weight_map"]).flatten(1)
    foreground = pixel_foreground(
        *(
            torch.from_numpy(case[name])
            for name in ("ego_image_features", "exo_image_features", "text_features")
        )
    )
    config = ContrastConfig(case.number("temperature", 0.5), case.number("base_temperature", 0.07))
    groups = torch.where(foreground.any(1, keepdim=True), foreground.to(objects.dtype), objects)
    contrast = pixel_contrast(features, groups, objects > 0.5, config.temperature)
    loss = config.weight * contrast.loss
    loss.backward()
    images = case["exo_image_features"].shape[0] // len(features)
    yield from case.compare("num_exo", images)
    yield from case.compare("loss", loss)
    yield from case.compare("pos_num", contrast.positives)
    yield from case.compare("fg_count", foreground.sum(1))
    yield from case.compare("grad_contfeat_ego", features.grad, rtol=GRADIENT_RTOL)
