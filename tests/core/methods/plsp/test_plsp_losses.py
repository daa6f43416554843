"""Every term of the loss of WSAG-PLSP."""

from __future__ import annotations

import pytest
import torch

from affordance_grounding_core.methods.plsp.config import PlspLossConfig
from affordance_grounding_core.methods.plsp.losses import (
    alignment_loss,
    distribution_loss,
    exocentric_tokens,
    text_loss,
    weighted_loss,
)


def label(batch: int, side: int) -> torch.Tensor:
    values = torch.rand(batch, 1, side, side)
    return values / values.sum((1, 2, 3), keepdim=True)


def test_heat_that_is_the_label_costs_nothing() -> None:
    truth = label(2, 6)
    assert float(distribution_loss(truth.log() + 3.0, truth)) == pytest.approx(0.0, abs=1e-6)
    assert float(distribution_loss(torch.randn(2, 1, 6, 6), truth)) > 0.05


def test_labels_with_empty_places_are_finite() -> None:
    truth = torch.zeros(1, 1, 4, 4)
    truth[0, 0, 1, 2] = 1.0
    logits = torch.randn(1, 1, 4, 4, requires_grad=True)
    loss = distribution_loss(logits, truth)
    loss.backward()
    expected = -torch.log_softmax(logits.flatten(), 0)[6]
    assert loss.item() == pytest.approx(expected.item(), rel=1e-5)
    assert torch.isfinite(logits.grad).all()


def test_left_out_samples_do_not_count() -> None:
    truth, logits = label(3, 4), torch.randn(3, 1, 4, 4)
    some = distribution_loss(logits, truth, torch.tensor([1.0, 0.0, 1.0]))
    each = [float(distribution_loss(logits[i : i + 1], truth[i : i + 1])) for i in (0, 2)]
    assert float(some) == pytest.approx(sum(each) / 2, rel=1e-5)
    assert float(distribution_loss(logits, truth, torch.zeros(3))) == 0.0


def test_coarse_heat_is_compared_at_the_size_of_the_label() -> None:
    even = torch.zeros(2, 1, 3, 3)
    assert float(distribution_loss(even, torch.full((2, 1, 12, 12), 1 / 144))) == pytest.approx(
        0.0, abs=1e-6
    )


def test_objects_are_sums_over_their_box() -> None:
    tokens = torch.arange(2 * 5 * 3, dtype=torch.float32).reshape(2, 5, 3)
    masks = torch.tensor([[1.0, 0, 0, 1], [0, 0, 0, 1]])
    found = exocentric_tokens(tokens, masks)
    torch.testing.assert_close(found[0], tokens[0, 1] + tokens[0, 4])
    torch.testing.assert_close(found[1], tokens[1, 4])


def test_alignment_forgives_the_margin_and_spares_the_object() -> None:
    affordance = torch.tensor([[[1.0, 0.0]], [[0.0, 2.0]]], requires_grad=True)
    objects = torch.tensor([[3.0, 0.0], [0.0, 1.0], [0.1, 3.0], [-1.0, 0.0]], requires_grad=True)
    costs = alignment_loss(affordance, objects, margin=0.1)
    torch.testing.assert_close(costs, torch.tensor([0.0, 0.9, 0.0, 0.9]))
    costs.sum().backward()
    assert objects.grad is None
    assert affordance.grad is not None


def test_texts_are_compared_each_with_its_own_unless_published() -> None:
    predicted = torch.eye(3)[:, None]
    assert float(text_loss(predicted, torch.eye(3))) == pytest.approx(0.0, abs=1e-6)
    assert float(text_loss(predicted, torch.eye(3)[:, None], True)) == pytest.approx(0, abs=1e-6)
    assert float(text_loss(predicted, torch.eye(3), published_quirks=True)) == pytest.approx(2 / 3)


def test_terms_are_weighted_and_may_be_missing() -> None:
    one = torch.tensor(1.0)
    config = PlspLossConfig()
    whole = weighted_loss(one, torch.ones(4), one, one, one, config)
    assert float(whole.total) == pytest.approx(1 + 10 + 10 + 1 + 0.1)
    alone = weighted_loss(one, None, None, one, one, config)
    assert float(alone.total) == pytest.approx(2.1)
    assert float(alone.alignment) == float(alone.exocentric) == 0.0
