"""`affordance-grounding export` as a user types it."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from affordance_grounding_core import loading
from affordance_grounding_core.commands.cli import app
from affordance_grounding_core.commands.export import parse_size
from affordance_grounding_core.errors import ArtifactError
from affordance_grounding_core.inference.grounder import Grounder
from affordance_grounding_core.inference.preprocess import Preprocess
from affordance_grounding_core.inference.runtime import HeatRuntime
from affordance_grounding_core.runtimes.eager import EagerRuntime
from affordance_grounding_core.runtimes.export_folder import (
    EXPORT_FILE,
    ExportedModel,
    write_exported,
)
from affordance_grounding_core.runtimes.request import RuntimeRequest

RUNNER = CliRunner()


@pytest.fixture
def small_model(
    make_grounder: Callable[[Any], Grounder], network: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The model `default` is a small network."""
    monkeypatch.setattr(loading, "_load_eager", lambda name, weights: make_grounder(network))


@pytest.mark.usefixtures("small_model")
def test_an_engine_is_built_into_a_folder_and_reported(tmp_path: Path) -> None:
    pytest.importorskip("openvino")
    arguments = ["export", "--runtime", "openvino", "--precision", "fp32"]
    arguments += ["--image-size", "640x480", "-o", str(tmp_path / "engines")]
    arguments += ["--json", str(tmp_path / "report.json")]
    outcome = RUNNER.invoke(app, arguments)
    assert outcome.exit_code == 0, outcome.output
    assert "640x480: openvino-cpu-fp32" in outcome.output
    (entry,) = json.loads((tmp_path / "report.json").read_text())["engines"]
    assert entry["degraded"] is False
    assert entry["gate"]["frames"] >= 16
    assert entry["median_ms"] > 0
    assert Path(entry["folder"]).is_relative_to(tmp_path / "engines")
    assert (Path(entry["folder"]) / "manifest.json").is_file()


def test_an_engine_of_a_camera_that_is_mounted_sideways_is_of_the_turned_size(
    make_grounder: Callable[[Any], Grounder], network: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def load(name: str, weights: Path | None) -> Grounder:
        grounder = make_grounder(network)
        grounder.preprocess = Preprocess(replace(grounder.preprocess.config, policy="aspect"))
        return grounder

    monkeypatch.setattr(loading, "_load_eager", load)
    asked: list[tuple[int, int]] = []
    prepare = HeatRuntime.prepare

    def noted(self: HeatRuntime, height: int, width: int, *, wait: bool = True) -> Any:
        asked.append((height, width))
        return prepare(self, height, width, wait=wait)

    monkeypatch.setattr(EagerRuntime, "prepare", noted)
    export = ["export", "--runtime", "eager", "--build-only", "--image-size"]
    assert RUNNER.invoke(app, [*export, "640x480", "--image-turn", "270"]).exit_code == 0
    assert RUNNER.invoke(app, [*export, "480x640"]).exit_code == 0
    assert asked[0] == asked[1] != asked[0][::-1]


@pytest.mark.usefixtures("small_model")
def test_a_failed_gate_is_seen_in_text_and_exit_code(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("openvino")
    from affordance_grounding_core.runtimes.openvino import OpenvinoEngine

    answer = OpenvinoEngine.run
    monkeypatch.setattr(
        OpenvinoEngine, "run", lambda self, pixels, actions: 1 - answer(self, pixels, actions)
    )
    arguments = ["export", "--runtime", "openvino-fp32", "--build-only", "-o", str(tmp_path)]
    outcome = RUNNER.invoke(app, arguments)
    assert outcome.exit_code == 1
    assert "640x480: eager-cpu-fp32" in outcome.output
    assert "not used: openvino-fp32 did not pass the gate: " in outcome.output


@pytest.mark.usefixtures("small_model")
def test_build_only_takes_no_time_measurement(tmp_path: Path) -> None:
    file = tmp_path / "report.json"
    outcome = RUNNER.invoke(
        app, ["export", "--runtime", "eager", "--build-only", "--json", str(file)]
    )
    assert outcome.exit_code == 0
    (entry,) = json.loads(file.read_text())["engines"]
    assert entry == {
        "image_width": 640,
        "image_height": 480,
        "description": "eager",
        "degraded": False,
    }


@pytest.mark.usefixtures("small_model")
def test_too_few_pictures_are_an_error(tmp_path: Path) -> None:
    pytest.importorskip("openvino")
    arguments = ["export", "--runtime", "openvino", "--frames", str(tmp_path), "-o", str(tmp_path)]
    outcome = RUNNER.invoke(app, arguments)
    assert outcome.exit_code == 1
    assert "holds 0 image files, the gate needs 8 or more" in str(outcome.exception)


@pytest.mark.parametrize("text", ["640", "640x0", "x480", "640x480x3", "-1x5", "1e3x4", ""])
def test_an_image_size_of_another_form_is_refused(text: str) -> None:
    outcome = RUNNER.invoke(app, ["export", "--image-size", text])
    assert outcome.exit_code == 2
    assert "must look like 640x480" in outcome.output


def test_image_sizes_are_width_and_height() -> None:
    assert parse_size("1280x720") == (1280, 720)


@pytest.mark.usefixtures("small_model")
def test_what_was_exported_is_loaded_by_its_path(tmp_path: Path) -> None:
    pytest.importorskip("openvino")
    arguments = ["export", "--runtime", "openvino-fp32", "--build-only", "-o", str(tmp_path)]
    assert RUNNER.invoke(app, arguments).exit_code == 0
    engines = sorted(tmp_path.rglob("manifest.json"))
    written = [file.stat().st_mtime_ns for file in engines]
    grounder = loading.load_grounder(tmp_path)
    try:
        grounder.warm_up(480, 640)
        assert grounder.runtime == "openvino-cpu-fp32", "the runtime it was exported for"
        report = grounder.runtime_report
        assert report is not None
        assert report.folder is not None
        assert report.folder.is_relative_to(tmp_path)
    finally:
        grounder.close()
    assert [file.stat().st_mtime_ns for file in engines] == written, "nothing was built again"


@pytest.mark.usefixtures("small_model")
def test_an_export_of_another_model_is_refused(tmp_path: Path) -> None:
    write_exported(tmp_path, ExportedModel("default", "f" * 64, "eager", "fp32"))
    with pytest.raises(ArtifactError, match=r"with fingerprint ffff.*; export it again"):
        loading.load_grounder(tmp_path)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("{", "cannot be read"),
        ("[]", "export_version None"),
        ('{"export_version": 2}', "export_version 2"),
        ('{"export_version": 1}', "is damaged"),
        (
            '{"export_version": 1, "model": "m", "fingerprint": "f", "runtime": "pickle", '
            '"precision": "fp32"}',
            "runtime must be one of",
        ),
    ],
)
def test_a_damaged_export_is_refused(tmp_path: Path, content: str, said: str) -> None:
    (tmp_path / EXPORT_FILE).write_text(content)
    with pytest.raises(ArtifactError, match=said):
        loading.load_grounder(tmp_path)


def test_a_runtime_that_is_asked_for_holds(tmp_path: Path) -> None:
    exported = ExportedModel("default", "f", "openvino", "int8", frames="/pictures")
    found = exported.request(tmp_path, RuntimeRequest())
    assert (found.runtime, found.precision, found.store) == ("openvino", "int8", tmp_path)
    assert found.frames == Path("/pictures")
    asked = exported.request(tmp_path, RuntimeRequest("onnx", "fp32", store=tmp_path / "mine"))
    assert (asked.runtime, asked.precision, asked.store) == ("onnx", "fp32", tmp_path / "mine")
