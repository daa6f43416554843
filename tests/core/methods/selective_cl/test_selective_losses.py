"""Contrastive losses: equal to a plain loop, finite on hostile input, free of the batch's order."""

from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from affordance_grounding_core.methods.selective_cl.losses import (
    PrototypeMaps,
    map_divergence,
    pixel_contrast,
    prototype,
    prototype_contrast,
)

SEEDS = st.integers(0, 2**31)
HOSTILE = st.sampled_from(["zero", "constant", "huge", "tiny", "negative", "random"])


def draw(kind: str, seed: int, *shape: int) -> torch.Tensor:
    values = torch.randn(*shape, generator=torch.Generator().manual_seed(seed))
    return {
        "zero": torch.zeros(shape),
        "constant": torch.ones(shape),
        "huge": 1e6 * values,
        "tiny": 1e-12 * values,
        "negative": -values.abs(),
        "random": values,
    }[kind]


def prototype_maps(kind: str, seed: int, batch: int, images: int) -> PrototypeMaps:
    ego = draw(kind, seed, batch, 3, 4).requires_grad_()
    exo = draw(kind, seed + 1, batch * images, 3, 4).requires_grad_()
    anchor = None if seed % 2 else draw(kind, seed + 2, batch, 3, 4)
    return PrototypeMaps(ego, exo, 1 - ego, 1 - exo, anchor)


def test_pixels_are_compared_within_their_image_only() -> None:
    features = torch.tensor([[1.0, 0.0], [1.0, 0.0], [0.0, 1.0]]).T.reshape(1, 2, 1, 3)
    groups = torch.tensor([[True, True, False]])
    anchors = torch.tensor([[True, False, False]])
    contrast = pixel_contrast(features, groups, anchors, temperature=0.5)
    # One positive at similarity 1, one negative at 0.
    expected = -math.log(math.exp(2) / (math.exp(2) + 1))
    assert contrast.loss.item() == pytest.approx(expected)
    assert contrast.positives.item() == pytest.approx(2 / 3)
    doubled = pixel_contrast(
        torch.cat([features, -features]), groups.repeat(2, 1), anchors.repeat(2, 1), 0.5
    )
    assert doubled.loss.item() == pytest.approx(expected)


@pytest.mark.parametrize(
    ("groups", "anchors"),
    [
        ([True, False, False], [True, False, False]),  # the only anchor has no partner
        ([True, True, True], [False, False, False]),  # nothing is learnt
    ],
)
def test_an_image_without_a_usable_anchor_counts_nothing(
    groups: list[bool], anchors: list[bool]
) -> None:
    features = draw("random", 0, 1, 2, 1, 3).requires_grad_()
    loss = pixel_contrast(features, torch.tensor([groups]), torch.tensor([anchors]), 0.5).loss
    loss.backward()
    assert loss.item() == 0
    assert features.grad is not None
    assert (features.grad == 0).all()


def test_a_prototype_is_the_weighted_mean_at_length_one() -> None:
    features = torch.tensor([[3.0, 0.0], [0.0, 4.0]]).reshape(1, 2, 1, 2)
    weights = torch.tensor([[[1.0, 1.0]]])
    torch.testing.assert_close(prototype(features, weights), torch.tensor([[0.6, 0.8]]))
    torch.testing.assert_close(prototype(features, 0 * weights), torch.zeros(1, 2))


def test_prototypes_meet_a_plain_loop() -> None:
    batch, images = 4, 2
    labels = torch.tensor([1, 0, 1, 2])
    ego, exo = draw("random", 1, batch, 5, 3, 4), draw("random", 2, batch * images, 5, 3, 4)
    maps = prototype_maps("random", 2, batch, images)
    assert maps.anchor is not None
    anchors = prototype(ego, maps.anchor)
    parts, backgrounds = prototype(ego, maps.egocentric), prototype(ego, maps.egocentric_background)
    exo_parts = prototype(exo, maps.exocentric)
    exo_backgrounds = prototype(exo, maps.exocentric_background)
    parts, backgrounds = parts.detach(), backgrounds.detach()
    exo_parts, exo_backgrounds = exo_parts.detach(), exo_backgrounds.detach()
    total = 0.0
    for i in range(batch):
        same = [j for j in range(batch) if labels[j] == labels[i]]
        same_exo = [j * images + e for j in same for e in range(images)]
        positives = [parts[j] for j in same if j != i] + [exo_parts[j] for j in same_exo]
        compared = [parts[j] for j in range(batch) if j != i] + list(exo_parts)
        compared += [backgrounds[j] for j in same] + [exo_backgrounds[j] for j in same_exo]
        partition = sum(math.exp(float(anchors[i] @ other) / 0.5) for other in compared)
        attraction = sum(float(anchors[i] @ other) / 0.5 for other in positives) / len(positives)
        total += (math.log(partition) - attraction) / batch
    ours = prototype_contrast(ego, exo, maps, labels, 0.5)
    assert ours.item() == pytest.approx(total, rel=1e-5)


