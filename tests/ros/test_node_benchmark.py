"""What the node costs beside the model: a real node, a client, and rows that say so."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from ros_support import NEEDS_WEIGHTS

from affordance_grounding_core.benchmark.node import read_figures
from affordance_grounding_ros.measure import benchmark as node_benchmark
from affordance_grounding_ros.measure.benchmark import NodePlan, memory_growth, result_rows

FIGURES = {
    "runtime": "openvino-cpu-bf16",
    "total_ms": {"p50": 103.0, "p95": 110.0, "max": 120.0},
    "inference_ms": {"p50": 100.0, "p95": 106.0, "max": 115.0},
    "overhead_ms": {"p50": 3.0, "p95": 4.0, "max": 5.0},
    "overhead_cpu_ms": {"p50": 1.0, "p95": 1.5, "max": 2.0},
    "echo_ms": {"p50": 2.0, "p95": 2.5, "max": 3.0},
    "memory": {"growth_bytes": 2_000_000.0},
}


@NEEDS_WEIGHTS
@pytest.mark.slow
def test_a_node_is_measured_image_by_image(tmp_path: Path) -> None:
    output = tmp_path / "node.json"
    assert node_benchmark.main(
        ["--runtime", "eager", "--frames", "4", "--size", "320x240", "--output", str(output)]
    ) == 0  # fmt: skip
    content = json.loads(output.read_text())
    found = content["node"]["320x240"]
    assert found["runtime"] == "eager-cpu-fp32"
    assert (found["frames"], found["lost"]) == (4, 0)
    assert found["total_ms"]["p50"] > found["inference_ms"]["p50"] > found["overhead_ms"]["p50"] > 0
    assert found["total_ms"]["p50"] > found["echo_ms"]["p50"] > 0
    figures = read_figures(content)
    assert figures.rows[0].work == "node-320x240"
    assert figures.rows[0].median_ms == found["overhead_ms"]["p50"]


def test_rows_name_runtime_and_precision() -> None:
    overhead, processor, total, inference, echo = result_rows("640x480", FIGURES)
    assert (overhead["work"], overhead["runtime"], overhead["precision"]) == (
        "node-640x480",
        "openvino-cpu",
        "bf16",
    )
    assert (overhead["median_ms"], overhead["p95_ms"], overhead["memory_mb"]) == (3.0, 4.0, 2.0)
    assert processor["p95_ms"] == 1.5
    assert (total["work"], total["median_ms"]) == ("node-640x480 total", 103.0)
    assert (inference["p95_ms"], inference["memory_mb"]) == (106.0, None)
    assert (echo["work"], echo["median_ms"], echo["memory_mb"]) == ("node-640x480 echo", 2.0, None)


def test_growth_is_told_from_noise() -> None:
    steady = memory_growth([100, 101, 99, 100, 500, 100, 99, 101])
    assert abs(steady["growth_bytes"]) <= 1.0
    growing = memory_growth([1000 * step for step in range(9)])
    assert growing["growth_bytes_per_frame"] == pytest.approx(1000.0)


@pytest.mark.parametrize("arguments", [["--size", "640"], ["--size", "1x2x3"]])
def test_sizes_are_checked(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        node_benchmark.main(arguments)
    assert "expected WIDTHxHEIGHT such as 640x480" in capsys.readouterr().err


def test_a_plan_without_images_is_refused() -> None:
    with pytest.raises(ValueError, match="at least one image"):
        NodePlan(frames=0)
    with pytest.raises(ValueError, match="must be positive"):
        NodePlan(sizes=((0, 480),))


def test_a_node_that_does_not_come_up_is_said(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    output = tmp_path / "node.json"
    assert node_benchmark.main(["--model", "/no/such", "--output", str(output)]) == 1
    assert (
        "the grounder cannot start: cannot configure: model '/no/such'" in capsys.readouterr().err
    )
    assert not output.exists()
