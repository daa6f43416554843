"""The objective learns from what its switches say, finitely, and in any order of the batch."""

from __future__ import annotations

from dataclasses import replace
from typing import get_args

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from affordance_grounding_core.methods.selective_cl.affinity_sources import ClipAffinity
from affordance_grounding_core.methods.selective_cl.config import (
    ContrastConfig,
    ContrastLevel,
    DiscoveryConfig,
    ObjectiveConfig,
    SelectiveHeadConfig,
)
from affordance_grounding_core.methods.selective_cl.frozen_backbones import FrozenFeatures
from affordance_grounding_core.methods.selective_cl.network import SelectiveHead
from affordance_grounding_core.methods.selective_cl.objective import (
    SelectiveOutput,
    selective_objective,
)

BATCH, IMAGES, ROWS, COLUMNS, WIDTH, ACTIONS = 4, 3, 4, 5, 12, 3
LABELS = torch.tensor([0, 1, 0, 2])
PATCHES = ROWS * COLUMNS


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def features(seed: int, batch: int, value: float | None = None) -> FrozenFeatures:
    def draw(*shape: int) -> torch.Tensor:
        if value is not None:
            return torch.full(shape, value)
        return torch.randn(*shape, generator=seeded(seed))

    return FrozenFeatures(
        draw(batch, PATCHES, WIDTH),
        draw(batch, 6, PATCHES).softmax(dim=2),
        draw(batch, PATCHES, 8),
        ROWS,
        COLUMNS,
    )


def reordered(given: FrozenFeatures, order: list[int]) -> FrozenFeatures:
    assert given.class_attention is not None
    assert given.clip_tokens is not None
    return replace(
        given,
        descriptors=given.descriptors[order],
        class_attention=given.class_attention[order],
        clip_tokens=given.clip_tokens[order],
    )


@pytest.fixture
def head() -> SelectiveHead:
    torch.manual_seed(0)
    return SelectiveHead(SelectiveHeadConfig(ACTIONS, WIDTH, hidden=16))


def provider() -> ClipAffinity:
    texts = torch.randn(2, ACTIONS, 8, generator=seeded(5))
    return ClipAffinity(texts[0], texts[1])


def run(
    head: SelectiveHead,
    config: ObjectiveConfig | None = None,
    epoch: int = 1,
    egocentric: FrozenFeatures | None = None,
    exocentric: FrozenFeatures | None = None,
    labels: torch.Tensor = LABELS,
) -> SelectiveOutput:
    return selective_objective(
        head,
        egocentric or features(1, BATCH),
        exocentric or features(2, BATCH * IMAGES),
        labels,
        epoch,
        provider(),
        config or ObjectiveConfig(DiscoveryConfig(alpha=0.4)),
        seeded(),
    )


def test_the_total_is_the_sum_of_the_named_losses(head: SelectiveHead) -> None:
    output = run(head)
    assert set(output.losses) == {
        "egocentric_classification",
        "exocentric_classification",
        "prototype",
        "pixel",
    }
    torch.testing.assert_close(output.total, torch.stack(list(output.losses.values())).sum())
    assert output.egocentric_logits.shape == (BATCH, ACTIONS)
    assert output.exocentric_logits.shape == (BATCH, IMAGES, ACTIONS)
    assert all(value.ndim == 0 for value in output.diagnostics.values())
    output.total.backward()
    assert all(parameter.grad is not None for parameter in head.parameters())


@pytest.mark.parametrize("prototypes", get_args(ContrastLevel))
@pytest.mark.parametrize("pixels", get_args(ContrastLevel))
def test_each_level_of_contrast_can_be_chosen(
    head: SelectiveHead, prototypes: ContrastLevel, pixels: ContrastLevel
) -> None:
    contrast = ContrastConfig(prototypes=prototypes, pixels=pixels)
    output = run(head, ObjectiveConfig(DiscoveryConfig(alpha=0.0), contrast))
    assert ("prototype" in output.losses) == (prototypes != "none")
    assert ("pixel" in output.losses) == (pixels != "none")
    assert (output.discovery is not None) == (prototypes == "part")
    assert torch.isfinite(output.total)


def test_object_level_is_what_an_unreachable_alpha_leaves(head: SelectiveHead) -> None:
    objects = run(head, ObjectiveConfig(contrast=ContrastConfig(prototypes="object")))
    unreachable = run(head, ObjectiveConfig(DiscoveryConfig(alpha=9.0)))
    assert unreachable.discovery is not None
    assert not unreachable.discovery.found.any()
    torch.testing.assert_close(objects.losses["prototype"], unreachable.losses["prototype"])
    parts = run(head, ObjectiveConfig(DiscoveryConfig(alpha=0.0)))
    assert parts.discovery is not None
    assert parts.discovery.found.all()
    assert parts.losses["prototype"] != objects.losses["prototype"]


