"""`teach` and its commands: what is said on the console, and what is refused."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from taught_models import HEIGHT, WIDTH, build_grounder, picture

from affordance_grounding_core import loading
from affordance_grounding_core.commands import cli
from affordance_grounding_core.images import write_png

Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> Run:
    """Run a command line with a small model; returns exit code, stdout and stderr."""
    monkeypatch.setattr(loading, "_load_eager", lambda name, weights: build_grounder())
    monkeypatch.setenv("AFFORDANCE_GROUNDING_TAUGHT", str(tmp_path / "own.safetensors"))

    def run_command(*arguments: object) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["affordance-grounding", *map(str, arguments)])
        with pytest.raises(SystemExit) as ended:
            cli.main()
        said = capsys.readouterr()
        code = ended.value.code
        return (code if isinstance(code, int) else 0), said.out, said.err

    return run_command


@pytest.fixture
def camera(tmp_path: Path) -> Path:
    """A picture with a part at (50, 40)."""
    file = tmp_path / "camera.png"
    write_png(file, picture(50, 40))
    return file


def test_teach_predict_list_rename_remove(run: Run, camera: Path, tmp_path: Path) -> None:
    mask = np.zeros((HEIGHT, WIDTH), np.uint8)
    mask[26:55, 36:65] = 255
    write_png(tmp_path / "mask.png", mask)
    teach = ("teach", "--name", "press shutter", "--image", camera)
    for mark in (
        ("--mask", tmp_path / "mask.png"),
        ("--box", 36, 26, 29, 29),
        ("--click", 50, 40, "--radius", 14),
    ):
        code, said, wrong = run(*teach, *mark)
        assert (code, wrong) == (0, ""), wrong
    assert "press_shutter: 3 example(s)" in said
    listed = run("teach", "list", "--json", tmp_path / "list.json")[1]
    assert "2. camera.png, box 36 26 29 29" in listed
    content = json.loads((tmp_path / "list.json").read_text())
    assert len(content["actions"]["press_shutter"]["examples"]) == 3

    other = tmp_path / "other.png"
    write_png(other, picture(90, 60))
    predict = ("predict", other, "--runtime", "eager", "-o", tmp_path / "out")
    code, said, _ = run(*predict, "-a", "press shutter", "-a", "hold")
    assert code == 0
    assert "press_shutter: found" in said

    assert run("teach", "remove", "press shutter", "--example", 3)[0] == 0
    assert "is now called zoom_in" in run("teach", "rename", "press shutter", "zoom in")[1]
    assert run("teach", "remove", "zoom-in")[0] == 0
    assert "nothing has been taught yet" in run("teach", "list")[1]
    code, _, wrong = run(*predict, "-a", "zoom in")
    assert code == 2
    assert "zoom" in wrong


@pytest.mark.parametrize("turn", [90, 180, 270])
def test_teach_and_predict_turn_pictures_of_a_turned_camera(
    run: Run, camera: Path, tmp_path: Path, turn: int
) -> None:
    sideways = tmp_path / "sideways.png"
    write_png(sideways, np.ascontiguousarray(np.rot90(picture(50, 40), -turn // 90)))
    box = {90: (41, 36), 180: (63, 41), 270: (26, 63)}[turn]
    teach = ("teach", "--name", "press shutter")
    file = ("--file", tmp_path / "turned.safetensors")
    code, _, wrong = run(
        *teach, "--image", sideways, "--box", *box, 29, 29, "--image-turn", turn, *file
    )
    assert (code, wrong) == (0, "")
    assert run(*teach, "--image", camera, "--box", 36, 26, 29, 29)[0] == 0

    def heat(image: Path, *options: object) -> NDArray[np.float32]:
        out = tmp_path / "out"
        report = tmp_path / "report.json"
        words = ("predict", image, "-a", "press shutter", "--runtime", "eager", "-o", out)
        assert run(*words, "--heatmap", "npy", "--json", report, *options)[0] == 0
        content = json.loads(report.read_text())
        assert content["image_turn"] == (turn if "--image-turn" in options else 0)
        return np.asarray(np.load(content["results"][0]["heatmap"]))

    found = heat(sideways, "--taught", file[1], "--image-turn", turn)
    np.testing.assert_array_equal(found, np.rot90(heat(camera), -turn // 90))


def test_another_turn_is_refused(run: Run, camera: Path) -> None:
    code, _, wrong = run("predict", camera, "-a", "hold", "--image-turn", 45)
    assert code == 2
    assert "'--image-turn'" in wrong
    assert "'45' is not one of '0', '90'" in wrong


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (("--name", "lift"), "--image"),
        (("--image", "x.png"), "--name"),
        (("--name", "lift", "--image", "CAMERA"), "exactly one of"),
        (
            ("--name", "lift", "--image", "CAMERA", "--box", "0 0 9 9", "--click", "1 1"),
            "exactly one of",
        ),
        (("--name", "lift", "--image", "CAMERA", "--box", "0 0 9 9", "--radius", "3"), "--click"),
        (("--name", "lift", "--image", "none.png", "--click", "1 1"), "cannot be read"),
        (("--name", "lift", "--image", "CAMERA", "--box", "120 0 9 9"), "not inside the picture"),
        (("--name", "hold", "--image", "CAMERA", "--box", "36 26 29 29"), "model's own vocabulary"),
        (("--name", "...", "--image", "CAMERA", "--box", "36 26 29 29"), "must have a word"),
    ],
)
def test_what_cannot_be_taught_is_refused_with_the_reason(
    run: Run, camera: Path, tmp_path: Path, arguments: tuple[str, ...], reason: str
) -> None:
    words = [word for one in arguments for word in one.replace("CAMERA", str(camera)).split(" ")]
    code, _, wrong = run("teach", *words)
    assert code == 2
    assert reason in wrong
    assert not (tmp_path / "own.safetensors").exists()


def test_a_file_of_ones_own_that_cannot_be_used_is_named_and_predict_goes_on(
    run: Run, camera: Path, tmp_path: Path
) -> None:
    (tmp_path / "own.safetensors").write_bytes(b"damaged")
    predict = ("predict", camera, "--runtime", "eager", "-a", "hold", "-o", tmp_path / "out")
    code, _, wrong = run(*predict)
    assert code == 0
    assert "without taught actions" in wrong
    code, _, wrong = run(*predict, "--taught", tmp_path / "own.safetensors")
    assert code == 2
    assert "cannot be used" in wrong
    assert run(*predict, "--taught", "none")[2] == ""
