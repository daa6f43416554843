"""`affordance-grounding label` end to end, with tiny models from a folder."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from affordance_grounding_core.backbones import clip as clip_module
from affordance_grounding_core.backbones.dinov2 import Dinov2
from affordance_grounding_core.commands import cli
from affordance_grounding_core.labelling.describers import load_describer
from affordance_grounding_core.labelling.manifest import read_manifest

Run = Callable[..., int]

PARTS = ("--part", "hold/mug=mug handle", "--part", "drink_with/mug=mug")


@pytest.fixture
def label(
    monkeypatch: pytest.MonkeyPatch,
    make_training_set: Callable[..., None],
    model_folder: Path,
    tmp_path: Path,
) -> Run:
    """Run the command on 8 drawn pictures with the tiny models; returns the exit code."""
    drawn_data = tmp_path / "data"
    make_training_set(drawn_data / "trainset", 1)

    def call(*arguments: object) -> int:
        line = ["label", "--data", drawn_data, "--model-folder", model_folder, "--workers", 0]
        line += ["--accelerator", "cpu", "--devices", 1, "--minimum-score", 0, *arguments]
        monkeypatch.setattr(sys, "argv", ["affordance-grounding", *map(str, line)])
        with pytest.raises(SystemExit) as stop:
            cli.main()
        code = stop.value.code
        assert isinstance(code, int)
        return code

    return call


@pytest.mark.parametrize("segmenter", ["sam3", "grounding-dino+sam2"])
def test_labels_are_made_from_image_to_manifest(
    label: Run, segmenter: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out, report = tmp_path / "out", tmp_path / "report.json"
    options = ("--segmenter", segmenter, "--similarity", "none", "--batch-size", 5)
    assert label(*PARTS, "--out", out, *options, "--json", report) == 0
    content = json.loads(report.read_text())
    assert content["segmenter"]["segmenter"] == segmenter
    assert sum(content["counts"].values()) == 8
    manifest = read_manifest(out)
    record = manifest.record("egocentric", "hold", "hammer", "hammer_0.png")
    assert record is not None
    assert record.part is not None
    assert record.part.phrases == ("hammer handle",)
    assert "8 labelled" in capsys.readouterr().out or content["counts"]["nothing found"]
    assert label(*PARTS, "--out", out, *options, "--json", report) == 0
    assert json.loads(report.read_text())["reused"] == 8


def test_mistakes_are_found_before_models_are_loaded(
    label: Run, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert label("--out", tmp_path / "out", "--similarity", "none") == 2
    assert "no part name for drink_with/mug" in capsys.readouterr().err
    assert label(*PARTS, "--part", "opne/jar=lid", "--out", tmp_path) == 2
    assert "unknown action 'opne'" in capsys.readouterr().err
    file = tmp_path / "mine.yaml"
    file.write_text("hold:\n  mug:\n")
    assert label("--out", tmp_path, "--part-names", file) == 2
    assert "mine.yaml:2: empty phrase" in capsys.readouterr().err
    assert label(*PARTS, "--out", tmp_path, "--revision", "facebook/sam3=main") == 2
    assert "40 hexadecimal digits" in capsys.readouterr().err
    assert label(*PARTS, "--out", tmp_path, "--score", "2") == 2


def test_a_folder_without_the_models_is_named(
    label: Run, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ("--similarity", "none", "--model-folder", tmp_path)
    assert label(*PARTS, "--out", tmp_path / "out", *arguments) == 2
    assert "has no facebook/sam3" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_pictures_are_described_by_class_tokens(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    random = np.random.default_rng(0)
    pictures = [random.integers(0, 255, (*size, 3), dtype=np.uint8) for size in ((40, 60), (9, 7))]
    torch.manual_seed(0)
    save_file(Dinov2().transformer.state_dict(), tmp_path / "dinov2.safetensors")
    tiny = clip_module.random_clip(0, image_size=224, patch_size=56)
    monkeypatch.setattr(clip_module, "load_clip", lambda _: tiny)
    for describer, width in (
        (load_describer("dinov2", tmp_path / "dinov2.safetensors", "cpu"), 384),
        (load_describer("clip", None, "cpu"), 16),
    ):
        vectors = describer.describe(pictures)
        assert vectors.shape == (2, width)
        np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-5)
        np.testing.assert_allclose(vectors[1:], describer.describe(pictures[1:]), atol=1e-4)
        assert not np.array_equal(vectors[0], vectors[1])
