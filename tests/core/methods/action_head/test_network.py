from __future__ import annotations

import pytest
import torch
from torch.nn import functional

from affordance_grounding_core.backbones.dinov2 import Dinov2
from affordance_grounding_core.methods.action_head.config import ActionHeadConfig
from affordance_grounding_core.methods.action_head.network import (
    MASK_CELLS,
    ActionHead,
    ActionHeadNetwork,
    enlarge,
    join_blocks,
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
