"""Ways to take a training step are compared with the published one, round by round."""

from __future__ import annotations

import pytest

from affordance_grounding_core.benchmark.measure import Timing
from affordance_grounding_core.benchmark.report import PUBLISHED, training_rows


def test_rows_compare_with_the_published_path() -> None:
    timings = {
        PUBLISHED: Timing((10.0, 20.0, 40.0)),
        "eager fp32": Timing((5.0, 10.0, 20.0)),
        "eager bf16": Timing((4.0, 8.0, 16.0)),
    }
    losses = {PUBLISHED: 2.0, "eager fp32": 2.0, "eager bf16": 1.9}
    published, eager, half = training_rows(timings, losses)
    assert (published.runtime, published.precision) == ("published-eager", "fp32")
    assert (published.ratio, published.max_error, published.gate) == (1.0, None, "reference")
    assert (eager.runtime, eager.precision, eager.gate) == ("eager", "fp32", "-")
    assert (eager.ratio, eager.median_ms, eager.max_error) == (0.5, 10.0, 0.0)
    assert (half.runtime, half.precision) == ("eager", "bf16")
    assert half.ratio == pytest.approx(0.4)
    assert half.max_error == pytest.approx(0.05)
    assert {row.work for row in (published, eager, half)} == {"training step"}
