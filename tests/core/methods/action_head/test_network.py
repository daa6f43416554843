from __future__ import annotations

import cv2
import numpy as np
import pytest
import torch
from torch.nn import functional

from affordance_grounding_core.backbones.dinov2 import Dinov2
from affordance_grounding_core.data.blur import blur_mask
from affordance_grounding_core.methods.action_head.config import LABEL_BLUR, ActionHeadConfig
from affordance_grounding_core.methods.action_head.network import (
    MASK_CELLS,
    ActionHead,
    ActionHeadNetwork,
    averaging_matrix,
    blur_matrix,
    enlarge,
    join_blocks,
    spread,
)


@pytest.fixture(scope="module")
def network() -> ActionHeadNetwork:
    torch.manual_seed(0)
    head = ActionHead(ActionHeadConfig(actions=5, blocks=(1, 2), width=16))
    return ActionHeadNetwork(Dinov2(), head).eval()


def test_heat_of_some_actions_is_that_of_all(network: ActionHeadNetwork) -> None:
    pixels = torch.randn(1, 3, 42, 56)
    with torch.inference_mode():
        every = network(pixels, torch.arange(5))
        some = network(pixels, torch.tensor([3, 0]))
    assert every.shape == (5, 3, 4)
    torch.testing.assert_close(some, every[[3, 0]])
    assert every.min() >= 0
    assert every.max() <= 1


def test_heat_lies_where_the_patches_lie(network: ActionHeadNetwork) -> None:
    """A change of one patch changes the heat there most: rows and columns are not mixed up."""
    tokens = torch.zeros(1, 1 + 5 * 7, 2 * 384)
    tokens[0, 1 + 3 * 7 + 2, ::2] = 10.0
    with torch.inference_mode():
        changed = network.head(tokens, 5, 7) - network.head(torch.zeros_like(tokens), 5, 7)
    row, column = divmod(int(changed.abs().mean(dim=(0, 1)).argmax()), 7)
    assert abs(row - 3) <= 1
    assert abs(column - 2) <= 1


def test_the_last_block_is_never_dropped() -> None:
    torch.manual_seed(0)
    config = ActionHeadConfig(
        actions=2, blocks=(1, 2, 3), feature_width=8, width=16, dropout=0.0, block_dropout=0.9
    )
    head = ActionHead(config).train()
    blanked = (head.draw_kept(64, torch.device("cpu")).reshape(64, 3, 8) == 0).all(dim=2)
    assert not blanked[:, 2].any()
    assert blanked[:, :2].any(dim=0).all()


def test_blanked_channels_are_not_looked_at_in_training_and_all_are_afterwards() -> None:
    torch.manual_seed(0)
    config = ActionHeadConfig(actions=2, blocks=(1, 2), feature_width=8, width=16)
    head = ActionHead(config)
    torch.nn.init.normal_(head.feature_norm.weight)
    torch.nn.init.normal_(head.feature_norm.bias)
    tokens = torch.randn(2, 1 + 4, 16)
    expected = head.eval()(tokens, 2, 2)
    head.train()
    kept = torch.ones(2, 1, 16)
    head.draw_kept = lambda samples, device: kept  # type: ignore[method-assign]
    torch.testing.assert_close(head(tokens, 2, 2), expected)
    kept[..., 8:] = 0.0
    without = head(tokens, 2, 2)
    head.feature_norm.weight.data[8:] = 5.0
    head.feature_norm.bias.data[8:] = 5.0
    torch.testing.assert_close(head(tokens, 2, 2), without)


