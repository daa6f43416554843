"""Part labels without masks, on patches drawn by hand: objects are bars that a hand holds."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.ndimage import distance_transform_edt

from affordance_grounding_core.errors import DatasetError
from affordance_grounding_core.methods.action_head.weak.config import WeakLabelConfig
from affordance_grounding_core.methods.action_head.weak.foreground import learn_foreground
from affordance_grounding_core.methods.action_head.weak.gaussians import Metric
from affordance_grounding_core.methods.action_head.weak.hands import part_hands
from affordance_grounding_core.methods.action_head.weak.labels import PartLabeller, learn_labels
from affordance_grounding_core.methods.action_head.weak.pictures import Pictures, distances

SIDE, WIDTH, CLASSES = 12, 32, 3
BACKGROUND, HANDLE, HEAD, HAND = range(4)
CONFIG = WeakLabelConfig()


@dataclass(frozen=True)
class Drawn:
    """A picture: (N, WIDTH) patches and what each of them is."""

    patches: torch.Tensor
    kinds: torch.Tensor


def draw(number: int, random: np.random.Generator, hand: bool) -> Drawn:
    """A bar of 8 x 2 patches, half handle and half head, its handle held or not.

    Every class has a look of its own, which all of the bar shows; handles of all classes share
    what a handle looks like, and all that is no background shares that.
    """
    looks = np.random.default_rng(0).normal(size=(4 + CLASSES, WIDTH)) * 3
    looks[HANDLE : HAND + 1] -= 2 * looks[BACKGROUND]
    kinds = np.full((SIDE, SIDE), BACKGROUND)
    row, column = random.integers(2, 8), 2
    kinds[row : row + 2, column : column + 4] = HANDLE
    kinds[row : row + 2, column + 4 : column + 8] = HEAD
    if hand:
        kinds[row + 1 : row + 4, column : column + 3] = HAND
    if random.random() < 0.5:
        kinds = kinds[:, ::-1]
    if random.random() < 0.5:
        kinds = kinds.T
    of_bar = ((kinds == HANDLE) | (kinds == HEAD))[..., None]
    patches = looks[kinds] + of_bar * looks[4 + number] + random.normal(size=looks[kinds].shape)
    return Drawn(
        torch.tensor(patches.reshape(-1, WIDTH), dtype=torch.float32),
        torch.tensor(kinds.flatten().copy()),
    )


def drawn_set(hand: bool, seed: int) -> tuple[list[Drawn], list[int]]:
    random = np.random.default_rng(seed)
    numbers = [number for number in range(CLASSES) for _ in range(8)]
    return [draw(number, random, hand) for number in numbers], numbers


def stacked(pictures: list[Drawn]) -> torch.Tensor:
    return torch.stack([picture.patches for picture in pictures])


@pytest.fixture(scope="module")
def labeller() -> PartLabeller:
    ego, ego_numbers = drawn_set(hand=False, seed=1)
    exo, exo_numbers = drawn_set(hand=True, seed=2)
    return learn_labels(
        (stacked(ego), ego_numbers), (stacked(exo), exo_numbers, ["hold"] * len(exo)), CONFIG
    )


@pytest.mark.parametrize("number", range(CLASSES))
def test_what_is_held_is_the_handle_and_what_hits_is_the_head(
    labeller: PartLabeller, number: int
) -> None:
    """No mask says so: the hand is at the handle, and a tool works away from the hand."""
    picture = draw(number, np.random.default_rng(100 + number), hand=False)
    labels = labeller.label(picture.patches, number, ["hold", "hit"])
    for action, part, other in (("hold", HANDLE, HEAD), ("hit", HEAD, HANDLE)):
        label = labels[action]
        assert label.min() >= 0
        assert label.max() <= 1
        assert label[picture.kinds == part].sum() > 0.7 * label.sum()
        assert label[picture.kinds == part].mean() > 3 * label[picture.kinds == other].mean()


def test_an_action_that_no_picture_shows_is_spread_over_the_object(labeller: PartLabeller) -> None:
    picture = draw(0, np.random.default_rng(7), hand=False)
    label = labeller.label(picture.patches, 0, ["open"])["open"]
    bar = picture.kinds != BACKGROUND
    assert label[bar].sum() > 0.9 * label.sum()
    assert label[picture.kinds == HANDLE].sum() == pytest.approx(
        float(label[picture.kinds == HEAD].sum()), rel=0.2
    )


def test_objects_are_told_from_background_in_new_pictures() -> None:
    pictures, _ = drawn_set(hand=False, seed=1)
    foreground = learn_foreground(stacked(pictures), SIDE, CONFIG.shrinkage)
    fresh, _ = drawn_set(hand=False, seed=9)
    found = foreground(stacked(fresh)) > 0
    true = torch.stack([picture.kinds != BACKGROUND for picture in fresh])
    assert (found == true).float().mean() > 0.97


def test_hands_are_what_pictures_of_all_classes_share() -> None:
    batches = []
    for hand in (False, True):
        pictures, numbers = drawn_set(hand, seed=3)
        kinds = torch.stack([picture.kinds for picture in pictures])
        foreground = torch.where(kinds != BACKGROUND, 1.0, -1.0)
        batches.append(
            Pictures(stacked(pictures), foreground, torch.tensor(numbers), ("",) * len(numbers))
        )
    parting = part_hands(batches[0], batches[1], CLASSES, CONFIG)
    assert (parting.hand == (kinds == HAND)).float().mean() > 0.98
    assert (parting.thing == ((kinds == HANDLE) | (kinds == HEAD))).float().mean() > 0.98


@settings(deadline=None, max_examples=30)
@given(st.integers(2, 9), st.integers(0, 2**32 - 1))
def test_distances_are_those_of_the_euclidean_transform(side: int, seed: int) -> None:
    mask = np.random.default_rng(seed).random((side, side)) < 0.3
    found = distances(torch.from_numpy(mask.flatten())[None], side)[0]
    if mask.any():
        expected = distance_transform_edt(~mask).flatten()
        np.testing.assert_allclose(found.numpy(), expected, atol=1e-4)
    else:
        assert bool(found.isinf().all())


def test_fit_is_the_log_likelihood_up_to_what_groups_share() -> None:
    generator = torch.Generator().manual_seed(0)
    group = torch.randn(400, 3, generator=generator) * torch.tensor([1.0, 2.0, 0.5])
    metric = Metric.of([group], shrinkage=0.05)
    means = torch.randn(2, 3, generator=generator)
    patches = torch.randn(5, 3, generator=generator)
    squares = [((patches - mean) @ metric.inverse * (patches - mean)).sum(1) for mean in means]
    expected = 0.5 * (squares[1] - squares[0])
    fit = metric.fit(patches, means)
    torch.testing.assert_close(fit[:, 0] - fit[:, 1], expected, rtol=1e-3, atol=1e-3)


def test_pictures_of_nothing_say_so() -> None:
    blank = torch.zeros(3, SIDE * SIDE, WIDTH)
    with pytest.raises(DatasetError, match="nothing stands out"):
        learn_labels((blank, [0, 0, 0]), (blank, [0, 0, 0], ["hold"] * 3), CONFIG)


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        ({"egocentric_pictures": 0}, "at least 1"),
        ({"reach": 3.0, "away": 2.0}, "reach < away"),
        ({"avoidance": -1.0}, "must not be negative"),
        ({"sharpness": 0.0}, "above 0"),
    ],
)
def test_senseless_options_are_refused(options: dict[str, float], reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        WeakLabelConfig(**options)  # type: ignore[arg-type]
