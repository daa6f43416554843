"""The study of refinement: what it compares, and that it runs from pictures to a table."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from types import SimpleNamespace

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from affordance_grounding_core.data.agd20k import TrainingSet, read_training_set
from affordance_grounding_core.images import read_grey, write_png
from affordance_grounding_core.methods.plsp import training as training_run
from affordance_grounding_core.methods.plsp.refinement.encoders import (
    FrozenPatches,
    RefinementEncoders,
)
from affordance_grounding_core.methods.plsp.refinement.feature_bank import PatchFeatures
from affordance_grounding_core.methods.plsp.refinement.pictures import PictureFormat
from tools.studies import label_folder as prepare
from tools.studies import label_noise
from tools.studies import refinement as study
from tools.studies.__main__ import main as studies
from tools.studies.held_tools import whole_objects
from tools.studies.object_finder import ObjectFinder, PatchDescriber
from tools.studies.refinement import as_markdown

HEIGHT, WIDTH = 96, 128
GREY, RED, GREEN, SKIN, BLUE = (
    (70, 70, 70),
    (220, 30, 30),
    (30, 200, 40),
    (230, 190, 160),
    (0, 0, 220),
)


def main(arguments: Sequence[str]) -> int:
    return studies(["refinement", *arguments])


def picture(top: int, head: tuple[int, ...], handle: tuple[int, ...]) -> NDArray[np.uint8]:
    image = np.full((HEIGHT, WIDTH, 3), GREY, np.uint8)
    image[top : top + 40, 24:72] = head
    image[top : top + 40, 72:104] = handle
    return image


def part(top: int, left: int, right: int) -> NDArray[np.uint8]:
    mask = np.zeros((HEIGHT, WIDTH), np.uint8)
    mask[top : top + 40, left:right] = 255
    return mask


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Four hammers with both parts marked, three in a hand that hides the handle, two mugs."""
    trainset = tmp_path / "data" / "trainset"
    for number in range(4):
        top = 20 + 5 * number
        for action, sides in (("hold", (72, 104)), ("hit", (24, 72))):
            place = Path(action) / "hammer"
            write_png(trainset / "egocentric" / place / f"h_{number}.png", picture(top, RED, GREEN))
            write_png(trainset / "PL" / place / f"h_{number}_pl.png", part(top, *sides))
    people = trainset / "exocentric" / "hold"
    for number in range(3):
        held = picture(22 + 6 * number, RED, SKIN)
        write_png(people / "hammer" / f"p_{number}.png", held)
        write_png(people / "mug" / f"m_{number}.png", picture(22 + 6 * number, BLUE, SKIN))
    return tmp_path / "data"


@pytest.fixture
def training(root: Path) -> TrainingSet:
    return read_training_set(root)


@pytest.fixture
def features(encoders: RefinementEncoders) -> PatchFeatures:
    return FrozenPatches(encoders.frozen)


class MeanColour:
    """Describes a picture by its mean colour."""

    identity = "mean colour"

    def describe(self, images: list[NDArray[np.uint8]]) -> NDArray[np.float32]:
        rows = np.stack([image.reshape(-1, 3).mean(axis=0) for image in images])
        return (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)


def test_an_object_is_all_its_parts(training: TrainingSet) -> None:
    wholes = whole_objects(training, ["hammer"])
    assert len(wholes) == 4
    np.testing.assert_array_equal(wholes["hammer", "h_1"], part(25, 24, 104) > 0)


def test_first_labels_are_worse_each_in_its_way(training: TrainingSet) -> None:
    exact, whole = part(30, 72, 104) > 0, part(30, 24, 104) > 0
    labels = {kind: prepare.first_label(exact, whole, kind, 3) for kind in prepare.KINDS}
    overlaps = {k: study.intersection_over_union(v, exact) for k, v in labels.items()}
    assert all(0 < overlap < 1 for overlap in overlaps.values())
    assert overlaps["whole"] == pytest.approx(0.4)
    assert (labels["dilated"] >= exact).all()
    assert study.intersection_over_union(exact, exact) == 1.0
    assert study.intersection_over_union(exact, ~exact) == 0.0


def test_an_object_is_found_in_a_hand(features: PatchFeatures) -> None:
    describer = PatchDescriber(features, PictureFormat((0.5, 0.5, 0.5), (0.25, 0.25, 0.25), 128))
    examples = [(picture(top, RED, RED), part(top, 24, 104) > 0) for top in (16, 24, 40)]
    others = describer.describe(picture(24, BLUE, SKIN))
    finder = ObjectFinder(describer, examples, others)
    found = finder.find(picture(32, RED, SKIN))
    assert found.shape == (HEIGHT, WIDTH)
    visible = part(32, 24, 72) > 0
    assert study.intersection_over_union(found, visible) > 0.7
    assert not finder.find(picture(32, BLUE, SKIN)).any()


