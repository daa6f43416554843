"""Affinity from texts and affinity from what stands out."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from scenes import COLUMNS, ROWS, grasped, scene, together, tool

from affordance_grounding_core.methods.selective_cl.affinity import exocentric_affinity
from affordance_grounding_core.methods.selective_cl.affinity_sources import (
    ClipAffinity,
    SaliencyAffinity,
)
from affordance_grounding_core.methods.selective_cl.frozen_backbones import FrozenFeatures

OBJECT = [(2, 2), (2, 3), (2, 4), (3, 4)]
"""Cells of the tool."""


def with_tokens(features: FrozenFeatures, seed: int) -> FrozenFeatures:
    generator = torch.Generator().manual_seed(seed)
    tokens = torch.randn(features.batch, ROWS * COLUMNS, 8, generator=generator)
    return replace(features, clip_tokens=tokens)


@pytest.fixture
def texts() -> torch.Tensor:
    return torch.randn(2, 3, 8, generator=torch.Generator().manual_seed(3))


def test_clip_affinity_reads_the_texts_of_the_labels(texts: torch.Tensor) -> None:
    egocentric = with_tokens(together(tool(), tool()), 1)
    exocentric = with_tokens(together(*(grasped(seed) for seed in range(6))), 2)
    labels = torch.tensor([2, 0])
    found = ClipAffinity(texts[0], texts[1]).affinities(egocentric, exocentric, labels)
    assert found.exocentric.shape == (2, 3, ROWS, COLUMNS)
    assert exocentric.clip_tokens is not None
    expected = exocentric_affinity(exocentric.clip_tokens, texts[0][labels], texts[1][labels], ROWS)
    torch.testing.assert_close(found.exocentric, expected)
    cells = [row * COLUMNS + column for row, column in OBJECT]
    assert torch.nonzero(found.object_mask[0]).flatten().tolist() == cells
    swapped = ClipAffinity(texts[0], texts[1]).affinities(egocentric, exocentric, labels.flip(0))
    assert not torch.allclose(swapped.egocentric, found.egocentric)


def test_clip_affinity_of_an_image_is_min_maxed_for_each_action(texts: torch.Tensor) -> None:
    provider = ClipAffinity(texts[0], texts[1])
    maps = provider.affinity(with_tokens(tool(), 1), torch.tensor([0, 2, 0]))
    assert maps.shape == (3, ROWS, COLUMNS)
    assert maps.amin(dim=(1, 2)).tolist() == [0, 0, 0]
    assert maps.amax(dim=(1, 2)).tolist() == [1, 1, 1]
    assert torch.equal(maps[0], maps[2])
    assert not torch.equal(maps[0], maps[1])


def test_clip_affinity_names_what_it_misses(texts: torch.Tensor) -> None:
    provider = ClipAffinity(texts[0], texts[1])
    with pytest.raises(ValueError, match="needs clip_tokens"):
        provider.affinity(tool(), torch.tensor([0]))
    blind = replace(with_tokens(tool(), 1), class_attention=None)
    with pytest.raises(ValueError, match="needs class_attention"):
        provider.affinities(blind, with_tokens(grasped(1), 2), torch.tensor([0]))
    with pytest.raises(ValueError, match=r"one shape \(actions, D\)"):
        ClipAffinity(texts[0], texts[1][:2])


@pytest.mark.parametrize("provider", [SaliencyAffinity(), SaliencyAffinity("attention")])
def test_the_object_stands_out(provider: SaliencyAffinity) -> None:
    exocentric = together(grasped(1), grasped(2))
    found = provider.affinities(tool(), exocentric, torch.tensor([0]))
    cells = [row * COLUMNS + column for row, column in OBJECT]
    assert torch.nonzero(found.object_mask[0]).flatten().tolist() == cells
    assert found.exocentric.shape == (1, 2, ROWS, COLUMNS)
    maps = provider.affinity(tool(), torch.tensor([0, 1]))
    assert maps.shape == (2, ROWS, COLUMNS)
    top = maps[0].flatten().topk(4).indices.tolist()
    assert sorted(top) == cells


def test_exocentric_images_are_hot_where_the_hand_meets_the_object() -> None:
    provider = SaliencyAffinity()
    used = provider.affinities(tool(), grasped(1), torch.tensor([0])).exocentric[0, 0]
    assert divmod(int(used.argmax()), COLUMNS) == (3, 2)  # the handle patch beside the hand
    assert used[2, 5] < 0.2 * used.max()  # the far end of the head
    whole = SaliencyAffinity(exocentric="saliency")
    salient = whole.affinities(tool(), grasped(1), torch.tensor([0])).exocentric[0, 0]
    assert salient[4, 1] > 0.5  # the hand itself stands out, too


@pytest.mark.parametrize("source", ["contrast", "attention"])
def test_an_image_of_nothing_has_no_object(source: str) -> None:
    flat = FrozenFeatures(
        torch.ones(2, ROWS * COLUMNS, 4),
        torch.full((2, 6, ROWS * COLUMNS), 0.1),
        None,
        ROWS,
        COLUMNS,
    )
    provider = SaliencyAffinity(source)  # type: ignore[arg-type]
    found = provider.affinities(flat, flat, torch.tensor([0, 1]))
    assert not found.object_mask.any()
    assert torch.isfinite(found.exocentric).all()
    assert torch.isfinite(provider.affinity(scene(), torch.tensor([0]))).all()


def test_an_unknown_source_is_refused() -> None:
    with pytest.raises(ValueError, match="source must be one of contrast, attention, got 'x'"):
        SaliencyAffinity("x")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="exocentric must be one of contact, saliency"):
        SaliencyAffinity(exocentric="x")  # type: ignore[arg-type]
