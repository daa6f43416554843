"""The figures on /diagnostics, and the windows they are made of."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import pytest
from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus
from hypothesis import given
from hypothesis import strategies as st
from ros_support import BrightnessRuntime, Scene, make_grounder

from affordance_grounding_core.inference.runtime import GateFigures, RuntimeReport
from affordance_grounding_ros.common import qos
from affordance_grounding_ros.health.diagnostics import (
    diagnostic_status,
    engine_values,
    precision_of,
)
from affordance_grounding_ros.health.figures import FrameFigures, Percentiles, Window
from affordance_grounding_ros.health.state import NodeStatus
from affordance_grounding_ros.measure.soak import read_figures
from affordance_grounding_ros.node.goals import ActiveGoal, goal_status


@given(st.lists(st.floats(-1e6, 1e6), max_size=40), st.integers(1, 16))
def test_a_window_describes_its_last_values(values: list[float], size: int) -> None:
    window = Window(size)
    for value in values:
        window.add(value)
        window.add(math.nan)
    if not values:
        assert math.isnan(window.percentiles.p50)
        return
    kept = values[-size:]
    p50, p95 = np.percentile(kept, (50, 95))
    assert window.percentiles == Percentiles(p50, p95, max(kept))
    window.clear()
    assert math.isnan(window.percentiles.maximum)


def test_rates_count_since_the_last_call() -> None:
    now = [100.0]
    figures = FrameFigures(lambda: now[0])
    figures.counter.add(received=60, processed=10)
    now[0] += 2.0
    assert figures.rates() == (30.0, 5.0)
    assert figures.rates() == (0.0, 0.0)
    now[0] += 1.0
    assert figures.rates() == (0.0, 0.0)


Lines = Callable[[], list[tuple[str, str]]]


def values_of(status: DiagnosticStatus) -> dict[str, str]:
    return {pair.key: pair.value for pair in status.values}


HOLD = goal_status(ActiveGoal("hold", ("hold",)))


@pytest.mark.parametrize(
    ("status", "level"),
    [
        (NodeStatus(state="active", goal=HOLD), DiagnosticStatus.OK),
        (NodeStatus(state="active"), DiagnosticStatus.OK),
        (NodeStatus(state="inactive"), DiagnosticStatus.STALE),
        (NodeStatus(state="unconfigured"), DiagnosticStatus.STALE),
        (NodeStatus(state="unconfigured", problem="cannot configure"), DiagnosticStatus.ERROR),
        (NodeStatus(state="active", warning="no image"), DiagnosticStatus.WARN),
    ],
)
def test_the_level_says_how_it_stands(status: NodeStatus, level: bytes) -> None:
    made = diagnostic_status("grounder", status, FrameFigures(), {})
    assert made.level == level
    assert made.message == status.summary


def test_durations_are_in_milliseconds_and_empty_without_images() -> None:
    figures = FrameFigures()
    empty = values_of(diagnostic_status("grounder", NodeStatus(), figures, {}))
    assert empty["inference_p50_ms"] == empty["latency_p95_ms"] == ""
    for _ in range(3):
        figures.inference.add(0.25)
        figures.latency.add(0.5)
    full = values_of(diagnostic_status("grounder", NodeStatus(), figures, {}))
    assert full["inference_p50_ms"] == full["inference_p95_ms"] == "250.00"
    assert full["latency_p50_ms"] == full["latency_max_ms"] == "500.00"


def test_the_gate_of_a_runtime_is_told() -> None:
    runtime = BrightnessRuntime()
    grounder = make_grounder(runtime)
    assert engine_values(None) == dict.fromkeys(engine_values(grounder), "")
    assert engine_values(grounder)["gate"] == "not run"
    figures = GateFigures(16, 128, True, 0.9998, 0.9999, 0.01, 0.99, 0.4, 40)

    class Prepared(BrightnessRuntime):
        report = RuntimeReport(
            "onnx-cpu-int8", "onnx-int8", True, figures, "f" * 64, None, ("tensorrt: no GPU",)
        )

    values = engine_values(make_grounder(Prepared()))
    assert values["gate"] == str(figures)
    assert values["engine"] == "f" * 64
    assert values["runtime_asked"] == "onnx-int8"
    assert values["runtime_rejected"] == "tensorrt: no GPU"
    assert values["runtime_building"] == ""


def test_an_engine_that_is_built_is_told() -> None:
    line = "openvino-bf16 for 196 x 252 px: converting 500 operators"

    class Building(BrightnessRuntime):
        report = RuntimeReport(
            "eager-cpu-fp32", "openvino-bf16", False, None, "", None, (), building=line
        )

    assert engine_values(make_grounder(Building()))["runtime_building"] == line


def test_a_runtime_that_is_not_the_one_asked_for_is_said(scene: Scene, log: Lines) -> None:
    class Fallen(BrightnessRuntime):
        report = RuntimeReport(
            "eager-cpu-fp32", "onnx-int8", True, None, "", None, ("onnx-int8: mask IoU 0.4",)
        )

    scene.start(loader=lambda model, runtime, input_size: make_grounder(Fallen()))
    warnings = [text for level, text in log() if level == "warn" and "asked for" in text]
    assert warnings == [
        "asked for runtime 'onnx-int8', 'eager-cpu-fp32' answers: onnx-int8: mask IoU 0.4"
    ]


def test_the_precision_is_the_end_of_the_runtime() -> None:
    assert precision_of("eager-cpu-fp32") == "fp32"
    assert precision_of("") == ""


def test_diagnostics_come_every_second_with_everything(scene: Scene) -> None:
    received: list[DiagnosticArray] = []
    client = scene.client
    client.node.create_subscription(
        DiagnosticArray, "/diagnostics", received.append, qos.diagnostics()
    )
    scene.start(action="hold")
    for _ in range(3):
        client.next_result()

    def figures() -> dict[str, str]:
        values = values_of(received[-1].status[0]) if received else {}
        return values if values.get("inference_p50_ms") else {}

    values = client.wait(figures, "figures of the images", client.show)
    (status,) = received[-1].status
    assert status.name == "grounder: affordance grounding"
    assert status.level == DiagnosticStatus.OK
    assert status.message == "grounding 'hold'"
    assert received[-1].header.stamp.sec > 0
    assert values["runtime"] == "brightness-cpu-fp32"
    assert values["precision"] == "fp32"
    assert values["gate"] == "not run"
    assert values["fingerprint"] == "0" * 64
    assert values["last_error"] == ""
    assert int(values["frames_processed"]) >= 3
    for name in ("input_rate_hz", "output_rate_hz", "overhead_p95_ms", "overhead_cpu_p95_ms"):
        assert float(values[name]) >= 0.0
    assert scene.node.trigger_deactivate()
    client.wait(lambda: received[-1].status[0].level == DiagnosticStatus.STALE, "stale figures")


def test_a_process_can_be_looked_at() -> None:
    figures = read_figures()
    assert figures.resident >= figures.anonymous > 0
    assert figures.cpu_seconds > 0.0
    assert figures.threads >= 1
    with open("/proc/self/stat"):
        assert read_figures().files == figures.files + 1
    with pytest.raises(FileNotFoundError):
        read_figures(2**22 + 1)
