"""`affordance-grounding refine` from labels to refined labels."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from affordance_grounding_core.commands import cli
from affordance_grounding_core.images import write_png
from affordance_grounding_core.labelling.manifest import Manifest
from affordance_grounding_core.methods.plsp.refinement import run
from affordance_grounding_core.methods.plsp.refinement.encoders import RefinementEncoders

Labelled = tuple[Path, Path, Manifest]


@pytest.fixture
def refine(
    monkeypatch: pytest.MonkeyPatch, labelled: Labelled, encoders: RefinementEncoders
) -> Callable[..., int]:
    """Run the command on the drawn tools with colours as features; returns the exit code."""
    trainset, labels, _ = labelled
    monkeypatch.setattr(run, "load_encoders", lambda *_: encoders)

    def call(*arguments: object) -> int:
        line = ["refine", "--data", trainset.parent, "--labels", labels, "--features", "dinov2"]
        line += ["--proposals", "features", "--accelerator", "cpu", "--workers", 0, *arguments]
        monkeypatch.setattr(sys, "argv", ["affordance-grounding", *map(str, line)])
        with pytest.raises(SystemExit) as stop:
            cli.main()
        code = stop.value.code
        assert isinstance(code, int)
        return code

    return call


def test_the_command_trains_and_refines_and_can_refine_again(
    refine: Callable[..., int],
    labelled: Labelled,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    _, labels, _ = labelled
    report = tmp_path / "report.json"
    options = ("--pair", "hold/hammer", "--epochs", 1, "--batch-size", 6, "--accumulate", 1)
    assert refine(*options, "--json", report) == 0
    content = json.loads(report.read_text())
    assert content["refined"] + content["kept"] == 6
    assert "labels refined" in capsys.readouterr().out
    before = (labels / "refinement/model.safetensors").read_bytes()
    assert refine("--model", labels / "refinement") == 0
    assert (labels / "refinement/model.safetensors").read_bytes() == before
    assert json.loads((labels / "refinement.json").read_text()) == content


def test_a_model_knows_the_pairs_it_was_trained_for(
    refine: Callable[..., int],
    labelled: Labelled,
    capsys: pytest.CaptureFixture[str],
) -> None:
    trainset, labels, _ = labelled
    other = trainset / "egocentric/pour/kettle/kettle_0.png"
    write_png(other, np.zeros((8, 8), np.uint8))
    options = ("--pair", "hold/hammer", "--epochs", 1, "--batch-size", 6, "--accumulate", 1)
    assert refine(*options) == 0
    assert refine("--model", labels / "refinement", "--pair", "pour/kettle") == 2
    assert "was not trained for the pairs ['pour/kettle']" in capsys.readouterr().err


def test_mistakes_of_the_command_are_one_line(
    refine: Callable[..., int], capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    assert refine("--pair", "hold/cup") == 2
    assert "pairs ['hold/cup'] are not in the data" in capsys.readouterr().err
    assert refine("--labels", tmp_path) == 2
    assert "has no readable manifest.json" in capsys.readouterr().err