def test_the_contrast_weight_replaces_the_published_factor(head: SelectiveHead) -> None:
    published = run(head, ObjectiveConfig(contrast=ContrastConfig(temperature=0.5)))
    weighted = run(head, ObjectiveConfig(contrast=ContrastConfig(0.5, contrast_weight=1.0)))
    for name in ("prototype", "pixel"):
        ratio = float(published.losses[name].detach() / weighted.losses[name].detach())
        assert ratio == pytest.approx(0.5 / 0.07)


def test_class_maps_take_part_from_the_second_epoch_on(head: SelectiveHead) -> None:
    first, second = run(head, epoch=0), run(head, epoch=1)
    assert first.prototype_maps is not None
    assert second.prototype_maps is not None
    torch.testing.assert_close(
        first.prototype_maps.egocentric_background, 1 - first.prototype_maps.egocentric
    )
    assert not first.prototype_maps.egocentric_background.requires_grad
    assert second.prototype_maps.egocentric_background.requires_grad


def test_batch_statistics_move_once_a_step_and_twice_with_the_quirks(head: SelectiveHead) -> None:
    run(head)
    assert int(head.get_buffer("aff_ego_proj.1.num_batches_tracked")) == 1
    run(head, ObjectiveConfig(DiscoveryConfig(published_quirks=True)))
    assert int(head.get_buffer("aff_ego_proj.1.num_batches_tracked")) == 3


@given(st.permutations(range(BATCH)), st.integers(0, 1))
@settings(max_examples=6, deadline=None)
def test_the_order_of_the_batch_does_not_matter(order: list[int], epoch: int) -> None:
    torch.manual_seed(0)
    head = SelectiveHead(SelectiveHeadConfig(ACTIONS, WIDTH, hidden=16)).eval()
    before = run(head, epoch=epoch)
    exo_order = [b * IMAGES + e for b in order for e in range(IMAGES)]
    after = run(
        head,
        epoch=epoch,
        egocentric=reordered(features(1, BATCH), order),
        exocentric=reordered(features(2, BATCH * IMAGES), exo_order),
        labels=LABELS[order],
    )
    torch.testing.assert_close(after.total, before.total)
    torch.testing.assert_close(after.egocentric_logits, before.egocentric_logits[order])
    assert before.discovery is not None
    assert after.discovery is not None
    assert torch.equal(after.discovery.chosen, before.discovery.chosen[order])
    torch.testing.assert_close(after.discovery.egocentric, before.discovery.egocentric[order])


@pytest.mark.parametrize("value", [0.0, 1.0, -2.0])
@pytest.mark.parametrize("quirks", [False, True])
@pytest.mark.parametrize("epoch", [0, 3])
def test_images_without_contrast_give_finite_losses_and_gradients(
    head: SelectiveHead, value: float, quirks: bool, epoch: int
) -> None:
    output = run(
        head,
        ObjectiveConfig(DiscoveryConfig(published_quirks=quirks)),
        epoch,
        features(0, BATCH, value),
        features(0, BATCH * IMAGES, value),
    )
    output.total.backward()
    assert torch.isfinite(output.total)
    for parameter in head.parameters():
        assert parameter.grad is not None
        assert torch.isfinite(parameter.grad).all()


def test_mixed_precision_finds_the_same_parts(head: SelectiveHead) -> None:
    full = run(head, epoch=0)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        mixed = run(head, epoch=0)
    assert full.discovery is not None
    assert mixed.discovery is not None
    assert torch.equal(mixed.discovery.egocentric, full.discovery.egocentric)
    assert mixed.total.dtype == torch.float32
    torch.testing.assert_close(mixed.total, full.total, rtol=0.02, atol=0.0)


@pytest.mark.parametrize(
    ("labels", "images", "message"),
    [
        (LABELS[:3], BATCH * IMAGES, "4 labels"),
        (LABELS, BATCH * IMAGES - 1, "multiple of 4"),
        (LABELS, 0, "multiple of 4"),
    ],
)
def test_batches_that_do_not_fit_are_refused(
    head: SelectiveHead, labels: torch.Tensor, images: int, message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        run(head, exocentric=features(2, images), labels=labels)
