"""Labels as a segmenter would make them, from exact ones."""

from __future__ import annotations

import json
from pathlib import Path

import cv2
import numpy as np
import pytest

from affordance_grounding_core.data.agd20k import read_training_set
from affordance_grounding_core.files import replace_json
from affordance_grounding_core.images import read_grey, write_png
from affordance_grounding_core.methods.plsp.samples import PartSample, read_part_samples
from tools.studies import label_noise as study
from tools.studies.__main__ import main as studies
from tools.studies.corruptions import CORRUPTIONS, write_labels
from tools.studies.held_tools import mark_whole_objects, use_refined


def main(arguments: list[str]) -> int:
    return studies(["label_noise", *arguments])


def disc(radius: int = 12) -> np.ndarray:
    mask = np.zeros((96, 128), np.uint8)
    cv2.circle(mask, (64, 48), radius, 255, -1)
    return mask


def test_erosion_shrinks_and_dilation_grows() -> None:
    mask = disc()
    smaller, larger = CORRUPTIONS["eroded"](mask, 0), CORRUPTIONS["dilated"](mask, 0)
    assert smaller is not None
    assert larger is not None
    assert 0 < smaller.sum() < mask.sum() < larger.sum()
    assert not ((smaller > 0) & (mask == 0)).any()
    assert not ((mask > 0) & (larger == 0)).any()


def test_a_part_never_erodes_away() -> None:
    dot = np.zeros((96, 128), np.uint8)
    dot[40, 50] = 255
    left = CORRUPTIONS["eroded"](dot, 0)
    assert left is not None
    assert left.any()


def test_shifts_move_by_a_share_of_the_side_in_any_direction() -> None:
    mask = disc()
    places = []
    for number in range(8):
        moved = CORRUPTIONS["shifted"](mask, number)
        assert moved is not None
        ys, xs = np.nonzero(moved)
        places.append((ys.mean() - 48, xs.mean() - 64))
    distances = np.hypot(*np.transpose(places))
    np.testing.assert_allclose(distances, 0.08 * 128, atol=1.0)
    assert len({tuple(np.sign(place)) for place in places}) > 1


def test_about_three_masks_of_ten_are_dropped_by_name(drawn_data: Path, tmp_path: Path) -> None:
    kept = sum(CORRUPTIONS["dropped"](disc(), number) is not None for number in range(1000))
    assert kept == pytest.approx(700, abs=60)
    trainset = drawn_data / "trainset"
    assert write_labels(trainset, tmp_path / "exact", "exact", 0) == 12
    first = write_labels(trainset, tmp_path / "a", "dropped", 3)
    assert first == write_labels(trainset, tmp_path / "b", "dropped", 3) < 12
    names = [sorted(p.name for p in (tmp_path / n).rglob("*.png")) for n in ("a", "b")]
    assert names[0] == names[1]


def mask_of(folder: Path, place: str) -> np.ndarray:
    return read_grey(folder / f"{place}_pl.png") >= 0.5


def test_held_tools_are_marked_whole_and_nothing_else(drawn_data: Path, tmp_path: Path) -> None:
    training, labels = read_training_set(drawn_data), tmp_path / "labels"
    exact = training.folder / "PL"
    write_labels(training.folder, labels, "exact", 0)
    assert mark_whole_objects(training, labels) == 3
    whole = mask_of(labels / "PL", "hold/hammer/hammer_1")
    parts = [mask_of(exact, f"{action}/hammer/hammer_1") for action in ("hold", "hit")]
    assert not (np.logical_or(*parts) & ~whole).any()
    assert whole.sum() < 1.1 * np.logical_or(*parts).sum()
    for place in ("hit/hammer/hammer_1", "hold/mug/mug_1", "drink_with/mug/mug_0"):
        np.testing.assert_array_equal(mask_of(labels / "PL", place), mask_of(exact, place))


def test_a_tool_with_one_marked_part_keeps_it(drawn_data: Path, tmp_path: Path) -> None:
    (drawn_data / "trainset/PL/hit/hammer/hammer_0_pl.png").unlink()
    training, labels = read_training_set(drawn_data), tmp_path / "labels"
    write_labels(training.folder, labels, "exact", 0)
    assert mark_whole_objects(training, labels) == 2
    place = "PL/hold/hammer/hammer_0"
    np.testing.assert_array_equal(mask_of(labels, place), mask_of(training.folder, place))


