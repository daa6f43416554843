"""The soak in its short form: the real node as a process, and figures that say what happened."""

from __future__ import annotations

import json
import os
import time
from pathlib import Path

import pytest
from ros_support import NEEDS_WEIGHTS

from affordance_grounding_ros.client.grounder_client import NoAnswerError
from affordance_grounding_ros.measure import soak
from affordance_grounding_ros.measure.soak import SoakPlan, limits, table

FIGURES = {
    "seconds": 60.0,
    "goals": 12,
    "frames": {
        "received": 1800, "processed": 300, "dropped": 1400, "idle": 100, "failed": 0, "refused": 0
    },
    "latency_ms": {"p50": 200.0, "p95": 300.0, "max": 400.0},
    "inference_ms": {"p50": 180.0, "p95": 280.0, "max": 380.0},
    "overhead_ms": {"p50": 3.0, "p95": 9.0, "max": 20.0},
    "overhead_cpu_ms": {"p50": 2.0, "p95": 3.0, "max": 4.0},
    "memory": {"start_bytes": 10**9, "end_bytes": 1_005_000_000, "growth": 0.005},
    "cpu_idle": {"before": 0.004, "after": 0.003},
    "cpu_under_load": 0.9,
    "errors_in_log": 0,
}  # fmt: skip


@NEEDS_WEIGHTS
@pytest.mark.slow
def test_a_short_soak_of_the_default_model(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    output = tmp_path / "soak.json"
    soak.main(
        ["--duration", "8", "--warm-up", "3", "--idle", "2", "--goal-period", "2",
         "--inference-timeout", "0", "--engine-timeout", "0", "--output", str(output)]
    )  # fmt: skip
    figures = json.loads(output.read_text())
    frames = figures["frames"]
    assert frames["processed"] > 0
    assert frames["failed"] == frames["refused"] == figures["errors_in_log"] == 0
    assert frames["received"] > frames["processed"], "the camera is faster than the model"
    assert figures["results"] > 0
    assert figures["goals"] >= 4
    assert figures["latency_ms"]["p95"] >= figures["inference_ms"]["p50"] > 0.0
    memory = figures["memory"]
    assert memory["end_bytes"] == pytest.approx(memory["start_bytes"] * (1.0 + memory["growth"]))
    assert set(figures["cpu_idle"]) == {"before", "after"}
    assert figures["limits"]["no error"] is True
    assert "frames" in capsys.readouterr().out


class EngineThatIsBuilt:
    """A client whose grounder builds an engine for so many goals."""

    def __init__(self, goals: int) -> None:
        self.goals = goals

    @property
    def building(self) -> str:
        return "openvino-fp32" if self.goals > 0 else ""

    def next_goal(self) -> None:
        self.goals -= 1

    def spin(self, seconds: float) -> None:
        time.sleep(seconds)


def test_the_warm_up_goes_on_until_the_engine_answers() -> None:
    """Its memory is no growth: a first start would break the limit without any leak."""
    plan = SoakPlan(duration=1.0, warm_up=0.02, goal_period=0.01)
    said: list[str] = []
    client = EngineThatIsBuilt(goals=8)
    soak._warm_up(plan, client, os.getpid(), said.append)
    assert client.goals <= -2, "the engine itself was not warmed up"
    assert len(said) == 1
    assert "openvino-fp32" in said[0]


def test_an_engine_that_is_never_there_ends_the_soak() -> None:
    plan = SoakPlan(duration=1.0, warm_up=0.02, goal_period=0.01, engine_timeout=0.05)
    with pytest.raises(NoAnswerError, match="still being built"):
        soak._warm_up(plan, EngineThatIsBuilt(goals=10**6), os.getpid(), lambda line: None)


def test_limits_are_kept_or_broken_by_the_figures() -> None:
    assert all(limits(FIGURES).values())
    for name, worse in {
        "no error": {"errors_in_log": 1},
        "some frames were processed": {"frames": {**FIGURES["frames"], "processed": 0}},
        "memory growth < 1%": {"memory": {**FIGURES["memory"], "growth": 0.0101}},
        "idle CPU < 3% of a core": {"cpu_idle": {"before": 0.004, "after": 0.031}},
        "overhead per frame p95 <= 5 ms of processor time": {
            "overhead_cpu_ms": {"p50": 2.0, "p95": 5.1, "max": 6.0}
        },
    }.items():
        broken = [limit for limit, kept in limits({**FIGURES, **worse}).items() if not kept]
        assert broken == [name]


def test_the_table_shows_what_is_broken() -> None:
    figures = {**FIGURES, "limits": {"no error": True, "memory growth < 1%": False}}
    lines = table(figures).splitlines()
    assert any("1800 in, 300 processed, 1400 dropped" in line for line in lines)
    assert any("+0.50%" in line for line in lines)
    assert lines[-1].split(maxsplit=1) == ["BROKEN", "memory growth < 1%"]


def test_a_soak_without_time_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    assert soak.main(["--duration", "0"]) == 1
    assert "must be greater than zero" in capsys.readouterr().err
    with pytest.raises(ValueError, match="must be greater than zero"):
        SoakPlan(duration=1.0, rate=0.0)


def test_a_node_that_does_not_come_up_is_said(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    output = tmp_path / "soak.json"
    assert soak.main(["--model", "/no/such", "--output", str(output)]) == 1
    assert "soak failed: the grounder cannot start: cannot configure: model '/no/such'" in (
        capsys.readouterr().err
    )
    assert not output.exists()
