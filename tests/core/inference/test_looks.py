"""A second look is merged in the pixels of the image, and taken where it may change an answer."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest
from numpy.typing import NDArray

from affordance_grounding_core.actions.vocabulary import ActionVocabulary
from affordance_grounding_core.inference.grounder import Grounder, ModelInformation
from affordance_grounding_core.inference.looks import (
    larger,
    mean_of_turns,
    merge,
    parse_looks,
    to_look_at_again,
)
from affordance_grounding_core.inference.preprocess import Preprocess, PreprocessConfig
from affordance_grounding_core.inference.regions import RegionConfig
from affordance_grounding_core.inference.runtime import HeatRuntime, RuntimeReport
from affordance_grounding_core.loading import load_grounder

PEAKS = (0.9, 0.3, 0.05)
"""Heat of the first look at each action; the threshold is .2."""


class TwoSizes(HeatRuntime):
    """Even heat; half as much in the larger picture, and part masks where they are asked for."""

    description = "two sizes"

    def __init__(self, with_masks: bool = False) -> None:
        self.seen: list[tuple[int, int, tuple[int, ...]]] = []
        self.prepared: list[tuple[int, int]] = []
        self.with_masks = with_masks

    def run(self, pixels: NDArray[np.float32], actions: Sequence[int]) -> NDArray[np.float32]:
        height, width = pixels.shape[1:]
        self.seen.append((height, width, tuple(actions)))
        share = 1.0 if height * width <= 56 * 56 else 0.5
        heat = [np.full((4, 4), share * PEAKS[action], np.float32) for action in actions]
        masks = [np.full((4, 4), share, np.float32) for _ in actions] if self.with_masks else []
        return np.stack([*heat, *masks])

    def prepare(self, height: int, width: int, *, wait: bool = True) -> RuntimeReport | None:
        self.prepared.append((height, width))
        return None

    def close(self) -> None:
        pass


def grounder_of(runtime: HeatRuntime, looks: str) -> Grounder:
    grounder = Grounder(
        runtime,
        Preprocess(PreprocessConfig("squash", 56, 14)),
        ActionVocabulary(("hold", "hit", "pour"), {}),
        RegionConfig(threshold=0.2),
        ModelInformation("two sizes", "drawn", "0" * 64),
    )
    grounder.looks = parse_looks(looks)
    return grounder


IMAGE = np.zeros((30, 40, 3), np.uint8)


@pytest.mark.parametrize(
    ("looks", "heat", "again"),
    [
        ("1", [0.9, 0.3, 0.05], None),
        ("2", [0.675, 0.225, 0.0375], (0, 1, 2)),
        ("auto", [0.9, 0.225, 0.05], (1,)),
    ],
)
def test_the_mean_of_two_looks_answers_where_a_second_is_taken(
    looks: str, heat: list[float], again: tuple[int, ...] | None
) -> None:
    runtime = TwoSizes()
    found = grounder_of(runtime, looks).heatmaps(IMAGE, ["hold", "hit", "pour"])
    assert found.shape == (3, 30, 40)
    assert found[:, 3, 5].tolist() == pytest.approx(heat)
    second = [(84, 84, again)] if again else []
    assert runtime.seen == [(56, 56, (0, 1, 2)), *second]


def test_no_second_look_is_taken_where_nothing_is_near_the_threshold() -> None:
    runtime = TwoSizes()
    grounder_of(runtime, "auto").heatmaps(IMAGE, ["hold", "pour"])
    assert len(runtime.seen) == 1


def test_the_threshold_of_the_call_counts() -> None:
    runtime = TwoSizes()
    grounder_of(runtime, "auto").ground(IMAGE, "pour", threshold=0.05)
    assert len(runtime.seen) == 2


def test_heat_and_part_masks_of_two_looks_are_averaged() -> None:
    grounder = grounder_of(TwoSizes(with_masks=True), "auto")
    heat, masks = grounder._look(IMAGE, ["hit", "pour"], 0.2)
    assert masks is not None
    assert heat[:, 0, 0].tolist() == pytest.approx([0.225, 0.05])
    assert masks[:, 0, 0].tolist() == pytest.approx([0.75, 1.0])


def test_places_of_a_merge_are_those_of_the_actions() -> None:
    first = np.arange(8, dtype=np.float32).reshape(8, 1, 1)  # four actions, then their masks
    merge(first, np.full((4, 1, 1), 10, np.float32), [0, 2])
    assert first.ravel().tolist() == [5, 1, 6, 3, 7, 5, 8, 7]


def test_the_second_look_is_half_as_large_again() -> None:
    assert larger(Preprocess(PreprocessConfig("aspect", 224, 14))).config.size == 336
    assert larger(Preprocess(PreprocessConfig("squash", 42, 14))).config.size == 56
    assert to_look_at_again(np.ones((2, 1, 1), np.float32), 0.1, "2") == [0, 1]


def test_both_sizes_are_prepared_ahead() -> None:
    runtime = TwoSizes()
    grounder_of(runtime, "auto").warm_up()
    assert set(runtime.prepared) == {(56, 56), (84, 84)}
    alone = TwoSizes()
    grounder_of(alone, "1").warm_up()
    assert alone.prepared == [(56, 56)]


class Slanted(TwoSizes):
    """Heat that hangs on the picture and on where up is: brighter to the top and to the left."""

    def run(self, pixels: NDArray[np.float32], actions: Sequence[int]) -> NDArray[np.float32]:
        super().run(pixels, actions)
        rows, columns = pixels.shape[1] // 14, pixels.shape[2] // 14
        grey = pixels.mean(axis=0).reshape(rows, 14, columns, 14).mean(axis=(1, 3))
        slant = np.linspace(1.0, 0.2, rows)[:, None] * np.linspace(1.0, 0.6, columns)
        heat = 1.0 / (1.0 + np.exp(-grey)) * slant
        return np.stack([heat * PEAKS[action] for action in actions]).astype(np.float32)


def test_looks_at_all_turns_answer_alike_however_the_camera_is_mounted() -> None:
    image = np.random.default_rng(0).integers(0, 256, (60, 80, 3), np.uint8)
    runtime = Slanted()
    grounder = grounder_of(runtime, "turns")
    grounder.preprocess = Preprocess(PreprocessConfig("aspect", 56, 14))
    plain = grounder.heatmaps(image, ["hold", "hit"])
    assert [seen[:2] for seen in runtime.seen] == [(42, 70), (70, 42), (42, 70), (70, 42)]
    for quarters in (1, 2, 3):
        turned = np.ascontiguousarray(np.rot90(image, quarters))
        found = np.rot90(grounder.heatmaps(turned, ["hold", "hit"]), -quarters, (1, 2))
        np.testing.assert_allclose(found, plain, atol=1e-6)
    grounder.looks = "1"
    one_by_one = [
        np.rot90(grounder.heatmaps(np.rot90(image, turn), ["hold", "hit"]), -turn, (1, 2))
        for turn in range(4)
    ]
    alone = logits(np.array(one_by_one))
    mean, peaks = alone.mean(axis=0), alone.max(axis=(2, 3)).mean(axis=0)
    mean += (peaks - mean.max(axis=(1, 2)))[:, None, None]
    np.testing.assert_allclose(plain, 1.0 / (1.0 + np.exp(-mean)), atol=1e-6)
    assert np.ptp([one[0, 0, 0] for one in one_by_one]) > 0.1  # alone, turns answer differently


def test_part_masks_of_all_turns_are_averaged() -> None:
    grounder = grounder_of(TwoSizes(with_masks=True), "turns")
    heat, masks = grounder._look(IMAGE, ["hit", "pour"], 0.2)
    assert masks is not None
    assert heat[:, 0, 0].tolist() == pytest.approx([0.3, 0.05])
    assert masks[:, 0, 0].tolist() == pytest.approx([1.0, 1.0])


def test_the_offset_of_an_action_moves_no_peak_of_looks_at_all_turns() -> None:
    """One look is sure of the first place; the mean of values would choose it where heat is low."""
    looks = np.array([[0.3, 0.1], [0.02, 0.1], [0.02, 0.1], [0.02, 0.1]], np.float32)
    level = (logits(looks)[0, 0] + 3 * logits(looks)[0, 1]) / 4  # of the looks' own peaks
    for offset in (-4.0, 0.0, 4.0):
        first, *others = 1.0 / (1.0 + np.exp(-(logits(looks) + np.float32(offset))))
        mean = mean_of_turns(first.reshape(1, 1, 2), [one.reshape(1, 1, 2) for one in others], 1)
        assert mean.argmax() == 1
        assert mean.dtype == np.float32
        assert logits(mean).max() == pytest.approx(level + offset, abs=1e-4)
    sure = np.array([[[0.0, 1.0]]], np.float32)
    assert mean_of_turns(sure, [sure] * 3, 1).ravel().tolist() == pytest.approx([0, 1], abs=1e-6)


def logits(values: NDArray[np.float32]) -> NDArray[np.float32]:
    return np.asarray(np.log(values / (1.0 - values)), np.float32)


def test_both_orientations_are_prepared_ahead() -> None:
    runtime = TwoSizes()
    grounder = grounder_of(runtime, "turns")
    grounder.preprocess = Preprocess(PreprocessConfig("aspect", 224, 14))
    grounder.warm_up(480, 640)
    assert set(runtime.prepared) == {(196, 252), (252, 196)}


@pytest.mark.parametrize("looks", [0, 3, "two", ""])
def test_other_looks_are_refused(looks: str | int) -> None:
    with pytest.raises(ValueError, match="looks must be one of"):
        load_grounder("plsp-random", "eager", looks=looks)
