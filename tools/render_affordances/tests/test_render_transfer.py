"""The transfer finds the part that hands touch, and says what it knows nothing of."""

from __future__ import annotations

import numpy as np
import pytest

from affordance_grounding_core.methods.action_head.weak.config import WeakLabelConfig
from render_affordances.gate.transfer import Bank, learn_transfer

SIDE, WIDTH = 12, 24
BODY, HANDLE, TABLE, HAND, OTHER, THING = 3 * np.eye(WIDTH)[:6]


def _picture(random: np.random.Generator, body: np.ndarray, hand: bool) -> np.ndarray:
    """A bar in the middle, its handle to the right, maybe a hand right of that."""
    grid = np.tile(TABLE, (SIDE, SIDE, 1))
    row = random.integers(2, 6)
    grid[row : row + 2, 2:6] = body + THING
    grid[row : row + 2, 6:8] = body + HANDLE + THING
    if hand:
        grid[row - 1 : row + 3, 8:11] = HAND + THING
    return np.asarray(grid + random.normal(0, 0.5, grid.shape), np.float32)


@pytest.fixture
def bank() -> Bank:
    random, bank = np.random.default_rng(0), Bank()
    for _ in range(8):
        bank.add_egocentric("mug", _picture(random, BODY, hand=False))
        bank.add_egocentric("jug", _picture(random, OTHER, hand=False))
        bank.add_exocentric("mug", "hold", _picture(random, BODY, hand=True))
        bank.add_exocentric("jug", "hold", _picture(random, OTHER, hand=True))
    return bank


@pytest.mark.parametrize(("name", "body"), [("mug", BODY), ("jug", OTHER)])
def test_heat_is_on_the_part_that_hands_touch(bank: Bank, name: str, body: np.ndarray) -> None:
    transfer = learn_transfer(bank, WeakLabelConfig())
    picture = _picture(np.random.default_rng(9), body, hand=False)
    handle = (picture @ HANDLE / 9) > 0.5
    heat = transfer.heat(picture, name, "hold")
    whole = transfer.object_heat(picture)
    assert heat.shape == (SIDE, SIDE)
    assert heat.min() >= 0
    assert heat.max() <= 1
    assert heat[handle].mean() > 3 * heat[~handle & (whole > 0.5)].mean()
    assert heat[handle].mean() > 10 * heat[whole < 0.5].mean()


def test_pictures_without_anything_new_teach_nothing(bank: Bank) -> None:
    bank.exocentric.clear()
    bank.add_exocentric("mug", "hold", bank.egocentric["mug"][0])
    assert not learn_transfer(bank, WeakLabelConfig()).knows("hold")


def test_actions_that_nobody_was_seen_at_are_not_known(bank: Bank) -> None:
    transfer = learn_transfer(bank, WeakLabelConfig())
    assert transfer.knows("hold")
    assert transfer.knows("pour"), "a tool's part is known from where the tool is held"
    assert not transfer.knows("open")


def test_a_class_without_egocentric_pictures_is_left_out(bank: Bank) -> None:
    picture = _picture(np.random.default_rng(3), BODY, hand=True)
    bank.add_exocentric("unheard_of", "wave", picture)
    transfer = learn_transfer(bank, WeakLabelConfig())
    assert transfer.names == ("jug", "mug")
    assert not transfer.knows("wave")


def test_a_bank_without_exocentric_pictures_is_refused(bank: Bank) -> None:
    bank.exocentric.clear()
    with pytest.raises(ValueError, match="needs exocentric pictures"):
        learn_transfer(bank, WeakLabelConfig())
