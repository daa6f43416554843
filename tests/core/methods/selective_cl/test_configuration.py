"""Options and features that cannot work are refused with the reason."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch

from affordance_grounding_core.methods.selective_cl.config import (
    ContrastConfig,
    DiscoveryConfig,
    ObjectiveConfig,
    SelectiveHeadConfig,
)
from affordance_grounding_core.methods.selective_cl.frozen_backbones import FrozenFeatures
from affordance_grounding_core.methods.selective_cl.network import SelectiveHead


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: SelectiveHeadConfig(actions=0), "actions .* at least 1, got 0"),
        (lambda: SelectiveHeadConfig(3, hidden=0), "hidden .* at least 1, got 0"),
        (lambda: DiscoveryConfig(clusters=0), "clusters must be at least 1"),
        (lambda: DiscoveryConfig(restarts=0), "restarts must be at least 1"),
        (lambda: DiscoveryConfig(alpha=-0.1), "alpha must not be negative"),
        (lambda: DiscoveryConfig(gamma1=1.0), "gamma1 must lie in"),
        (lambda: ContrastConfig(temperature=0.0), "must be positive, got temperature 0.0"),
        (lambda: ContrastConfig(contrast_weight=-1.0), "contrast_weight must not be negative"),
        (lambda: ContrastConfig(pixels="parts"), "one of none, object, part, got 'parts'"),  # type: ignore[arg-type]
        (lambda: ObjectiveConfig(exocentric_weight=-1.0), "exocentric_weight must not be"),
    ],
)
def test_an_option_that_cannot_work_is_refused(make: Callable[[], object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        make()


@pytest.mark.parametrize(
    ("descriptors", "attention", "tokens", "message"),
    [
        ((2, 6, 4), None, None, "N = 3 x 3 = 9 patches, got"),
        ((2, 9, 4), (2, 6, 10), None, r"class_attention must be \(2, heads, 9\)"),
        ((2, 9, 4), None, (1, 9, 8), r"clip_tokens must be \(2, 9, D\)"),
    ],
)
def test_features_of_different_grids_are_refused(
    descriptors: tuple[int, ...],
    attention: tuple[int, ...] | None,
    tokens: tuple[int, ...] | None,
    message: str,
) -> None:
    with pytest.raises(ValueError, match=message):
        FrozenFeatures(
            torch.zeros(descriptors),
            None if attention is None else torch.zeros(attention),
            None if tokens is None else torch.zeros(tokens),
            3,
            3,
        )


def test_features_change_their_type_together() -> None:
    features = FrozenFeatures(torch.zeros(1, 4, 2), torch.zeros(1, 3, 4), None, 2, 2)
    half = features.to("cpu", torch.float16)
    assert half.descriptors.dtype == torch.float16
    assert half.class_attention is not None
    assert half.class_attention.dtype == torch.float16
    assert half.clip_tokens is None


def test_the_head_scores_every_patch_of_any_grid() -> None:
    torch.manual_seed(0)
    plain, skipping = (
        SelectiveHead(SelectiveHeadConfig(5, 12, 16, skip=skip)).eval() for skip in (False, True)
    )
    descriptors = torch.randn(2, 12, 12)
    assert plain(descriptors, 3, 4).shape == (2, 5, 3, 4)
    skipping.load_state_dict(plain.state_dict())
    difference = skipping.project(descriptors, 3, 4) - plain.project(descriptors, 3, 4)
    torch.testing.assert_close(difference.flatten(2).transpose(1, 2), descriptors)


def test_parameters_have_the_published_names() -> None:
    modules = {name.split(".")[0] for name in SelectiveHead(SelectiveHeadConfig(2)).state_dict()}
    assert modules == {
        "aff_proj",
        "aff_ego_proj",
        "aff_exo_proj",
        "aff_classifier",
        "K_contrast_projection",
        "pixel_contrast_projection",
    }
