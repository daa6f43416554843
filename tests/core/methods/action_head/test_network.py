from __future__ import annotations

import pytest
import torch

from affordance_grounding_core.backbones.dinov2 import Dinov2
from affordance_grounding_core.methods.action_head.config import ActionHeadConfig
from affordance_grounding_core.methods.action_head.network import (
    ActionHead,
    ActionHeadNetwork,
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
    seen: list[torch.Tensor] = []
    head.patch_projection.register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0]))
    head(torch.randn(64, 1 + 4, 3 * 8), 2, 2)
    blanked = (seen[0].reshape(64, 4, 3, 8) == 0).all(dim=3).all(dim=1)
    assert not blanked[:, 2].any()
    assert blanked[:, :2].any(dim=0).all()
    head.eval()(torch.randn(64, 1 + 4, 3 * 8), 2, 2)
    assert not (seen[1] == 0).all(dim=1).any()


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
    ],
)
def test_impossible_sizes_are_refused(options: dict[str, object], reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        ActionHeadConfig(**options)  # type: ignore[arg-type]
