"""The transfer finds the part beside which only exocentric pictures show something new."""

from __future__ import annotations

import numpy as np
import pytest

from tools.render_affordances.transfer import Bank, TransferConfig, learn_actions

SIDE, WIDTH = 10, 24
BODY, HANDLE, TABLE, HAND, OTHER = np.eye(WIDTH)[:5]


def _picture(random: np.random.Generator, body: np.ndarray, hand: bool) -> np.ndarray:
    """Body in the middle, its handle to the right, maybe a hand right of that."""
    grid = np.tile(TABLE, (SIDE, SIDE, 1))
    grid[3:8, 2:5] = body
    grid[4:7, 5:7] = HANDLE if body is BODY else body
    if hand:
        grid[3:8, 7:9] = HAND
    grid = grid + random.normal(0, 0.03, grid.shape)
    return np.asarray(grid / np.linalg.norm(grid, axis=-1, keepdims=True), np.float32)


@pytest.fixture
def bank() -> Bank:
    random, bank = np.random.default_rng(0), Bank()
    for _ in range(6):
        bank.add_egocentric("mug", _picture(random, BODY, hand=False))
        bank.add_egocentric("box", _picture(random, OTHER, hand=False))
        bank.add_exocentric("mug", "hold", _picture(random, BODY, hand=True))
    return bank


def test_heat_is_on_the_part_that_hands_touch(bank: Bank) -> None:
    model = learn_actions(bank, TransferConfig())["hold"]
    heat = model.heat(_picture(np.random.default_rng(9), BODY, hand=False))
    assert heat.shape == (SIDE, SIDE)
    assert heat.min() >= 0
    assert heat.max() <= 1
    assert heat[4:7, 5:7].mean() > 3 * heat[3:8, 2:5].mean()
    assert heat[4:7, 5:7].mean() > 3 * heat[0:2].mean()


def test_pictures_without_anything_new_teach_nothing() -> None:
    random, bank = np.random.default_rng(0), Bank()
    for _ in range(6):
        bank.add_egocentric("mug", _picture(random, BODY, hand=False))
        bank.add_egocentric("box", _picture(random, OTHER, hand=False))
    bank.add_exocentric("mug", "hold", bank.egocentric["mug"][0])
    assert learn_actions(bank, TransferConfig()) == {}


def test_a_class_without_egocentric_pictures_is_left_out(bank: Bank) -> None:
    picture = _picture(np.random.default_rng(3), BODY, hand=True)
    bank.add_exocentric("unheard_of", "wave", picture)
    assert "wave" not in learn_actions(bank, TransferConfig())


@pytest.mark.parametrize("options", [{"novelty": 1.0}, {"ridge": 0.0}, {"stored": 0}])
def test_settings_without_meaning_are_refused(options: dict[str, float]) -> None:
    with pytest.raises(ValueError, match="must be"):
        TransferConfig(**options)  # type: ignore[arg-type]