def test_training_takes_a_refined_label_where_there_is_one(
    drawn_data: Path, tmp_path: Path
) -> None:
    training, labels = read_training_set(drawn_data), tmp_path / "labels"
    write_labels(training.folder, labels, "exact", 0)
    write_png(labels / "PL_refined/hold/hammer/hammer_2_pl.png", disc())  # of an earlier run
    write_png(tmp_path / "fit/PL_refined/hold/hammer/hammer_1_pl.png", disc())
    (tmp_path / "fit/manifest.json").write_text("{}")
    assert use_refined(tmp_path / "fit", labels) == 1

    def taken(sample: PartSample) -> str:
        return str(sample.mask.relative_to(labels).parent)

    samples = read_part_samples(training, ["hold"], labels, [])
    hammers = [taken(sample) for sample in samples if sample.object_name == "hammer"]
    first, refined = "PL/hold/hammer", "PL_refined/hold/hammer"
    assert hammers == [first, refined, first]
    assert not (labels / "manifest.json").exists()


class OnePlace:
    """Stands in for a grounder: heat where the drawn hammer is held, or everywhere alike."""

    def __init__(self, sure: bool) -> None:
        self.sure = sure

    def evaluation_maps(self, image: np.ndarray, actions: list[str]) -> dict[str, np.ndarray]:
        raw = np.zeros((1, 24, 32), np.float32)
        raw[:, 12:18, 8:14] = 4.0 if self.sure else 0.0
        return {"log_density": raw}


def test_held_tools_have_a_table_of_their_own(
    drawn_data: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    scores = [{name: 0.5 for name in study.COLUMNS}]
    for name in ("whole_object", "refined"):
        run = tmp_path / f"{name}-0"
        replace_json(run / "outcome.json", {"masks": 12, "scores": scores})
        replace_json(run / "last" / "config.json", {})
    monkeypatch.setattr(
        study, "load_grounder", lambda folder, _: OnePlace("refined" in str(folder))
    )
    options = ["--data", str(drawn_data), "--output", str(tmp_path), "--seeds", "0"]
    options += ["--settings", "whole_object", "refined"]
    assert main(options) == 0
    shown = capsys.readouterr().out
    assert "| labels | KLD hold/hammer | KLD all | seeds |" in shown
    even, sure = (
        json.loads((tmp_path / f"{name}-0" / "held.json").read_text())
        for name in ("whole_object", "refined")
    )
    assert even["hammer"] == even["all"] > sure["all"] > 0
    assert f"| held tools marked whole | {even['hammer']:.3f} ± 0.000 |" in shown
    monkeypatch.delattr(study, "load_grounder")  # nothing is looked at again
    assert main(options) == 0
    assert capsys.readouterr().out.endswith(shown.partition("| labels")[2])


def test_no_epochs_of_refinement_are_refused(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["--data", "x", "--output", "y", "--refinement-epochs", "0"])
    assert "expected a whole number of at least 1, got '0'" in capsys.readouterr().err


def test_the_table_has_mean_and_spread_of_what_is_done(tmp_path: Path) -> None:
    for seed, kld in ((0, 1.0), (1, 2.0)):
        first = {name: 0.5 for name in study.COLUMNS}
        scores = [first | {"epoch": 0}, first | {"epoch": 1, "plsp_kld": kld}]
        replace_json(tmp_path / f"exact-{seed}" / "outcome.json", {"masks": 12, "scores": scores})
    options = ["--data", "x", "--output", str(tmp_path), "--settings", "exact", "--seeds", "0", "1"]
    assert main(options) == 0
    table = (tmp_path / "label_noise.md").read_text()
    assert "| exact masks | last | 1.500 ± 0.707 |" in table
    assert "| exact masks | best | 0.500 ± 0.000 |" in table
    assert json.loads((tmp_path / "label_noise.json").read_text())["rows"][0]["seeds"] == 2


def test_data_that_is_not_there_is_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    options = ["--data", str(tmp_path / "none"), "--output", str(tmp_path), "--seeds", "0"]
    assert main(options) == 2
    assert capsys.readouterr().err.startswith("error: dataset folder")
