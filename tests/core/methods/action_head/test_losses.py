from __future__ import annotations

import pytest
import torch

from affordance_grounding_core.methods.action_head.config import LossConfig
from affordance_grounding_core.methods.action_head.losses import head_loss, mask_loss
from affordance_grounding_core.methods.action_head.scenes import MASK_FULL, MASK_UNKNOWN

LABEL = torch.zeros(1, 2, 4, 4)
LABEL[0, 0, 1, 2] = 0.5
PRESENT, ABSENT = torch.tensor([[True, False]]), torch.tensor([[False, True]])


def logits(there: float, elsewhere: float, absent: float) -> torch.Tensor:
    values = torch.full((1, 2, 4, 4), float(elsewhere))
    values[0, 0, 1, 2] = there
    values[0, 1] = absent
    return values


def test_right_answer_costs_almost_nothing() -> None:
    loss = head_loss(logits(15, -15, -15), LABEL, PRESENT, ABSENT, LossConfig())
    assert loss.total.item() < 1e-3


@pytest.mark.parametrize(
    ("values", "term"),
    [
        (logits(-15, 15, -15), "distribution"),
        (logits(-5, -15, -15), "level"),
        (logits(15, -15, 5), "absence"),
    ],
)
def test_each_term_sees_its_own_mistake(values: torch.Tensor, term: str) -> None:
    loss = head_loss(values, LABEL, PRESENT, ABSENT, LossConfig())
    assert getattr(loss, term).item() > 0.2


def test_distribution_term_is_the_divergence_of_normalised_heat() -> None:
    generator = torch.Generator().manual_seed(0)
    values = torch.randn(3, 2, 4, 4, generator=generator)
    labels = torch.rand(3, 2, 4, 4, generator=generator)
    everywhere = torch.ones(3, 2, dtype=torch.bool)
    heat = torch.sigmoid(values)
    p = labels / labels.sum((2, 3), keepdim=True)
    q = heat / heat.sum((2, 3), keepdim=True)
    expected = torch.distributions.kl_divergence(
        torch.distributions.Categorical(p.flatten(2)), torch.distributions.Categorical(q.flatten(2))
    ).mean()
    loss = head_loss(values, labels, everywhere, ~everywhere, LossConfig())
    torch.testing.assert_close(loss.distribution, expected, rtol=1e-4, atol=1e-5)


def test_batch_without_labels_is_finite_and_zero() -> None:
    nothing = torch.zeros(1, 2, dtype=torch.bool)
    values = torch.randn(1, 2, 4, 4, requires_grad=True)
    loss = head_loss(values, LABEL, nothing, nothing, LossConfig())
    loss.total.backward()
    assert loss.total.item() == 0
    assert values.grad is not None
    assert not values.grad.any()


def test_negative_weights_are_refused() -> None:
    with pytest.raises(ValueError, match="must not be negative"):
        LossConfig(level=-1)


def test_the_mask_loss_is_least_for_the_part_itself() -> None:
    masks = torch.zeros(1, 1, 8, 8, dtype=torch.uint8)
    masks[..., 2:5, 2:5] = MASK_FULL
    present = torch.ones(1, 1, dtype=torch.bool)
    right = torch.where(masks > 0, 5.0, -5.0)
    wide = right.clone()
    wide[..., 1:6, 1:6] = 5.0
    losses = [float(mask_loss(logits, masks, present)) for logits in (right, wide, -right)]
    assert losses == sorted(losses)
    assert losses[0] < 0.1


def test_unknown_cells_teach_nothing() -> None:
    masks = torch.zeros(1, 1, 8, 8, dtype=torch.uint8)
    masks[..., 2:5, 2:5] = MASK_UNKNOWN
    logits = torch.full((1, 1, 8, 8), -3.0, requires_grad=True)
    mask_loss(logits, masks, torch.ones(1, 1, dtype=torch.bool)).backward()
    assert logits.grad is not None
    assert not logits.grad[..., 2:5, 2:5].any()
    assert logits.grad[..., 5:, 5:].all()


def test_nothing_known_is_no_loss() -> None:
    masks = torch.full((1, 2, 4, 4), MASK_UNKNOWN, dtype=torch.uint8)
    assert float(mask_loss(torch.randn(1, 2, 4, 4), masks, torch.zeros(1, 2).bool())) == 0.0
