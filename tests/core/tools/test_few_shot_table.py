"""The few-shot table: means over pairs, then over seeds; shares of the wrong objects asked."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from affordance_grounding_core.errors import DatasetError
from affordance_grounding_core.evaluation.protocols import PROTOCOLS
from affordance_grounding_core.inference.preprocess import Preprocess, PreprocessConfig
from affordance_grounding_core.inference.regions import RegionConfig
from tools.studies import few_shot
from tools.studies.few_shot import as_markdown, summarise
from tools.studies.trials import Bench, TooFewExamplesError, Topic


def outcome(seed: int, klds: list[float], wrong_found: int, name: str | None) -> dict[str, Any]:
    right = [
        {
            "kld": kld,
            "sim": 0.5,
            "nss": 1.0,
            "found": kld < 1,
            "peak_on_part": None if kld > 3 else True,
        }
        for kld in klds
    ]
    return {
        "action": "hold", "object": name, "shots": 1, "seed": seed, "right": right,
        "wrong": 10, "wrong_found": wrong_found,
    }  # fmt: skip


def test_pairs_of_a_seed_count_alike_and_seeds_give_the_spread() -> None:
    figures = summarise([outcome(0, [0.5, 1.5], 1, "mug"), outcome(0, [4.0], 3, "pan"),
                         outcome(1, [1.0], 0, "mug")])  # fmt: skip
    assert figures["kld"] == (pytest.approx(1.5), pytest.approx(2**-0.5))
    assert figures["found"][0] == pytest.approx((1 / 3 + 0) / 2)
    assert figures["on_part"][0] == 1.0, "empty ground truths do not count"
    assert figures["wrong"][0] == pytest.approx((4 / 20 + 0) / 2)


def test_both_kinds_of_exemplars_have_their_rows() -> None:
    table = as_markdown([outcome(0, [0.5], 1, "mug"), outcome(0, [0.7], 1, None)])
    assert "| of the object | 1 | 0.500 ± 0.000 |" in table
    assert "| of all objects of the action | 1 | 0.700 ± 0.000 |" in table
    assert "| hold mug | 0.50 |" in table


def test_topics_with_too_few_examples_are_left_out_and_named(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def draw(topic: Topic, shots: int, seed: int, bench: Any) -> None:
        if topic.action == "pour" or (seed == 1 and topic.object_name == "pan"):
            raise TooFewExamplesError("too few")

    monkeypatch.setattr(few_shot, "draw_exemplars", draw)
    planned = [Topic("hold", "mug"), Topic("hold", "pan"), Topic("pour", None)]
    kept, left_out = few_shot._teachable(planned, 5, [0, 1], None)
    assert kept == planned[:1]
    assert left_out == ["hold pan", "pour"]
    with pytest.raises(DatasetError, match="no action of the training set has 5 parts"):
        few_shot._teachable(planned[1:], 5, [1], None)


def test_trials_of_another_threshold_or_input_are_others() -> None:
    def key(threshold: float, size: int) -> str:
        preprocess = Preprocess(PreprocessConfig("aspect", size, 14))
        cache: Any = SimpleNamespace(key=f"features at {size}")
        regions = RegionConfig(threshold=threshold)
        return Bench((), (), {}, cache, None, preprocess, regions, PROTOCOLS["locate"]).key

    assert key(0.3, 224) == key(0.3, 224)
    assert len({key(0.3, 224), key(0.1, 224), key(0.3, 448)}) == 3
