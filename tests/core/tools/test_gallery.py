"""The gallery shows what the model answers, and says which answers are wrong."""

from __future__ import annotations

import json
from pathlib import Path

import cv2
import numpy as np
import pytest

from affordance_grounding_core.data.agd20k import EvaluationImage
from affordance_grounding_core.evaluation.evaluate import Evaluation, RightPair, WrongPair
from affordance_grounding_core.evaluation.protocols import MapScore
from affordance_grounding_core.evaluation.summary import ImageScore
from affordance_grounding_core.images import write_png
from affordance_grounding_core.inference.grounder import Grounder
from affordance_grounding_core.inference.result import Box, GroundingResult
from affordance_grounding_ros.demo.orientations import HANDLE
from tools.gallery import __main__ as program
from tools.gallery import photographs
from tools.gallery.cells import Verdict, judge, make_cell
from tools.gallery.renders import choose_alarms, choose_typical, choose_worst
from tools.gallery.sheet import Section, draw_sheet, encode_jpeg


def result(row: int = 5, column: int = 8, found: bool = True) -> GroundingResult:
    heat = np.zeros((20, 30), np.float32)
    heat[row, column] = 0.9
    return GroundingResult(heat, heat > 0.5, [], "drink_with", 0.9, 0.5, found, 0.0)


@pytest.mark.parametrize(
    ("places", "found", "verdict"),
    [
        ((Box(8, 5, 1, 1),), True, "right"),
        ((Box(0, 0, 8, 20), Box(8, 0, 3, 20)), True, "right"),
        ((Box(0, 0, 8, 20),), True, "wrong place"),
        ((Box(8, 5, 1, 1),), False, "missed"),
        ((), True, "false alarm"),
        ((), False, "right"),
    ],
)
def test_answers_are_judged_by_the_hottest_pixel(
    places: tuple[Box, ...], found: bool, verdict: Verdict
) -> None:
    assert judge(result(found=found), places) == verdict
    cell = make_cell("cup", np.zeros((20, 30, 3), np.uint8), result(found=found), verdict)
    assert cell.failed == (verdict in {"wrong place", "missed", "false alarm"})
    answer = "found" if found else "not found"
    assert cell.caption == ("cup: drink with", f"{answer} 0.90, {verdict}")


def pair(action: str, kld: float, found: bool = True, on_part: bool = True) -> RightPair:
    image = EvaluationImage(Path(f"{action}{kld}.jpg"), action, "mug", None)
    return RightPair(ImageScore(image, MapScore(kld, 0.0, 0.0)), found, 0.5, on_part)


def test_the_median_of_the_right_answers_is_typical() -> None:
    pairs = [pair("hold", kld) for kld in (0.1, 0.5, 0.3)]
    pairs += [pair("hold", 9.0, found=False), pair("pour", 0.2), pair("hit", 1.0, on_part=False)]
    typical = choose_typical(Evaluation(tuple(pairs), (), 0, {}, ()))
    assert [(one.result.image.action, one.result.score.kld) for one in typical] == [
        ("hold", 0.3),
        ("pour", 0.2),
    ]


def test_every_action_fails_once_before_one_fails_twice() -> None:
    pairs = [pair("hold", 3.0), pair("hold", 2.9), pair("pour", 1.0), pair("hit", 2.0)]
    chosen = choose_worst(pairs, 6)
    assert [one.result.score.kld for one in chosen] == [3.0, 2.0, 1.0, 2.9]
    alarms = [WrongPair(Path(n), n[0], "hit", True, p) for n, p in (("a1", 0.6), ("a2", 0.9))]
    alarms.append(WrongPair(Path("b"), "b", "hit", True, 0.7))
    assert [one.peak for one in choose_alarms(alarms, 5)] == [0.9, 0.7]


def test_a_sheet_has_room_for_every_picture_and_keeps_below_its_size() -> None:
    noise = np.random.default_rng(0).integers(0, 256, (90, 160, 3), np.uint8)
    cells = [make_cell("cup", noise, result_of(noise), "right") for _ in range(5)]
    sections = [Section("Photographs", cells, "a note"), Section("none", [])]
    sheet = draw_sheet(sections, 3)
    taller = draw_sheet(sections, 2)
    assert taller.height > sheet.height
    assert taller.width < sheet.width
    full = encode_jpeg(sheet, 10**6)
    assert len(encode_jpeg(sheet, len(full) * 3 // 4)) <= len(full) * 3 // 4
    with pytest.raises(ValueError, match="show fewer pictures"):
        encode_jpeg(sheet, 100)
    with pytest.raises(ValueError, match="needs pictures"):
        draw_sheet(sections[1:], 3)


def result_of(image: np.ndarray) -> GroundingResult:
    heat = np.zeros(image.shape[:2], np.float32)
    return GroundingResult(heat, heat > 0.5, [], "hold", 0.0, 0.5, False, 0.0)


def test_the_command_writes_picture_and_content(
    drawn_data: Path,
    colour_grounder: Grounder,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    for photograph in photographs.PHOTOGRAPHS:
        picture = np.full((400, 600, 3), 60, np.uint8)
        cv2.imwrite(str(tmp_path / photograph.file), picture)
    monkeypatch.setattr(photographs, "_folder", lambda: tmp_path)
    monkeypatch.setattr(program, "load_grounder", lambda model, runtime: colour_grounder)
    out = tmp_path / "out"
    assert program.main(["--output", str(out), "--renders", str(drawn_data)]) == 0
    assert "Photographs: " in capsys.readouterr().out
    assert cv2.imread(str(out / "gallery.jpg")) is not None
    content = json.loads((out / "gallery.json").read_text())
    by_heading = {section["heading"]: section["pictures"] for section in content["sections"]}
    typical = by_heading["Rendered test pictures: the median of each action"]
    assert {cell["action"] for cell in typical} == {"hold", "drink_with", "hit"}
    assert {cell["verdict"] for cell in typical} == {"right"}
    assert content["fingerprint"] == colour_grounder.information.fingerprint


def test_the_cup_is_judged_by_its_handle_in_every_orientation(
    colour_grounder: Grounder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    picture = np.zeros((400, 600, 3), np.uint8)
    middle = (HANDLE.x + HANDLE.width // 2, HANDLE.y + HANDLE.height // 2)
    cv2.circle(picture, middle, 60, (255, 0, 0), -1)  # what the grounder calls a place to hold
    write_png(tmp_path / "coffee.png", picture)
    monkeypatch.setattr(photographs, "_folder", lambda: tmp_path)
    cells = photographs.orientation_cells(colour_grounder)
    assert [cell.verdict for cell in cells] == ["right"] * 8
    assert len({cell.name for cell in cells}) == 8
    assert colour_grounder.looks == "1"
    elsewhere = np.roll(picture, 200, axis=1)
    write_png(tmp_path / "coffee.png", elsewhere)
    cells = photographs.orientation_cells(colour_grounder)
    assert [cell.verdict for cell in cells] == ["wrong place"] * 8


def test_a_wrong_folder_is_one_line(
    colour_grounder: Grounder,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(program, "load_grounder", lambda model, runtime: colour_grounder)
    for cells in ("photograph_cells", "orientation_cells"):
        monkeypatch.setattr(program, cells, lambda grounder: [])
    arguments = ["--output", str(tmp_path / "out"), "--renders", str(tmp_path)]
    assert program.main(arguments) == 2
    errors = capsys.readouterr().err.strip().splitlines()
    assert len(errors) == 1
    assert errors[0].startswith("error: dataset folder")
    assert not (tmp_path / "out").exists()