def test_blocks_lie_side_by_side() -> None:
    first, second = torch.zeros(1, 2, 3), torch.ones(1, 2, 3)
    assert join_blocks([first, second])[0, 0].tolist() == [0, 0, 0, 1, 1, 1]


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        ({"actions": 0}, "at least one action"),
        ({"actions": 1, "blocks": ()}, "at least one backbone block"),
        ({"actions": 1, "width": 12}, "multiple of 8"),
        ({"actions": 1, "dropout": 1.0}, "dropout must"),
        ({"actions": 1, "attention": -1}, "attention must"),
        ({"actions": 1, "width": 48, "attention": 1}, "multiple of 32"),
        ({"actions": 1, "mask_width": 12}, "mask_width must"),
        ({"actions": 1, "width": 48, "context": 1}, "multiple of 32"),
        ({"actions": 1, "blur": -0.1}, "blur must"),
    ],
)
def test_impossible_sizes_are_refused(options: dict[str, object], reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        ActionHeadConfig(**options)  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def masking() -> ActionHeadNetwork:
    torch.manual_seed(0)
    config = ActionHeadConfig(actions=5, blocks=(1, 2), width=32, attention=1, mask_width=16)
    return ActionHeadNetwork(Dinov2(), ActionHead(config)).eval()


def test_masks_follow_the_heat_on_one_finer_grid(masking: ActionHeadNetwork) -> None:
    pixels = torch.randn(1, 3, 42, 56)
    with torch.inference_mode():
        every = masking(pixels, torch.arange(5))
        some = masking(pixels, torch.tensor([3, 0]))
        heat = torch.sigmoid(masking.raw_maps(pixels, torch.arange(5)))
    assert every.shape == (10, 21, 28)
    torch.testing.assert_close(some, every[[3, 0, 8, 5]])
    assert every.min() >= 0
    assert every.max() <= 1
    cells = every[:5].reshape(5, 3, 7, 4, 7)[:, :, 3, :, 3]  # middle cell of each patch
    torch.testing.assert_close(cells, heat)


def test_masks_lie_where_the_pixels_lie(masking: ActionHeadNetwork) -> None:
    """A change of a few pixels changes the mask there most."""
    described = torch.zeros(1, 32, 5, 7)
    pixels = torch.zeros(1, 3, 70, 98)
    changed = pixels.clone()
    changed[:, :, 40:44, 60:64] = 3.0
    assert masking.head.masks is not None
    with torch.inference_mode():
        difference = masking.head.masks(described, changed) - masking.head.masks(described, pixels)
    place = int(difference.abs().sum(dim=(0, 1)).argmax())
    row, column = divmod(place, 49)
    assert abs(row - 20.5) <= 2
    assert abs(column - 30.5) <= 2


def test_offsets_move_the_heat_of_their_action_alone(masking: ActionHeadNetwork) -> None:
    pixels = torch.randn(1, 3, 28, 28)
    with torch.inference_mode():
        before = masking(pixels, torch.arange(5))
        masking.head.heat_offsets[2] = 1.5
        after = masking(pixels, torch.arange(5))
        masking.head.heat_offsets.zero_()
    assert (after[2] > before[2]).all()
    others = [0, 1, 3, 4, 5, 6, 7, 8, 9]
    torch.testing.assert_close(after[others], before[others])


@pytest.mark.parametrize("shape", [(1, 1), (4, 5), (13, 20)])
def test_patches_are_enlarged_bilinearly(shape: tuple[int, int]) -> None:
    grid = torch.randn(2, 3, *shape, generator=torch.Generator().manual_seed(0))
    large = [MASK_CELLS * side for side in shape]
    expected = functional.interpolate(grid, large, mode="bilinear", align_corners=False)
    torch.testing.assert_close(enlarge(grid), expected)


def test_one_hot_patch_is_spread_as_agd20k_blurs_a_mask() -> None:
    """At two sizes of the grid the same blob, of the width that the label has."""
    for side in (16, 32):
        logits = torch.full((1, 1, side, side), -12.0)
        logits[..., side // 2, side // 2] = 3.0
        heat = torch.exp(spread(logits, LABEL_BLUR))[0, 0].numpy()
        mask = np.zeros((14 * side, 14 * side), np.uint8)
        middle = slice(14 * (side // 2), 14 * (side // 2 + 1))
        mask[middle, middle] = 1
        label = cv2.resize(blur_mask(mask), (side, side), interpolation=cv2.INTER_AREA)
        spreads = [
            float(values.sum(axis=0) @ (np.arange(side) - side // 2) ** 2)
            for values in (heat / heat.sum(), label / label.sum())
        ]
        # The patch of the label has a width of its own.
        assert np.sqrt(spreads[0] + 1 / 12) == pytest.approx(np.sqrt(spreads[1]), rel=0.1)


def test_a_small_hot_place_is_as_sure_as_a_large_one_can_be() -> None:
    logits = torch.full((1, 1, 16, 16), -8.0)
    logits[..., 8, 8] = 6.0
    assert torch.sigmoid(spread(logits, LABEL_BLUR)).max() > 0.95


def test_spreading_keeps_heat_in_the_picture() -> None:
    for side in (1, 5, 16):
        np.testing.assert_allclose(blur_matrix(side, 0.05).sum(axis=1), 1.0, rtol=1e-6)
    level = torch.full((1, 2, 5, 7), -1.5)
    torch.testing.assert_close(spread(level, 0.05), level)


@pytest.mark.parametrize("side", [1, 2, 5, 16, 19])
def test_patches_are_averaged_over_half_as_many_cells(side: int) -> None:
    matrix = averaging_matrix(side)
    assert matrix.shape == ((side + 1) // 2, side)
    np.testing.assert_allclose(matrix.sum(axis=1), 1.0, rtol=1e-6)
    cells = len(matrix)
    np.testing.assert_allclose(matrix.sum(axis=0), cells / side, rtol=1e-6)


def test_context_reaches_across_the_picture_and_begins_as_nothing() -> None:
    torch.manual_seed(0)
    config = ActionHeadConfig(actions=2, blocks=(1,), feature_width=8, width=32, context=1)
    head = ActionHead(config).eval()
    assert head.context is not None
    assert not head.context(torch.randn(1, 32, 9, 12)).any()
    torch.nn.init.normal_(head.context.blocks[0].attn.proj.weight)
    tokens = torch.randn(1, 1 + 9 * 12, 8)
    changed = tokens.clone()
    changed[:, -1, ::2] += 10.0
    with torch.inference_mode():
        difference = (head.describe(changed, 9, 12) - head.describe(tokens, 9, 12)).abs()
    assert difference[..., 0, 0].max() > 1e-5


def test_a_head_with_context_and_spread_heat_answers_in_one_type_at_16_bits() -> None:
    torch.manual_seed(0)
    config = ActionHeadConfig(
        actions=3, blocks=(1, 2), width=32, mask_width=16, context=1, blur=LABEL_BLUR
    )
    network = ActionHeadNetwork(Dinov2(), ActionHead(config)).eval()
    pixels = torch.randn(1, 3, 42, 56)
    with torch.inference_mode():
        plain = network(pixels, torch.arange(3))
        half = network.bfloat16()(pixels.bfloat16(), torch.arange(3))
    assert half.dtype == torch.bfloat16
    assert (half.float() - plain).abs().max() < 0.1
