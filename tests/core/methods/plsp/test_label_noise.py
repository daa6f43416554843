"""Labels as a segmenter would make them, from exact ones."""

from __future__ import annotations

import json
from pathlib import Path

import cv2
import numpy as np
import pytest

from affordance_grounding_core.files import replace_json
from tools.label_noise import __main__ as study
from tools.label_noise.labels import CORRUPTIONS, write_labels


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


def test_the_table_has_mean_and_spread_of_what_is_done(tmp_path: Path) -> None:
    for seed, kld in ((0, 1.0), (1, 2.0)):
        first = {name: 0.5 for name in study.COLUMNS}
        scores = [first | {"epoch": 0}, first | {"epoch": 1, "plsp_kld": kld}]
        replace_json(tmp_path / f"exact-{seed}" / "outcome.json", {"masks": 12, "scores": scores})
    options = ["--data", "x", "--output", str(tmp_path), "--settings", "exact", "--seeds", "0", "1"]
    assert study.main(options) == 0
    table = (tmp_path / "label_noise.md").read_text()
    assert "| exact masks | last | 1.500 ± 0.707 |" in table
    assert "| exact masks | best | 0.500 ± 0.000 |" in table
    assert json.loads((tmp_path / "label_noise.json").read_text())["rows"][0]["seeds"] == 2


def test_data_that_is_not_there_is_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    options = ["--data", str(tmp_path / "none"), "--output", str(tmp_path), "--seeds", "0"]
    assert study.main(options) == 2
    assert capsys.readouterr().err.startswith("error: dataset folder")
