"""Affinity maps and masks: exact on examples, finite and zero where there is no contrast."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from affordance_grounding_core.methods.selective_cl.affinity import (
    exocentric_affinity,
    local_mean,
    min_max,
    pixel_foreground,
    saliency_mask,
    text_similarity,
    unit,
)


def random(seed: int, *shape: int) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


@given(st.integers(0, 2**31), st.floats(0.1, 100), st.floats(-50, 50))
@settings(max_examples=25, deadline=None)
def test_min_max_undoes_scale_and_offset(seed: int, scale: float, offset: float) -> None:
    maps = random(seed, 2, 3, 4, 5).double()
    scaled = min_max(scale * maps + offset)
    torch.testing.assert_close(scaled, min_max(maps))
    assert (scaled.amin(dim=(2, 3)) == 0).all()
    torch.testing.assert_close(scaled.amax(dim=(2, 3)), torch.ones(2, 3).double())


@pytest.mark.parametrize("value", [0.0, 0.3, -7.0])
def test_a_constant_map_becomes_zero(value: float) -> None:
    assert (min_max(torch.full((2, 4, 4), value)) == 0).all()
    assert (min_max(torch.full((2, 4, 4), value), epsilon=1e-10) == 0).all()


def test_unit_vectors_and_the_one_without_length() -> None:
    vectors = torch.tensor([[3.0, 4.0], [0.0, 0.0]], requires_grad=True)
    scaled = unit(vectors)
    torch.testing.assert_close(scaled, torch.tensor([[0.6, 0.8], [0.0, 0.0]]))
    scaled.sum().backward()
    assert vectors.grad is not None
    assert (vectors.grad[1] == 0).all()


@pytest.mark.parametrize(("rows", "columns"), [(1, 1), (1, 4), (5, 7)])
def test_the_local_mean_ends_at_the_border(rows: int, columns: int) -> None:
    maps = random(0, 2, 3, rows, columns)
    means = local_mean(maps)
    for row in range(rows):
        for column in range(columns):
            around = maps[..., max(0, row - 1) : row + 2, max(0, column - 1) : column + 2]
            torch.testing.assert_close(means[..., row, column], around.mean(dim=(-2, -1)))


def test_similarity_is_a_cosine_with_the_text_of_the_image() -> None:
    tokens = torch.tensor([[[2.0, 0.0], [1.0, 1.0]], [[0.0, 3.0], [0.0, -1.0]]])
    texts = torch.tensor([[5.0, 0.0], [0.0, 0.1]])
    expected = torch.tensor([[1.0, 0.5**0.5], [1.0, -1.0]])
    torch.testing.assert_close(text_similarity(tokens, texts), expected)


def test_exocentric_affinity_wants_the_item_beside_the_person() -> None:
    item, person, neither = torch.eye(3)
    # Row by row: person, item beside it, an item far away.
    tokens = torch.stack([person, item, neither, neither, neither, neither, neither, item])
    affinity = exocentric_affinity(tokens[None], item[None], person[None], rows=1)
    assert affinity.shape == (1, 1, 1, 8)
    assert affinity.flatten().tolist() == pytest.approx([0, 1 / 3, 0, 0, 0, 0, 0, 0])


def test_pixel_foreground_exceeds_the_weakest_of_the_exocentric_peaks() -> None:
    text = torch.tensor([[1.0, 0.0]])

    def at(*cosines: float) -> torch.Tensor:
        values = torch.tensor(cosines)
        return torch.stack([values, (1 - values**2).sqrt()], dim=1)[None]

    egocentric = at(0.2, 0.55, 0.7)
    exocentric = torch.cat([at(0.1, 0.9, 0.3), at(0.6, 0.2, 0.1)])
    assert pixel_foreground(egocentric, exocentric, text).tolist() == [[False, False, True]]
    assert not pixel_foreground(egocentric, exocentric[:1], text).any()


def test_saliency_is_the_vote_of_the_chosen_heads() -> None:
    left, right = torch.tensor([0.9, 0.1, 0.1, 0.1]), torch.tensor([0.1, 0.1, 0.1, 0.9])
    attention = torch.stack([left, left, right])[None]
    assert saliency_mask(attention, heads=[0, 1]).tolist() == [[True, False, False, False]]
    assert saliency_mask(attention, heads=[2]).tolist() == [[False, False, False, True]]
    assert saliency_mask(attention).tolist() == [[True, False, False, True]]


def test_attention_without_contrast_masks_nothing() -> None:
    assert not saliency_mask(torch.full((2, 6, 9), 0.1)).any()
