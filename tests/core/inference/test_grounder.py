from __future__ import annotations

import numpy as np
import pytest

from affordance_grounding_core.errors import InvalidImageError, UnknownActionError
from affordance_grounding_core.inference.grounder import Grounder
from affordance_grounding_core.inference.runtime import HeatRuntime

IMAGE = np.zeros((20, 30, 3), np.uint8)


def test_no_action_is_refused(colour_grounder: Grounder) -> None:
    with pytest.raises(ValueError, match="at least one action"):
        colour_grounder.heatmaps(IMAGE, [])


def test_several_actions_are_the_single_ones_stacked(colour_grounder: Grounder) -> None:
    image = np.random.default_rng(0).integers(0, 256, (40, 50, 3), np.uint8)
    together = colour_grounder.heatmaps(image, ["hit", "grasp"])
    np.testing.assert_array_equal(together[0], colour_grounder.ground(image, "hit").heatmap)
    np.testing.assert_array_equal(together[1], colour_grounder.ground(image, "hold").heatmap)


@pytest.mark.parametrize(
    "image",
    [
        np.zeros((20, 30), np.uint8),
        np.zeros((20, 30, 4), np.uint8),
        np.zeros((20, 30, 3), np.float32),
        np.zeros((0, 30, 3), np.uint8),
        [[[0, 0, 0]]],
    ],
)
def test_what_is_no_image_is_refused(colour_grounder: Grounder, image: object) -> None:
    with pytest.raises(InvalidImageError, match="image must"):
        colour_grounder.ground(image, "hold")  # type: ignore[arg-type]


@pytest.mark.parametrize("threshold", [0.0, 1.1, float("nan")])
def test_impossible_threshold_is_refused(colour_grounder: Grounder, threshold: float) -> None:
    with pytest.raises(ValueError, match="threshold must lie in"):
        colour_grounder.ground(IMAGE, "hold", threshold=threshold)


def test_unknown_action_is_refused_before_any_work(colour_grounder: Grounder) -> None:
    with pytest.raises(UnknownActionError):
        colour_grounder.ground(IMAGE, "juggle")


def test_heat_that_is_not_finite_never_gets_out(
    colour_grounder: Grounder, monkeypatch: pytest.MonkeyPatch
) -> None:
    broken = np.full((1, 4, 4), np.nan, np.float32)
    monkeypatch.setattr(colour_grounder._runtime, "run", lambda *_: broken)
    with pytest.raises(RuntimeError, match="not finite"):
        colour_grounder.ground(IMAGE, "hold")


def test_several_results_take_one_run_of_the_network(
    colour_grounder: Grounder, colour_runtime: HeatRuntime
) -> None:
    image = np.random.default_rng(0).integers(0, 256, (40, 50, 3), np.uint8)
    runs = colour_runtime.runs  # type: ignore[attr-defined]
    results = colour_grounder.ground_several(image, ["hit", "grasp"], threshold=0.4)
    assert colour_runtime.runs == runs + 1  # type: ignore[attr-defined]
    assert [result.action for result in results] == ["hit", "hold"]
    for result in results:
        single = colour_grounder.ground(image, result.action, threshold=0.4)
        np.testing.assert_array_equal(result.heatmap, single.heatmap)
        np.testing.assert_array_equal(result.mask, single.mask)
        assert (result.regions, result.score) == (single.regions, single.score)