@given(HOSTILE, HOSTILE, SEEDS, st.integers(1, 3), st.integers(1, 3))
@settings(max_examples=30, deadline=None)
def test_prototype_loss_and_gradients_stay_finite(
    features: str, maps: str, seed: int, batch: int, images: int
) -> None:
    ego = draw(features, seed, batch, 4, 3, 4).requires_grad_()
    exo = draw(features, seed + 9, batch * images, 4, 3, 4).requires_grad_()
    places = prototype_maps(maps, seed, batch, images)
    labels = torch.arange(batch) % 2
    loss = prototype_contrast(ego, exo, places, labels, 0.5)
    loss.backward()
    assert torch.isfinite(loss)
    for tensor in (ego, exo, places.egocentric, places.exocentric):
        assert tensor.grad is not None
        assert torch.isfinite(tensor.grad).all()


@given(HOSTILE, SEEDS, st.integers(1, 3), st.sampled_from([(1, 1), (2, 3), (4, 4)]))
@settings(max_examples=30, deadline=None)
def test_pixel_loss_and_gradients_stay_finite(
    kind: str, seed: int, batch: int, grid: tuple[int, int]
) -> None:
    features = draw(kind, seed, batch, 4, *grid).requires_grad_()
    groups = draw("random", seed + 1, batch, grid[0] * grid[1]) > 0.5
    anchors = draw("random", seed + 2, batch, grid[0] * grid[1]) > 0
    loss = pixel_contrast(features, groups, anchors, 0.07).loss
    loss.backward()
    assert torch.isfinite(loss)
    assert loss >= 0
    assert features.grad is not None
    assert torch.isfinite(features.grad).all()


@given(SEEDS, st.permutations(range(4)))
@settings(max_examples=20, deadline=None)
def test_the_order_of_the_batch_does_not_matter(seed: int, order: list[int]) -> None:
    images = 3
    labels = torch.tensor([0, 1, 0, 1])
    ego, exo = draw("random", seed, 4, 5, 3, 4), draw("random", seed + 1, 4 * images, 5, 3, 4)
    maps = prototype_maps("random", 2 * (seed // 2), 4, images)
    exo_order = [b * images + e for b in order for e in range(images)]
    assert maps.anchor is not None
    moved = PrototypeMaps(
        maps.egocentric[order],
        maps.exocentric[exo_order],
        maps.egocentric_background[order],
        maps.exocentric_background[exo_order],
        maps.anchor[order],
    )
    before = prototype_contrast(ego, exo, maps, labels, 0.5)
    after = prototype_contrast(ego[order], exo[exo_order], moved, labels[order], 0.5)
    torch.testing.assert_close(after, before)
    groups, anchors = torch.rand(4, 12) > 0.5, torch.rand(4, 12) > 0.5
    torch.testing.assert_close(
        pixel_contrast(ego[order], groups[order], anchors[order], 0.5).loss,
        pixel_contrast(ego, groups, anchors, 0.5).loss,
    )


def test_a_map_like_its_label_diverges_less_than_any_other() -> None:
    label = torch.tensor([[[0.0, 0.2, 1.0], [0.0, 0.1, 0.4]]])
    known = torch.tensor([True])
    alike = map_divergence(label, label, known).item()
    even = map_divergence(torch.zeros(1, 2, 3), label, known).item()
    opposite = map_divergence(-label, label, known).item()
    assert 0 <= alike < 0.05 < even < opposite


@settings(max_examples=30, deadline=None)
@given(seed=SEEDS, kind=HOSTILE, scale=st.floats(0.01, 100), level=st.floats(-50, 50))
def test_neither_scale_nor_level_of_a_map_counts(
    seed: int, kind: str, scale: float, level: float
) -> None:
    maps = draw(kind, seed, 3, 3, 4).double().requires_grad_()
    labels = draw("random", seed + 1, 3, 3, 4).abs().double()
    known = torch.tensor([True, False, True])
    loss = map_divergence(maps, labels, known)
    loss.backward()
    assert torch.isfinite(loss)
    assert maps.grad is not None
    assert torch.isfinite(maps.grad).all()
    assert not maps.grad[1].any()
    if kind == "random":
        torch.testing.assert_close(map_divergence(scale * maps + level, labels, known), loss)


def test_without_a_known_label_no_map_is_pulled_at() -> None:
    maps = torch.randn(2, 3, 3, requires_grad=True)
    loss = map_divergence(maps, torch.zeros(2, 3, 3), torch.tensor([False, False]))
    assert loss.item() == 0.0