@pytest.fixture
def colours(monkeypatch: pytest.MonkeyPatch, encoders: RefinementEncoders) -> None:
    """Let studies see colours as features."""
    monkeypatch.setattr(study, "load_encoders", lambda *_: encoders)
    monkeypatch.setattr(study, "_FINDER_SIZE", 128)
    monkeypatch.setattr(study, "_SEGMENT_SIZE", 128)
    monkeypatch.setattr(prepare, "load_describer", lambda *_: MeanColour())


@pytest.fixture
def call(colours: None, root: Path, tmp_path: Path) -> Callable[[], int]:
    """Run the study; returns the exit code."""
    options = ["--data", str(root), "--output", str(tmp_path / "out"), "--seeds", "0"]
    return lambda: main([*options, "--epochs", "1"])


def test_the_study_runs_once_from_pictures_to_a_table(
    call: Callable[[], int], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert call() == 0
    shown = capsys.readouterr().out
    assert "| hold/hammer | 4 | 0.400 ± 0.000 |" in shown
    folder = tmp_path / "out" / "seed-0"
    overlaps = json.loads((folder / study.OUTCOME).read_text())["overlaps"]
    assert [overlap["image"] for overlap in overlaps] == [f"h_{n}" for n in range(4)]
    refined = {file.stem for file in (folder / "PL_refined").rglob("*.png")}
    assert refined == {f"{o['image']}_pl" for o in overlaps if o["refined"]}
    first = cv2.imread(str(folder / "PL/hold/hammer/h_0_pl.png"), cv2.IMREAD_GRAYSCALE)
    np.testing.assert_array_equal(first > 0, part(20, 24, 104) > 0)
    (folder / "manifest.json").unlink()  # nothing is looked at again
    assert call() == 0
    assert capsys.readouterr().out == shown


def test_a_network_is_trained_on_refined_labels(
    colours: None, root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    runs: list[Sequence[str]] = []

    def train(arguments: Sequence[str]) -> SimpleNamespace:
        runs.append(arguments)
        score = dict.fromkeys(label_noise.COLUMNS, 0.5)
        return SimpleNamespace(scores=[SimpleNamespace(as_dict=lambda: score)])

    monkeypatch.setattr(training_run, "train_from_config", train)
    output = tmp_path / "noise"
    options = ["--data", str(root), "--output", str(output), "--seeds", "0"]
    options += ["--settings", "whole_object", "refined", "--refinement-epochs", "1"]
    for _ in range(2):  # the second time, all is done
        assert studies(["label_noise", *options, "--", "--trainer.max_epochs=1"]) == 0
    assert len(runs) == 2
    for run, name in zip(runs, ("whole_object-0", "refined-0"), strict=True):
        assert f"--data.labels={output / name / 'labels'}" in run
        assert run[-1] == "--trainer.max_epochs=1"
        first = output / name / "labels/PL/hold/hammer/h_0_pl.png"
        np.testing.assert_array_equal(read_grey(first) >= 0.5, part(20, 24, 104) > 0)
    refinement = output / "refinement" / "seed-0"
    fit = json.loads((refinement / "refinement" / "config.json").read_text())["training"]
    assert (fit["epochs"], fit["accumulate"], fit["seed"]) == (1, 20, 0)
    overlaps = json.loads((refinement / study.OUTCOME).read_text())["overlaps"]
    taken = {file.stem for file in (output / "refined-0/labels/PL_refined").rglob("*.png")}
    assert taken == {f"{o['image']}_pl" for o in overlaps if o["refined"]}
    assert not (output / "whole_object-0/labels/PL_refined").exists()

    more = ["--seeds", "1", "--settings", "refined", "--refinement-seed", "0"]
    assert studies(["label_noise", *options, *more]) == 0
    assert "--seed_everything=1" in runs[-1]
    assert {file.stem for file in (output / "refined-1/labels/PL_refined").rglob("*.png")} == taken
    assert [folder.name for folder in (output / "refinement").iterdir()] == ["seed-0"]


def test_a_label_that_stays_counts_as_it_was() -> None:
    first = {"whole": 0.4, "dilated": 0.6, "shifted": 0.5}
    stays = study.Overlap("hammer", "a", False, first, 0.1, 0.0, 0.2, 0.3)
    better = study.Overlap("hammer", "b", True, first, 0.5, 0.8, 0.9, 0.1)
    line = as_markdown([[stays, better]]).splitlines()[-1]
    cells = [cell.split(" ±")[0] for cell in line.strip("| ").split(" | ")]
    assert cells[:8] == ["all", "2", "0.400", "0.600", "0.500", "0.600", "0.700", "0.650"]
    assert cells[8:] == ["0.800", "0.300", "0.500", "0.550", "0.200"]


def test_data_that_is_not_there_is_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["--data", str(tmp_path / "none"), "--output", str(tmp_path)]) == 2
    assert capsys.readouterr().err.startswith("error: dataset folder")
