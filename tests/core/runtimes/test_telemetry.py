"""Nothing is written into a home, or sent, for the makers of the libraries that are used."""

from __future__ import annotations

import os
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

from affordance_grounding_core.backbones.weights import DINOV2_VITS14, cache_directory

REPOSITORY = Path(__file__).parents[3]
LIBRARIES = [name for name in ("onnxruntime", "openvino", "nncf") if find_spec(name)]
IMPORTS = "; ".join(f"import {name}" for name in LIBRARIES)

NEEDS_WEIGHTS = pytest.mark.skipif(
    not (cache_directory() / f"{DINOV2_VITS14.name}.safetensors").is_file(),
    reason="the default model's weights are not on this machine; `make setup` fetches them",
)
USES = {
    "onnx": "from affordance_grounding_core.runtimes.onnx import OnnxBackend; "
    "OnnxBackend().environment()",
    "openvino": "from affordance_grounding_core.runtimes.openvino import OpenvinoBackend; "
    "OpenvinoBackend().environment()",
    "tests": f"import runpy; runpy.run_path('tests/conftest.py'); {IMPORTS}",
}


def files_left(home: Path, *arguments: str, **environment: str) -> list[str]:
    """What a Python process leaves in an empty home."""
    home.mkdir()
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith("XDG_") and name not in ("ORT_DISABLE_TELEMETRY", "CI")
    }
    finished = subprocess.run(
        [sys.executable, *arguments],
        cwd=REPOSITORY,
        env={**kept, "HOME": str(home), "PYTHONPATH": str(REPOSITORY), **environment},
        capture_output=True,
        text=True,
        check=False,
        timeout=240,
    )
    assert finished.returncode == 0, finished.stderr
    return sorted(str(path.relative_to(home)) for path in home.rglob("*") if path.is_file())


@pytest.mark.parametrize("use", ["onnx", "openvino", "tests"])
def test_a_home_stays_empty(tmp_path: Path, use: str) -> None:
    needed = {"onnx": "onnxruntime", "openvino": "openvino"}.get(use)
    if needed and needed not in LIBRARIES:
        pytest.skip(f"{needed} is not installed")
    assert files_left(tmp_path / "home", "-c", USES[use]) == []


@NEEDS_WEIGHTS
@pytest.mark.slow
def test_a_home_stays_empty_after_a_prediction(tmp_path: Path) -> None:
    image = next((REPOSITORY / "affordance_grounding_core/runtimes/pictures").glob("*.jpg"))
    command = ("-m", "affordance_grounding_core", "predict", str(image), "--action", "hold")
    left = files_left(
        tmp_path / "home",
        *command,
        *("--output", str(tmp_path / "out")),
        AFFORDANCE_GROUNDING_CACHE=str(cache_directory()),
        AFFORDANCE_GROUNDING_ENGINES=str(tmp_path / "engines"),
    )
    assert left == []


def test_a_choice_the_user_made_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    from affordance_grounding_core.runtimes.telemetry import refuse_reports

    monkeypatch.setenv("ORT_DISABLE_TELEMETRY", "0")
    refuse_reports()
    assert os.environ["ORT_DISABLE_TELEMETRY"] == "0"
