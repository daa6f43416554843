"""Complement alignment, snapping, and which pairs are refined."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from numpy.typing import NDArray

from affordance_grounding_core.errors import DatasetError
from affordance_grounding_core.labelling.part_names import load_part_names
from affordance_grounding_core.methods.plsp.refinement.alignment import (
    complement_loss,
    complement_weights,
    masked_mean,
    pad_to_square,
    visible_weights,
)
from affordance_grounding_core.methods.plsp.refinement.config import (
    RefinementConfig,
    SnapConfig,
)
from affordance_grounding_core.methods.plsp.refinement.mask_snapping import choose_proposals, snap
from affordance_grounding_core.methods.plsp.refinement.pairs import ambiguous_pairs, choose_pairs


def test_a_mask_over_the_hidden_part_is_the_best_one() -> None:
    body, part = torch.tensor([1.0, 0.0, 0.3]), torch.tensor([0.0, 1.0, 0.3])
    patches = torch.stack([body] * 8 + [part] * 8)[None]
    visible = body.reshape(1, 1, 3)
    masks = {
        "nothing": torch.zeros(16),
        "part": torch.cat([torch.zeros(8), torch.ones(8)]),
        "body": torch.cat([torch.ones(8), torch.zeros(8)]),
    }
    losses = {
        name: float(
            complement_loss(masked_mean(patches, 1 - mask[None]), visible, torch.ones(1, 1))
        )
        for name, mask in masks.items()
    }
    assert losses["part"] == pytest.approx(0, abs=1e-6)
    assert losses["part"] < losses["nothing"] < losses["body"]


def test_what_does_not_count_has_no_say() -> None:
    remaining = torch.randn(2, 5, requires_grad=True)
    visible = torch.randn(2, 3, 5)
    counted = torch.tensor([[1.0, 0.0, 0.0], [0.0, 0.0, 0.0]])
    loss = complement_loss(remaining, visible, counted)
    expected = 1 - torch.nn.functional.cosine_similarity(remaining[0], visible[0, 0], dim=0)
    assert float(loss) == pytest.approx(float(expected), abs=1e-6)
    nothing = complement_loss(remaining, visible, torch.zeros(2, 3))
    nothing.backward()
    assert float(nothing) == 0
    assert remaining.grad is not None
    assert torch.isfinite(remaining.grad).all()


def test_an_empty_mask_gives_zero_and_a_finite_gradient() -> None:
    features = torch.randn(1, 4, 3, requires_grad=True)
    mean = masked_mean(features, torch.zeros(1, 4))
    complement_loss(mean, torch.randn(1, 2, 3), torch.ones(1, 2)).backward()
    assert not mean.any()
    assert features.grad is not None
    assert torch.isfinite(features.grad).all()


def test_visible_patches_are_those_more_than_half_full() -> None:
    mask = torch.zeros(1, 8, 8)
    mask[0, :4, :3] = 1.0  # three quarters of one patch
    mask[0, 4:, :1] = 1.0  # a quarter of another
    assert visible_weights(mask, 2, 2).tolist() == [[1, 0, 0, 0]]
    thin = torch.zeros(1, 8, 8)
    thin[0, :, 3] = 1.0  # a quarter of two patches: nothing is half full, so shares count
    assert visible_weights(thin, 2, 2).tolist() == [[0.25, 0, 0.25, 0]]
    assert visible_weights(torch.zeros(1, 8, 8), 2, 2).sum() == 0


@settings(max_examples=40, deadline=None)
@given(
    left=st.integers(0, 30),
    top=st.integers(0, 30),
    width=st.integers(1, 30),
    height=st.integers(1, 30),
    seed=st.integers(0, 99),
)
def test_the_cropped_complement_is_aligned_with_the_cropped_picture(
    left: int, top: int, width: int, height: int, seed: int
) -> None:
    """Cutting, padding and pooling the mask is what happens to any picture of that crop."""
    mask = torch.rand(1, 64, 64, generator=torch.Generator().manual_seed(seed))
    box = (left, top, left + width, top + height)
    weights = complement_weights(mask, [box], 8, 8)[0].reshape(8, 8)
    crop = pad_to_square((1 - mask)[:, top : top + height, left : left + width])
    # The mass keeps its share of the square and its place.
    side = max(height, width)
    assert float(weights.mean()) == pytest.approx(float(crop.mean()), rel=0.35, abs=0.06)
    places = torch.linspace(0.5 / 8, 1 - 0.5 / 8, 8)
    fine = torch.linspace(0.5 / side, 1 - 0.5 / side, side)
    for axis in (0, 1):
        ours = (weights.sum(1 - axis) @ places) / weights.sum().clamp_min(1e-9)
        true = (crop[0].sum(1 - axis) @ fine) / crop.sum().clamp_min(1e-9)
        assert float(ours) == pytest.approx(float(true), abs=0.07)


def test_an_empty_box_leaves_no_weight() -> None:
    mask = torch.rand(2, 16, 16, requires_grad=True)
    weights = complement_weights(mask, [(3, 3, 3, 9), (0, 0, 16, 16)], 4, 4)
    assert weights.shape == (2, 16)
    assert not weights[0].any()
    weights.sum().backward()
    assert mask.grad is not None
    assert not mask.grad[0].any()
    assert mask.grad[1].all()


def boxes_mask(*boxes: tuple[int, int, int, int]) -> NDArray[np.bool_]:
    mask = np.zeros((20, 20), np.bool_)
    for left, top, right, bottom in boxes:
        mask[top:bottom, left:right] = True
    return mask


EVERYWHERE = np.ones((20, 20), np.bool_)


def test_a_mask_snaps_to_the_segments_it_covers() -> None:
    mask = boxes_mask((2, 2, 12, 8))
    inside, half, whole, elsewhere = (
        boxes_mask((3, 3, 9, 7)),
        boxes_mask((8, 2, 16, 8)),
        boxes_mask((0, 0, 20, 20)),
        boxes_mask((14, 14, 18, 18)),
    )
    proposals = np.stack([inside, half, whole, elsewhere])
    chosen = choose_proposals(mask, proposals, EVERYWHERE, SnapConfig())
    assert list(chosen) == [True, False, False, False]
    snapped = snap(mask, proposals, EVERYWHERE, SnapConfig())
    assert snapped is not None
    np.testing.assert_array_equal(snapped, inside)
    both = snap(mask, proposals, EVERYWHERE, SnapConfig(near_best=0.4))
    assert both is not None
    np.testing.assert_array_equal(both, inside | half)


def test_nothing_results_where_no_segment_fits() -> None:
    mask = boxes_mask((2, 2, 12, 8))
    for proposals in (
        boxes_mask((0, 0, 20, 20))[None],  # swallows it
        boxes_mask((11, 7, 20, 20))[None],  # barely touches it
        np.zeros((0, 20, 20), np.bool_),
        np.zeros((1, 20, 20), np.bool_),
    ):
        assert snap(mask, proposals, EVERYWHERE, SnapConfig()) is None
    assert snap(np.zeros((20, 20), np.bool_), mask[None], EVERYWHERE, SnapConfig()) is None


def test_the_very_segment_that_is_meant_stays_unless_it_is_the_object() -> None:
    mask = boxes_mask((2, 2, 12, 8))
    exact = mask[None]
    snapped = snap(mask, exact, EVERYWHERE, SnapConfig())
    assert snapped is not None
    np.testing.assert_array_equal(snapped, mask)
    assert snap(mask, exact, mask, SnapConfig()) is None, "a part is not the whole object"
    assert snap(mask, exact, EVERYWHERE, SnapConfig(published_quirks=True)) is None


@settings(max_examples=60, deadline=None)
@given(hnp.arrays(np.bool_, (6, 6)), hnp.arrays(np.bool_, (4, 6, 6)))
def test_chosen_segments_obey_the_published_rule(
    mask: NDArray[np.bool_], proposals: NDArray[np.bool_]
) -> None:
    config = SnapConfig(published_quirks=True)
    chosen = choose_proposals(mask, proposals, np.ones((6, 6), np.bool_), config)
    shares = []
    for proposal in proposals:
        shared = (proposal & mask).sum()
        swallowed = shared >= 0.9 * mask.sum()
        shares.append(0.0 if swallowed or not proposal.any() else shared / proposal.sum())
    for share, taken in zip(shares, chosen, strict=True):
        assert taken == (share > 0.1 and share >= 0.9 * max(shares))


def test_the_published_lists_are_part_of_the_data() -> None:
    known = set(load_part_names().entries)
    for split in ("Seen", "Unseen"):
        for action, name in ambiguous_pairs(split):
            assert action == "*" or (action, name) in known
    assert len(ambiguous_pairs("Seen")) == 17
    assert ("*", "suitcase") in ambiguous_pairs(None)


def test_pairs_are_chosen_from_the_data() -> None:
    present = {("hold", "suitcase"), ("open", "suitcase"), ("hold", "cup"), ("swing", "golf_clubs")}
    assert choose_pairs(present, "Seen") == {("hold", "suitcase")}
    assert choose_pairs(present, "Unseen") == {("hold", "suitcase"), ("open", "suitcase")}
    assert choose_pairs(present, "Seen", ["hold/cup"]) == {("hold", "cup")}
    assert choose_pairs(present, None, ["all"]) == present
    with pytest.raises(DatasetError, match=r"pairs \['hold/mug'\] are not in the data"):
        choose_pairs(present, "Seen", ["hold/mug"])
    with pytest.raises(DatasetError, match=r"name yours with --pair"):
        choose_pairs({("hold", "cup")}, "Seen")


def test_options_must_make_sense() -> None:
    with pytest.raises(ValueError, match="exocentric must be at least 1, got 0"):
        RefinementConfig(exocentric=0)
    with pytest.raises(ValueError, match="weight must be above 0"):
        RefinementConfig(weight=0.0)
    with pytest.raises(ValueError, match=r"probability must lie in \[0, 1\]"):
        SnapConfig(probability=1.5)
