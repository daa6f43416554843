"""Timing in turns: every piece of work runs every round, and ratios are taken within rounds."""

from __future__ import annotations

from collections import Counter

import pytest
import torch

from affordance_grounding_core.benchmark.machine import Machine, Rates
from affordance_grounding_core.benchmark.measure import (
    Timing,
    measure_in_turns,
    ratios,
)


def test_work_runs_in_turns_after_the_warm_up() -> None:
    calls: list[str] = []
    works = {name: (lambda name=name: calls.append(name)) for name in ("ours", "published")}
    timings = measure_in_turns(works, 3, warm_up=2)
    assert calls == ["ours"] * 2 + ["published"] * 2 + ["ours", "published"] * 3
    assert {name: len(timing.milliseconds) for name, timing in timings.items()} == Counter(
        ours=3, published=3
    )
    assert all(value >= 0 for timing in timings.values() for value in timing.milliseconds)


def test_something_may_come_before_every_round() -> None:
    calls: list[str] = []
    measure_in_turns(
        {"ours": lambda: calls.append("ours")},
        2,
        warm_up=1,
        before_round=lambda: calls.append("rate"),
    )
    assert calls == ["ours", "rate", "ours", "rate", "ours"]


def test_ratio_is_taken_within_each_round() -> None:
    timings = {
        "published": Timing((10.0, 1000.0, 20.0)),  # a slow spell in the second round
        "ours": Timing((2.0, 200.0, 4.0)),
    }
    assert ratios(timings, "published") == pytest.approx({"published": 1.0, "ours": 0.2})


def test_median_and_p95() -> None:
    timing = Timing(tuple(float(value) for value in range(101)))
    assert timing.median == 50
    assert timing.p95 == pytest.approx(95)


@pytest.mark.parametrize(("works", "rounds", "warm_up"), [({}, 1, 0), ({"a": int}, 0, 0)])
def test_nothing_to_measure_is_refused(works: dict[str, type], rounds: int, warm_up: int) -> None:
    with pytest.raises(ValueError, match="at least one piece of work"):
        measure_in_turns(works, rounds, warm_up=warm_up)


def test_the_best_rate_of_all_rounds_counts() -> None:
    rates = Rates()
    rates.measure()
    first = rates.machine()
    assert first.cores >= 1
    assert {"fp32"} <= first.gflops.keys() <= {"fp32", "bf16", "int8"}
    assert min(first.gflops.values()) > 0
    rates.measure()
    later = rates.machine().gflops
    assert later.keys() == first.gflops.keys()
    assert all(later[name] >= rate for name, rate in first.gflops.items())


def test_a_kind_of_number_the_processor_has_no_instructions_for_is_left_out(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    mm = torch.mm

    def one_after_the_other(left: torch.Tensor, right: torch.Tensor, out: torch.Tensor) -> None:
        for _ in range(60 if left.dtype == torch.bfloat16 else 1):
            mm(left.float(), right.float())
        assert left.dtype != torch.bfloat16 or len(left) <= 256, "takes minutes"

    def no_layout(weight: torch.Tensor, rows: int) -> None:
        raise RuntimeError("not on this processor")

    monkeypatch.setattr(torch, "mm", one_after_the_other)
    monkeypatch.setattr(torch.ops.mkldnn, "_reorder_linear_weight", no_layout)
    rates = Rates()
    rates.measure()
    assert "fp32" in rates.machine().gflops
    assert "bf16" not in rates.machine().gflops


def test_a_rate_gives_a_roofline() -> None:
    known = Machine(2, 2, "cpu", {"fp32": 100.0, "bf16": 200.0})
    assert known.roofline_milliseconds(35e9, "fp32") == pytest.approx(350.0)
    assert known.roofline_milliseconds(35e9, "bf16") == pytest.approx(175.0)
    assert known.roofline_milliseconds(35e9, "int8") is None
