"""The node's benchmark is asked for by the core, which knows nothing of ROS."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest

from affordance_grounding_core.benchmark import node
from affordance_grounding_core.commands.cli import main
from affordance_grounding_core.errors import RuntimeUnavailableError

ROW: dict[str, Any] = {
    "work": "node-640x480",
    "runtime": "eager-cpu",
    "precision": "fp32",
    "median_ms": 2.0,
    "p95_ms": 3.0,
    "ratio": None,
    "max_error": None,
    "gate": "-",
    "memory_mb": 0.0,
}


def test_what_the_node_measured_becomes_rows(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []

    def run(command: list[str], **_: object) -> subprocess.CompletedProcess[bytes]:
        asked.extend(command)
        file = Path(command[-1].removeprefix("--output="))
        file.write_text(json.dumps({"rows": [ROW], "node": {"640x480": {}}}))
        return subprocess.CompletedProcess(command, 0)

    built: list[str] = []

    class Model:
        def warm_up(self, height: int, width: int) -> None:
            built.append(f"{width}x{height}")

        def close(self) -> None:
            built.append("closed")

    monkeypatch.setattr(node, "load_grounder", lambda model, runtime: Model())
    monkeypatch.setattr(node, "_require_ros", lambda: None)
    monkeypatch.setattr(node.subprocess, "run", run)
    figures = node.measure_node("default", "openvino-bf16", 50)
    (row,) = figures.rows
    assert (row.work, row.p95_ms, row.roofline_fraction) == ("node-640x480", 3.0, None)
    assert figures.details == {"640x480": {}}
    assert built == ["640x480", "1280x720", "closed"], "else PyTorch is measured meanwhile"
    assert {"--model=default", "--runtime=openvino-bf16", "--frames=50"} <= set(asked)


def test_a_node_that_fails_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(node, "_build_engines", lambda model, runtime: None)
    monkeypatch.setattr(node, "_require_ros", lambda: None)
    monkeypatch.setattr(
        node.subprocess, "run", lambda command, **_: subprocess.CompletedProcess(command, 1)
    )
    with pytest.raises(RuntimeUnavailableError, match=r"could not be measured: .* exit code 1"):
        node.measure_node("default", "auto", 50)


def test_without_ros_the_missing_module_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(node.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(RuntimeUnavailableError, match="rclpy is missing"):
        node.measure_node("default", "auto", 50)


def test_options_that_the_node_does_not_take_are_refused(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("sys.argv", ["affordance-grounding", "benchmark", "--node", "--train"])
    with pytest.raises(SystemExit) as stop:
        main()
    assert stop.value.code == 2
    assert "takes no" in capsys.readouterr().err
