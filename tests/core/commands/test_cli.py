"""The command line as its users meet it."""

from __future__ import annotations

import json
import subprocess
import sys
import weakref
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from filelock import FileLock

from affordance_grounding_core import __version__, loading
from affordance_grounding_core.commands import benchmark, cli
from affordance_grounding_core.commands import predict as predict_command
from affordance_grounding_core.images import read_grey, read_rgb
from affordance_grounding_core.inference.grounder import Grounder
from affordance_grounding_core.runtimes.engines.store import ArtifactStore, Verdict

Run = Callable[..., int]


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, colour_grounder: Grounder) -> Run:
    """Run a command line with the colour grounder as every model; returns the exit code."""
    monkeypatch.setattr(loading, "load_grounder", lambda *_, **__: colour_grounder)

    def call(*arguments: object) -> int:
        monkeypatch.setattr(sys, "argv", ["affordance-grounding", *map(str, arguments)])
        with pytest.raises(SystemExit) as stop:
            cli.main()
        code = stop.value.code
        assert isinstance(code, int)
        return code

    return call


@pytest.fixture
def mug(drawn_data: Path) -> Path:
    return drawn_data / "testset" / "egocentric" / "hold" / "mug" / "mug_0.png"


def test_predict_writes_pictures_and_json(
    run: Run, mug: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out, report = tmp_path / "out", tmp_path / "report.json"
    actions = ("--action", "grasp", "--action", "hit")
    assert run("predict", mug, *actions, "-o", out, "--json", report) == 0
    hold, hit = json.loads(report.read_text())["results"]
    assert (hold["action"], hold["found"]) == ("hold", True)
    assert (hit["action"], hit["found"], hit["regions"]) == ("hit", False, [])
    assert hold["regions"][0]["centroid"] == pytest.approx([40, 60], abs=3)
    assert (hold["height"], hold["width"]) == (96, 128)
    assert read_rgb(hold["overlay"]).shape == (96, 128, 3)
    heat = cv2.imread(hold["heatmap"], cv2.IMREAD_UNCHANGED)
    assert heat.dtype == np.uint16
    assert heat.max() / 65535 == pytest.approx(hold["score"], abs=1e-4)
    assert set(np.unique(read_grey(hold["mask"]))) == {0, 1}
    assert (read_grey(hold["mask"]) > 0).sum() == hold["regions"][0]["area"]
    printed = capsys.readouterr().out
    assert "hold: found" in printed
    assert "hit: not found" in printed


def test_predict_can_store_the_heat_as_it_is(run: Run, mug: Path, tmp_path: Path) -> None:
    assert run("predict", mug, "-a", "hold", "-o", tmp_path, "--heatmap", "npy") == 0
    heat = np.load(tmp_path / "mug_0_hold_heatmap.npy")
    assert heat.dtype == np.float32
    assert heat.shape == (96, 128)


def test_predict_takes_folders_and_keeps_equal_names_apart(
    run: Run, mug: Path, drawn_data: Path, tmp_path: Path
) -> None:
    other = drawn_data / "testset" / "egocentric" / "drink_with" / "mug"
    assert run("predict", mug.parent, other, "-a", "hold", "-o", tmp_path / "out") == 0
    names = {file.name for file in (tmp_path / "out").glob("*_mask.png")}
    assert names == {f"mug_{number}_hold_mask.png" for number in ("0", "1", "0_2", "1_2")}


def test_predict_does_not_keep_the_maps_of_all_images(
    run: Run, mug: Path, drawn_data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept: list[weakref.ref[object]] = []
    alive: list[int] = []
    save = predict_command.save

    def watched(*arguments: Any) -> predict_command.Prediction:
        prediction = save(*arguments)
        kept.append(weakref.ref(prediction.result))
        alive.append(sum(reference() is not None for reference in kept))
        return prediction

    monkeypatch.setattr(predict_command, "save", watched)
    other = drawn_data / "testset" / "egocentric" / "drink_with" / "mug"
    actions = ("-a", "hold", "-a", "hit")
    assert run("predict", mug.parent, other, *actions, "-o", tmp_path / "out") == 0
    assert len(alive) == 8
    assert max(alive) <= 2, "the one at work and the one before"


def test_outputs_never_share_a_name() -> None:
    files = [Path("a/x.png"), Path("b/x.png"), Path("x_2.png"), Path("c/x.png")]
    names = predict_command.unique_names(files)
    assert len(set(names.values())) == 4


def test_predict_names_unreadable_images_goes_on_and_ends_with_1(
    run: Run, mug: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    report = tmp_path / "report.json"
    (tmp_path / "junk.jpg").write_bytes(b"junk")
    images = (tmp_path / "junk.jpg", tmp_path / "missing.jpg", mug)
    code = run("predict", *images, "-a", "hold", "-o", tmp_path / "out", "--json", report)
    assert code == 1
    content = json.loads(report.read_text())
    assert len(content["results"]) == 1
    assert len(content["unreadable"]) == 2
    errors = capsys.readouterr().err
    assert "junk.jpg" in errors
    assert "missing.jpg" in errors
    assert "2 of 3 images" in errors


def test_an_unknown_action_is_one_line_before_any_work(
    run: Run, mug: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run("predict", mug, "-a", "hold", "-a", "holdd", "-o", tmp_path / "out") == 2
    errors = capsys.readouterr().err.strip().splitlines()
    assert len(errors) == 1
    assert "error: action 'holdd' is not in this model's vocabulary" in errors[0]
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("model", ["x" * 400, "~nobody-of-this-name/model", "", "a\nb"])
def test_a_model_that_no_file_system_can_have_is_one_line(
    mug: Path, model: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", ["", "predict", str(mug), "-a", "hold", "--model", model])
    with pytest.raises(SystemExit) as stop:
        cli.main()
    assert stop.value.code == 2
    (line,) = capsys.readouterr().err.strip().splitlines()
    assert "model.safetensors" in line
    assert len(line) < 400


@pytest.mark.parametrize("threshold", ["0", "1.5", "nan", "high"])
def test_a_threshold_outside_its_range_is_refused(
    run: Run, mug: Path, threshold: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run("predict", mug, "-a", "hold", "--threshold", threshold) == 2
    assert "Traceback" not in capsys.readouterr().err


def test_an_output_folder_that_cannot_be_made_is_one_line(
    run: Run, mug: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run("predict", mug, "-a", "hold", "-o", mug / "out") == 2
    assert "error:" in capsys.readouterr().err


@pytest.mark.parametrize("protocol", ["locate", "plsp"])
def test_evaluate_prints_and_writes_the_same_numbers(
    run: Run,
    drawn_data: Path,
    tmp_path: Path,
    protocol: str,
    capsys: pytest.CaptureFixture[str],
) -> None:
    report, pictures = tmp_path / "report.json", tmp_path / "pictures"
    options = ("--protocol", protocol, "--baselines", "--json", report)
    assert run("evaluate", "--data", drawn_data, *options, "--pictures", pictures) == 0
    content = json.loads(report.read_text())
    assert content["protocol"] == protocol
    assert content["overall"]["n"] == 8
    assert content["baselines"].keys() == {"uniform", "centre_prior", "mean_of_train"}
    assert f"{content['overall']['kld']:.3f}" in capsys.readouterr().out
    assert len(list(pictures.glob("best_*.png"))) == 6


def test_turned_pictures_with_their_turn_score_as_the_plain_ones(
    monkeypatch: pytest.MonkeyPatch, colour_grounder: Grounder, drawn_data: Path, tmp_path: Path
) -> None:
    monkeypatch.setattr(loading, "_load_eager", lambda *_: colour_grounder)
    turned = tmp_path / "turned"
    for file in (drawn_data / "testset").rglob("*.png"):
        there = turned / file.relative_to(drawn_data)
        values = cv2.imread(str(file), cv2.IMREAD_UNCHANGED)
        there.parent.mkdir(parents=True, exist_ok=True)
        cv2.imwrite(str(there), np.rot90(values, -1))

    def evaluated(root: Path, *options: str) -> dict[str, Any]:
        report = tmp_path / "report.json"
        words = ("affordance-grounding", "evaluate", "--data", root, "--runtime", "eager")
        monkeypatch.setattr(sys, "argv", [*map(str, words), "--json", str(report), *options])
        with pytest.raises(SystemExit) as stop:
            cli.main()
        assert stop.value.code == 0
        content: dict[str, Any] = json.loads(report.read_text())
        return content

    plain = evaluated(drawn_data / "testset")
    found = evaluated(turned / "testset", "--image-turn", "90")
    assert (plain["image_turn"], found["image_turn"]) == (0, 90)
    assert found["overall"] == pytest.approx(plain["overall"], rel=1e-3)
    for action, scores in plain["per_action"].items():
        assert found["per_action"][action] == pytest.approx(scores, rel=1e-3)
    # Masks are brought to the protocol's square by the nearest pixel, which prefers a side.
    shares = (content["hot_regions"]["overall"]["giou"] for content in (plain, found))
    assert next(shares) == pytest.approx(next(shares), abs=0.005)


def test_evaluate_learns_from_the_training_set_what_objects_afford(
    run: Run, drawn_data: Path, tmp_path: Path
) -> None:
    folder = drawn_data / "testset" / "egocentric" / "drink_with"
    for file in sorted(folder.rglob("*.png")):
        file.unlink()
    assert run("evaluate", "--data", drawn_data, "--json", tmp_path / "r.json") == 0
    wrong = json.loads((tmp_path / "r.json").read_text())["detection"]["wrong"]
    assert wrong["per_object"] == {
        "hammer": {"pairs": 2, "found": 0},
        "mug": {"pairs": 2, "found": 0},
    }


def test_evaluate_can_look_at_one_object(run: Run, drawn_data: Path, tmp_path: Path) -> None:
    report = tmp_path / "report.json"
    assert run("evaluate", "--data", drawn_data, "--object", "mug", "--json", report) == 0
    content = json.loads(report.read_text())
    assert content["per_object"].keys() == {"mug"}
    assert content["detection"]["wrong"]["per_action"].keys() == {"hit"}
    assert run("evaluate", "--data", drawn_data, "--object", "cup") == 2


def test_evaluate_without_training_set_says_which_baseline_is_missing(
    run: Run, drawn_data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (drawn_data / "trainset").rename(tmp_path / "elsewhere")
    assert run("evaluate", "--data", drawn_data, "--baselines") == 0
    captured = capsys.readouterr()
    assert "no mean-of-train baseline" in captured.err
    assert "centre_prior" in captured.out


def test_a_wrong_data_folder_is_one_line(
    run: Run, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run("evaluate", "--data", tmp_path) == 2
    errors = capsys.readouterr().err.strip().splitlines()
    assert len(errors) == 1
    assert errors[0].startswith("error: dataset folder")


def test_actions_lists_the_vocabulary_with_its_aliases(
    run: Run, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run("actions", "--json", tmp_path / "actions.json") == 0
    assert [line.split() for line in capsys.readouterr().out.splitlines()] == [
        ["hold", "grasp"],
        ["drink_with"],
        ["hit"],
    ]
    assert json.loads((tmp_path / "actions.json").read_text())["actions"] == {
        "hold": ["grasp"],
        "drink_with": [],
        "hit": [],
    }


def test_actions_says_what_phrases_mean_and_fails_where_one_is_refused(
    run: Run, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run("actions", "take a sip", "hit the nail") == 0
    assert capsys.readouterr().out.splitlines()[0].startswith("'take a sip': drink_with (phrase, 0")
    outcome = tmp_path / "actions.json"
    assert run("actions", "grasp", "pour the tea", "--json", outcome) == 1
    assert "refused: action 'pour the tea' asks for 'pour'" in capsys.readouterr().err
    report = json.loads(outcome.read_text())
    assert [one["found_by"] for one in report["resolved"]] == ["alias"]
    assert [one["text"] for one in report["refused"]] == ["pour the tea"]


def test_actions_and_predict_know_a_word_that_stops(
    run: Run, mug: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    outcome = tmp_path / "actions.json"
    assert run("actions", "never mind", "hold", "--json", outcome) == 0
    assert capsys.readouterr().out.splitlines()[0] == "'never mind': stop, which asks for no action"
    assert json.loads(outcome.read_text())["stop"] == ["never mind"]
    assert run("predict", mug, "--action", "stop", "-o", tmp_path / "out") == 2
    assert "error: action 'stop' says to stop" in capsys.readouterr().err


def test_predict_says_what_it_took_a_phrase_for(
    run: Run, mug: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    report = tmp_path / "report.json"
    action = ("--action", "grab the mug by its handle")
    assert run("predict", mug, *action, "-o", tmp_path / "out", "--json", report) == 0
    assert "means hold (phrase, 0.95)" in capsys.readouterr().err
    (resolution,) = json.loads(report.read_text())["resolutions"]
    assert resolution["action"] == "hold"
    assert run("predict", mug, "--action", "don't touch it", "-o", tmp_path / "out") == 2


def test_data_check_counts_and_fails_on_unreadable_files(
    run: Run, drawn_data: Path, mug: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run("data", "check", drawn_data, "--thorough") == 0
    assert "testset: 8 images, 3 actions, 2 objects, 4 pairs" in capsys.readouterr().out
    mug.write_bytes(b"junk")
    assert run("data", "check", drawn_data, "--thorough") == 1
    assert "mug_0.png" in capsys.readouterr().out


def test_the_module_is_the_same_program() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "affordance_grounding_core", "--help"],
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert done.returncode == 0
    for command in ("predict", "evaluate", "actions", "data", "weights"):
        assert command in done.stdout


def test_a_file_in_place_of_the_output_folder_is_named(
    run: Run, mug: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run("predict", "--action", "hold", mug, "--output", mug) == 2
    assert "'--output'" in capsys.readouterr().err


@pytest.mark.parametrize(
    "arguments",
    [
        ("predict", "mug.png", "-a", "hold", "-o"),
        ("predict", "mug.png", "-a", "hold", "--json"),
        ("evaluate", "--data", "root", "--pictures"),
        ("evaluate", "--data", "root", "--json"),
        ("actions", "hold", "--json"),
        ("export", "--output"),
        ("benchmark", "--store"),
        ("benchmark", "--plot"),
        ("label", "--data", "root", "--out"),
        ("import", "locate", "file"),
    ],
    ids=" ".join,
)
def test_what_cannot_be_written_is_refused_before_anything_is_loaded(
    run: Run,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    arguments: tuple[str, ...],
) -> None:
    monkeypatch.setattr(loading, "load_grounder", lambda *_, **__: pytest.fail("it was loaded"))
    (tmp_path / "file").write_text("")
    place = tmp_path / "file" / "below.png"
    assert run(*arguments, place) == 2
    [line] = capsys.readouterr().err.splitlines()
    option = {"-o": "--output", "file": "DIR"}.get(arguments[-1], arguments[-1])
    kind = "file" if option in ("--json", "--plot") else "folder"
    assert line.startswith(
        f"error: {option!r} names {kind} {str(place)!r}, which cannot be written"
    )
    assert f"({tmp_path / 'file'} is no folder)" in line
    assert "name another one" in line


def test_a_folder_is_no_file_to_write_and_a_file_of_the_user_is(
    run: Run, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run("actions", "hold", "--json", tmp_path) == 2
    assert "it is a folder" in capsys.readouterr().err
    (tmp_path / "old.json").write_text("old")
    assert run("actions", "hold", "--json", tmp_path / "old.json") == 0
    assert json.loads((tmp_path / "old.json").read_text())["refused"] == []


def test_a_plot_without_matplotlib_is_refused_before_anything_is_measured(
    run: Run,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(loading, "load_grounder", lambda *_, **__: pytest.fail("it was loaded"))
    monkeypatch.setattr(benchmark.importlib.util, "find_spec", lambda _: None)
    assert run("benchmark", "--plot", tmp_path / "times.png") == 2
    assert "pip install 'affordance-grounding-core[plot]'" in capsys.readouterr().err


def test_the_version_is_said(run: Run, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("--version") == 0
    assert capsys.readouterr().out == f"affordance-grounding {__version__}\n"


def test_engines_are_listed_measured_and_cleared(
    run: Run, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    store = ("--store", tmp_path / "engines")
    assert run("engines", "list", *store) == 0
    assert "no engines in" in capsys.readouterr().out
    engines = ArtifactStore(tmp_path / "engines")
    for slot, failures in (("ab/onnx", ()), ("ab/openvino", ("peak is off",)), ("cd/onnx", ())):
        engines.find_or_build(slot, {}, engine_of_two_megabytes(failures))
    (tmp_path / "engines" / "notes.txt").write_text("of the user")
    assert run("engines", "list", *store) == 0
    first, second, _ = capsys.readouterr().out.splitlines()
    assert first.split() == ["2.0", "MB", "ab/onnx", "usable"]
    assert second.split() == ["0.0", "MB", "ab/openvino", "peak", "is", "off"]
    assert run("engines", "size", *store) == 0
    assert "4.0 MB in 3 engine(s)" in capsys.readouterr().out
    assert run("engines", "clear", "nothing", *store) == 2
    assert "no engine in" in capsys.readouterr().err
    assert run("engines", "clear", "ab", *store) == 0
    assert capsys.readouterr().out == "2 engine(s) removed, 2.0 MB freed\n"
    assert engines.find("cd/onnx", {}) is not None
    with FileLock(tmp_path / "engines" / "cd" / "onnx.lock"):
        assert run("engines", "clear", *store) == 0
    assert engines.find("cd/onnx", {}) is not None, "another process is at it"
    assert run("engines", "clear", *store) == 0
    assert [path.name for path in (tmp_path / "engines").iterdir()] == ["notes.txt"]


def engine_of_two_megabytes(failures: tuple[str, ...]) -> Callable[[Path], Verdict]:
    def build(folder: Path) -> Verdict:
        (folder / "engine.bin").write_bytes(bytes(2_000_000))
        return Verdict(None, failures)

    return build


def test_evaluate_takes_a_manifest(
    run: Run, drawn_data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    place = Path("testset") / "egocentric" / "hold" / "mug" / "mug_0.png"
    heat = Path("testset") / "GT" / "hold" / "mug" / "mug_0.png"
    (drawn_data / "list.csv").write_text(f"image,sentence,heatmap\n{place},hold the mug,{heat}\n")
    options = ("--baselines", "--pictures", tmp_path / "p", "--json", tmp_path / "r.json")
    assert run("evaluate", "--manifest", drawn_data / "list.csv", *options) == 0
    content = json.loads((tmp_path / "r.json").read_text())
    assert (content["data"], content["overall"]["n"]) == ("list.csv", 1)
    assert content["baselines"].keys() == {"uniform", "centre_prior"}
    capsys.readouterr()
    for wrong in ([], ["--data", drawn_data, "--manifest", drawn_data / "list.csv"]):
        assert run("evaluate", *wrong) == 2
        assert "--data ROOT or --manifest FILE, one of the two" in capsys.readouterr().err
    assert run("evaluate", "--manifest", drawn_data / "list.csv", "--object", "mug") == 2


def test_data_convert_writes_what_evaluate_reads(
    run: Run, drawn_data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    scene = tmp_path / "handal_dataset_mugs" / "test" / "000001"
    picture = drawn_data / "testset" / "egocentric" / "hold" / "mug" / "mug_0.png"
    for place in ("rgb/000000.jpg", "mask_parts/000000_000000_handle.png"):
        (scene / place).parent.mkdir(parents=True)
        (scene / place).write_bytes(picture.read_bytes())
    assert run("data", "convert", "handal", tmp_path, "-o", tmp_path / "out") == 0
    assert "manifest.jsonl: 1 rows" in capsys.readouterr().out
    assert run("evaluate", "--manifest", tmp_path / "out" / "manifest.jsonl") == 0
    assert run("data", "convert", "umd", tmp_path, "-o", tmp_path / "out") == 2
    assert "tools' of part-affordance-dataset" in capsys.readouterr().err
