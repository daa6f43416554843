"""`make gpu-check`: one sentence without a GPU; its own code on a processor, with stand-ins."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch

from affordance_grounding_core.inference.preprocess import Preprocess, PreprocessConfig
from tests.core.runtimes.small_networks import small_network
from tools.gpu_check import __main__ as check


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU")
def test_without_a_gpu_it_says_so_in_one_sentence(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert check.main(["--output", str(tmp_path / "check.json")]) == 0
    assert capsys.readouterr().out == f"{check.NO_GPU}\n"
    assert list(tmp_path.iterdir()) == []


@pytest.fixture
def processor(monkeypatch: pytest.MonkeyPatch) -> None:
    """A processor stands in for the GPU; CUDA graphs are refused, as they are there."""
    monkeypatch.setattr(check, "DEVICE", "cpu")
    monkeypatch.setattr(check, "_RUNS", 2)
    monkeypatch.setattr(torch, "compile", lambda network: network)
    for name in ("synchronize", "reset_peak_memory_stats", "empty_cache"):
        monkeypatch.setattr(torch.cuda, name, lambda: None)
    monkeypatch.setattr(torch.cuda, "max_memory_allocated", lambda: 1_000_000)


class Reference:
    def __init__(self, network: Any) -> None:
        self.network = network


@pytest.mark.usefixtures("processor")
@pytest.mark.parametrize("name", ["plsp"])
def test_every_way_has_a_row_or_a_reason(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    content: dict[str, Any] = {"rows": [], "not_run": []}
    check.check_networks(name, Reference(small_network(name)), 3, content, check.Clock(600.0))
    names = {row["runtime"]: row for row in content["rows"]}
    assert {f"{way}-{kind}" for way in ("eager", "compile") for kind in ("fp32", "bf16")} <= set(
        names
    )
    assert names["eager-fp32"]["max_error"] < 1e-5
    assert 0.0 < names["eager-bf16"]["max_error"] < 0.1
    refused = {row["runtime"] for row in content["not_run"]}
    assert refused >= {"eager-graph-fp32", "compile-graph-fp32"}
    json.dumps(content, allow_nan=False)


@pytest.mark.usefixtures("processor")
def test_the_whole_way_from_image_to_heat_is_timed_on_both_sides() -> None:
    content: dict[str, Any] = {"rows": []}
    grounder = SimpleNamespace(preprocess=Preprocess(PreprocessConfig(size=56, multiple=14)))
    reference = Reference(small_network("action_head"))
    check.check_stages("action_head", grounder, reference, content)
    on_processor, on_device, recorded = content["rows"]
    assert on_processor["runtime"].endswith("resized on the processor")
    assert on_device["runtime"].endswith("resized on the device")
    assert on_processor["max_error"] == 0
    assert on_device["max_error"] < 1e-3
    assert recorded["runtime"].endswith("resized on the device, as CUDA graphs")
    assert recorded["max_error"] < 1e-3
    json.dumps(content, allow_nan=False)


@pytest.mark.usefixtures("processor")
def test_what_there_is_no_time_for_is_listed() -> None:
    content: dict[str, Any] = {"rows": [], "not_run": []}
    check.check_networks("plsp", Reference(small_network("plsp")), 3, content, check.Clock(0.0))
    assert content["rows"] == []
    assert len(content["not_run"]) == 12
    assert {row["reason"] for row in content["not_run"]} == {"time"}


@pytest.mark.usefixtures("processor")
def test_with_pytorch_alone_a_transformer_stands_in() -> None:
    code = """
import sys
class Absent:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in ("affordance_grounding_core", "cv2", "timm", "safetensors"):
            raise ModuleNotFoundError(name)
sys.meta_path.insert(0, Absent())
from tools.gpu_check import __main__ as check
check.check_torch = lambda model, make, inputs, content, clock: print(
    model, tuple(make("bf16")(*inputs).shape))
check.DEVICE = "cpu"
check.check_stand_in({}, check.Clock(60.0))
"""
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=False, timeout=300
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout == "stand-in-vit-b (1, 197, 768)\n"
