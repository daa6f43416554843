"""Files of the benchmark: readable by the package, resumable, never half written."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from affordance_grounding_core.data.agd20k import read_evaluation_set, read_training_set
from affordance_grounding_core.data.blur import blur_mask
from render_affordances.cameras.photograph import develop
from render_affordances.dataset.ground_truth import blurred
from render_affordances.dataset.layout import Layout, LayoutError
from render_affordances.render import main

SETTINGS = {"seed": 0, "split": "both"}


def mask_of(size: int = 64) -> np.ndarray[Any, np.dtype[np.bool_]]:
    mask = np.zeros((size, size), bool)
    mask[20:30, 10:40] = True
    return mask


def write(layout: Layout, name: str, subset: str = "test") -> None:
    picture = np.full((64, 64, 3), 120, np.uint8)
    record = {
        "kind": "egocentric",
        "subset": subset,
        "object": "mug",
        "actions": ["drink_with", "hold"],
        "rejections": {"cropped": 2},
    }
    masks = {"hold": mask_of(), "drink_with": mask_of()}
    layout.write_egocentric(name, [f"Seen/{subset}set"], picture, masks, record, 90)


def test_the_package_reads_what_is_written(tmp_path: Path) -> None:
    layout = Layout(tmp_path)
    write(layout, "mug_test_0000_0")
    write(layout, "mug_train_0000_0", "train")
    layout.write_exocentric(
        "hold_mug_0000",
        ["Seen/trainset"],
        "hold",
        np.zeros((64, 64, 3), np.uint8),
        {"kind": "exocentric", "subset": "train", "object": "mug", "actions": ["hold"]},
        90,
    )
    test, train = read_evaluation_set(tmp_path, "seen"), read_training_set(tmp_path, "seen")
    assert [(i.action, i.object_name) for i in test.annotated] == [
        ("drink_with", "mug"),
        ("hold", "mug"),
    ]
    assert [i.part_mask is not None for i in train.egocentric] == [True, True]
    assert [(i.action, i.object_name) for i in train.exocentric] == [("hold", "mug")]
    assert not test.misplaced
    assert not train.misplaced
    part = train.egocentric[0].part_mask
    assert part is not None
    assert np.array_equal(cv2.imread(str(part), cv2.IMREAD_GRAYSCALE) > 0, mask_of())


@given(arrays.arrays(np.bool_, st.tuples(st.integers(8, 60), st.integers(8, 60))))
def test_ground_truth_is_blurred_as_the_package_does_it(mask: np.ndarray[Any, Any]) -> None:
    if not mask.any():
        with pytest.raises(ValueError, match="empty one"):
            blurred(mask)
        return
    expected = blur_mask(mask)
    assert np.abs(blurred(mask) / 255 - expected / expected.max()).max() <= 0.5 / 255 + 1e-6


def test_a_picture_is_done_once_its_record_is_there(tmp_path: Path) -> None:
    layout = Layout(tmp_path)
    assert not layout.is_done("mug_test_0000_0")
    write(layout, "mug_test_0000_0")
    assert layout.is_done("mug_test_0000_0")
    assert layout.record("mug_test_0000_0")["object"] == "mug"
    assert not [file for file in tmp_path.rglob("*") if file.name.startswith(".")]


def test_the_manifest_counts_pairs_rejections_and_failures(tmp_path: Path) -> None:
    layout = Layout(tmp_path)
    write(layout, "mug_test_0000_0")
    failure = {"kind": "egocentric", "subset": "test", "object": "pen", "failed": "hidden"}
    layout.write_record("pen_test_0000_0", failure | {"rejections": {"hidden": 12}})
    counts = layout.write_manifest(SETTINGS)
    assert counts["pictures"] == 1
    assert counts["failed"] == 1
    assert counts["rejections"] == {"cropped": 2, "hidden": 12}
    assert counts["pairs"] == {"test egocentric": {"drink_with/mug": 1, "hold/mug": 1}}
    manifest = json.loads((tmp_path / "manifest.json").read_text())
    assert set(manifest["pictures"]) == {"mug_test_0000_0", "pen_test_0000_0"}
    card = (tmp_path / "README.md").read_text()
    assert "| hold | mug 1 |" in card
    assert "never comparable" in card


def test_a_folder_is_not_continued_with_other_settings(tmp_path: Path) -> None:
    layout = Layout(tmp_path)
    layout.begin(SETTINGS)
    layout.begin(SETTINGS)
    with pytest.raises(LayoutError, match="seed 0, now 1"):
        layout.begin(SETTINGS | {"seed": 1})


def test_a_damaged_record_is_named(tmp_path: Path) -> None:
    layout = Layout(tmp_path)
    write(layout, "mug_test_0000_0")
    (tmp_path / "records" / "mug_test_0000_0.json").write_text("{")
    with pytest.raises(LayoutError, match=r"mug_test_0000_0\.json is damaged"):
        layout.write_manifest(SETTINGS)


@given(scale=st.floats(1e-4, 1e4), seed=st.integers(0, 1000))
def test_any_light_develops_to_a_picture_neither_black_nor_white(scale: float, seed: int) -> None:
    random = np.random.default_rng(seed)
    light = (random.gamma(1.0, 1.0, (24, 24, 3)) * scale).astype(np.float32)
    picture = develop(light, random)
    assert picture.shape == (24, 24, 3)
    assert picture.dtype == np.uint8
    if 0.01 < scale < 100:
        assert 25 < picture.mean() < 235


def test_a_finished_benchmark_is_only_summed_up_again(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    layout = Layout(tmp_path)
    write(layout, "mug_test_0000_0")
    options = ["--instances", "0", "--test-instances", "1", "--only", "mug"]
    assert main(["--out", str(tmp_path), *options]) == 0
    assert "1 pictures, 1 of them done" in capsys.readouterr().out


def test_a_wrong_class_or_changed_seed_ends_with_a_message(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    none = ["--out", str(tmp_path), "--instances", "0", "--test-instances", "0"]
    assert main([*none, "--only", "mugg"]) == 2
    assert "mugg" in capsys.readouterr().err
    assert main(none) == 0
    assert main([*none, "--seed", "5"]) == 2
    assert "other settings" in capsys.readouterr().err
