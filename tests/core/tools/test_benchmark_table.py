"""The benchmark runs what is missing once, keeps it, and says what it could not run."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from affordance_grounding_core.backbones.clip import random_clip
from affordance_grounding_core.data.agd20k import read_evaluation_set, read_training_set
from affordance_grounding_core.errors import DatasetError, TrainingError, WeightsError
from affordance_grounding_core.evaluation.protocols import PROTOCOLS
from affordance_grounding_core.evaluation.summary import mean_score
from tools.studies import benchmark_rows as runs
from tools.studies import benchmark_table as program
from tools.studies.__main__ import main
from tools.studies.benchmark_rows import ROWS, Outcome, read_kept
from tools.studies.benchmark_table import as_markdown, make_lines, put_table
from tools.studies.probes import GRID, probe_scores, train_probe, zero_shot_scores

LOCATE = PROTOCOLS["locate"]


class Commands:
    """Stands for the commands of the package: writes what they would write."""

    def __init__(self) -> None:
        self.seen: list[list[str]] = []
        self.failing = ""

    def __call__(self, arguments: Sequence[str]) -> None:
        self.seen.append(list(arguments))
        if self.failing and any(self.failing in argument for argument in arguments):
            raise TrainingError(f"no {self.failing} today")
        options = dict(a[2:].split("=", 1) for a in arguments if a.startswith("--") and "=" in a)
        if "evaluate" in arguments:
            seed = re.search(r"-(\d)/last$", options["model"])
            kld = 0.5 + 0.1 * int(seed[1] if seed else 0)
            scores = {
                "per_action": {
                    "hold": {"kld": kld, "sim": 0.6, "nss": 2.0, "n": 4},
                    "hit": {"kld": kld, "sim": 0.6, "nss": 2.0, "n": 4},
                    "write": {"kld": 9.0, "sim": 0.0, "nss": 0.0, "n": 90},
                }
            }
            report = {
                **scores,
                "raw_maps": {"class_map": scores, "log_density": scores},
                "fingerprint": "ab",
            }
            Path(options["json"]).parent.mkdir(parents=True, exist_ok=True)
            Path(options["json"]).write_text(json.dumps(report))
        elif "train" in arguments:
            (Path(options["output"]) / "last").mkdir(parents=True)
        else:
            pair = {"kld": 1.0, "sim": 0.4, "nss": 1.0}
            outcomes = [
                {"shots": shots, "object": name, "right": [{**pair, "kld": 3.0 / shots}] * 2}
                for shots in (1, 3, 5)
                for name in (None, "mug")
            ]
            Path(options["output"]).mkdir(parents=True, exist_ok=True)
            (Path(options["output"]) / "few_shot.json").write_text(
                json.dumps({"outcomes": outcomes})
            )


@pytest.fixture
def commands(monkeypatch: pytest.MonkeyPatch) -> Commands:
    made = Commands()
    monkeypatch.setattr(program, "run_command", made)
    return made


def run(data: Path, output: Path, rows: Sequence[str], *more: str) -> int:
    options = ["--data", str(data), "--output", str(output), "--rows", *rows, *more]
    return main(["benchmark_table", *options])


def test_every_training_is_run_once_with_every_seed_and_averaged(
    drawn_data: Path, tmp_path: Path, commands: Commands, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = ("uniform", "plsp", "both", "taught_1", "taught_3")
    more = ("--seeds", "0", "1", "--", "--trainer.max_epochs=2")
    assert run(drawn_data, tmp_path / "out", rows, *more) == 0
    first = capsys.readouterr().out
    trainings = [seen for seen in commands.seen if "train" in seen]
    assert len(trainings) == 4
    assert all("--trainer.max_epochs=2" in seen for seen in trainings)
    assert '--model.actions=["drink_with", "hit", "hold"]' in trainings[0]
    assert f"--data.part_labels={drawn_data}/trainset" in trainings[1]
    assert "| WSAG-PLSP | part masks, exocentric pictures | 0.550 ± 0.071 |" in first
    assert "| WSAG-PLSP: class map |" in first
    assert "| taught, 3 examples | 3 part masks an action | 1.000 ± 0.000 |" in first
    assert "- SelectiveCL: not asked for" in first
    asked = len(commands.seen)
    assert run(drawn_data, tmp_path / "out", rows, *more) == 0
    assert len(commands.seen) == asked, "what is done is not done again"
    table = capsys.readouterr().out.partition("| |")[2]
    assert table == first.partition("| |")[2]


def test_a_run_that_fails_is_named_and_tried_again(
    drawn_data: Path, tmp_path: Path, commands: Commands, capsys: pytest.CaptureFixture[str]
) -> None:
    commands.failing = "plsp_rendered.yaml"
    assert run(drawn_data, tmp_path / "out", ["plsp", "default"], "--seeds", "0") == 0
    said = capsys.readouterr().out
    assert "| WSAG-PLSP | part masks, exocentric pictures | not run | not run | not run |" in said
    assert "- WSAG-PLSP: no plsp_rendered.yaml today" in said
    assert "| the packaged model `default` | see its model card | 0.500 |" in said
    commands.failing = ""
    assert run(drawn_data, tmp_path / "out", ["plsp"], "--seeds", "0") == 0
    assert "| WSAG-PLSP | part masks, exocentric pictures | 0.500 |" in capsys.readouterr().out


def test_an_interrupted_training_goes_on(
    drawn_data: Path, tmp_path: Path, commands: Commands
) -> None:
    state = tmp_path / "out" / "runs" / "plsp-0" / "lightning" / "last.ckpt"
    state.parent.mkdir(parents=True)
    state.touch()
    assert run(drawn_data, tmp_path / "out", ["plsp"], "--seeds", "0") == 0
    assert "--resume=last" in commands.seen[0]


def test_guesses_are_scored_without_any_command(
    drawn_data: Path,
    make_training_set: Callable[[Path, int], None],
    tmp_path: Path,
    commands: Commands,
) -> None:
    make_training_set(drawn_data / "trainset", 5)
    guesses = ["uniform", "centre_prior", "mean_of_train"]
    assert run(drawn_data, tmp_path / "out", guesses) == 0
    assert commands.seen == []
    klds = {}
    for name in guesses:
        outcome = read_kept(tmp_path / "out" / "outcomes" / f"{name}-0.json")
        assert outcome is not None
        klds[name] = outcome.maps["heat"]["kld"]
        assert outcome.maps["heat"]["n"] == 8
        assert "log_density" not in outcome.maps
    assert klds["mean_of_train"] < klds["centre_prior"]
    assert klds["mean_of_train"] < klds["uniform"]


def test_actions_with_too_few_masks_are_not_scored(
    drawn_data: Path, tmp_path: Path, commands: Commands
) -> None:
    assert run(drawn_data, tmp_path / "out", ["uniform", "default"]) == 0
    for name in ("uniform", "default"):
        outcome = read_kept(tmp_path / "out" / "outcomes" / f"{name}-0.json")
        assert outcome is not None
        assert outcome.maps["heat"]["n"] == 4, "two of the three actions have 3 masks"


def test_data_without_any_action_to_teach_is_one_line(
    drawn_data: Path, tmp_path: Path, commands: Commands, capsys: pytest.CaptureFixture[str]
) -> None:
    shutil.rmtree(drawn_data / "trainset" / "PL" / "hold")
    assert run(drawn_data, tmp_path / "out", ["uniform"]) == 2
    assert "no action of the test set with 5 part masks" in capsys.readouterr().err


def test_photographs_have_a_table_of_their_own_without_what_people_do(
    drawn_data: Path,
    make_test_set: Callable[[Path, int], None],
    make_training_set: Callable[[Path, int], None],
    tmp_path: Path,
    commands: Commands,
    capsys: pytest.CaptureFixture[str],
) -> None:
    photographs, page = tmp_path / "photographs", tmp_path / "page.md"
    make_training_set(photographs / "trainset", 5)
    shutil.rmtree(photographs / "trainset" / "exocentric")
    make_test_set(photographs / "testset", 3)
    more = ("--photographs", str(photographs), "--photographs-name", "drawings", "--write")
    assert run(drawn_data, tmp_path / "out", ["uniform", "plsp", "research"], *more, str(page)) == 0
    first, _, second = page.read_text().partition("end of the benchmark table")
    assert "WSAG-PLSP" in first
    assert "WSAG-PLSP" not in second
    assert '12 pairs of a picture and an action of "drawings"' in second
    models = [
        (option(seen, "model"), option(seen, "data"))
        for seen in commands.seen
        if "train" not in seen
    ]
    assert ("research", str(drawn_data)) in models
    assert ("research", str(photographs)) in models
    kept = {file.parent.parent.name for file in (tmp_path / "out").rglob("research-0.json")}
    assert kept == {"out", "photographs"}


def test_rows_without_an_outcome_stay_as_the_page_has_them(
    drawn_data: Path, tmp_path: Path, commands: Commands, capsys: pytest.CaptureFixture[str]
) -> None:
    page = tmp_path / "page.md"
    first = ("plsp", "taught_1", "uniform")
    more = ("--write", str(page), "--name", "drawings", "--seeds", "0", "1")
    assert run(drawn_data, tmp_path / "first", first, *more) == 0
    before = page.read_text()
    assert "| WSAG-PLSP: class map | part masks, exocentric pictures | 0.550 ± 0.071 |" in before
    assert run(drawn_data, tmp_path / "second", ["default"], "--write", str(page)) == 0
    after = page.read_text()
    name, figures = "| the packaged model `default`", "| see its model card | 0.500 | 0.600 | 2.000"
    added = [f"{name} {figures} | - |", f"{name}: class map {figures} | - |"]
    gone = [line for line in before.splitlines() if line not in after.splitlines()]
    assert gone == [
        "| the packaged model `default` | see its model card | not run | not run | not run | - |",
        "- the packaged model `default`: not asked for",
    ]
    assert [line for line in after.splitlines() if line not in before.splitlines()] == added
    content = json.loads((tmp_path / "second" / "benchmark.json").read_text())
    stays = {line["title"]: line["stays"] for line in content["benchmark"] if not line["missing"]}
    assert stays["WSAG-PLSP"]
    assert not stays["the packaged model `default`"]
    assert run(drawn_data, tmp_path / "third", ["plsp"], *more[:2], "--seeds", "0") == 0
    renewed = page.read_text()
    assert "| WSAG-PLSP | part masks, exocentric pictures | 0.500 |" in renewed
    assert "\n".join(added) in renewed
    assert renewed.count("| WSAG-PLSP: class map |") == 1


def test_a_page_of_other_data_is_refused_and_left_alone(
    drawn_data: Path,
    make_training_set: Callable[[Path, int], None],
    tmp_path: Path,
    commands: Commands,
    capsys: pytest.CaptureFixture[str],
) -> None:
    page = tmp_path / "page.md"
    assert run(drawn_data, tmp_path / "first", ["default"], "--write", str(page)) == 0
    before = page.read_text()
    make_training_set(drawn_data / "trainset", 5)  # more actions have masks enough
    assert run(drawn_data, tmp_path / "second", ["uniform"], "--write", str(page)) == 2
    assert "is of 4 pairs of" in capsys.readouterr().err
    assert page.read_text() == before


def option(arguments: Sequence[str], name: str) -> str:
    return next(a.partition("=")[2] for a in arguments if a.startswith(f"--{name}="))


def test_without_clip_the_row_says_so(
    drawn_data: Path,
    tmp_path: Path,
    commands: Commands,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    def load() -> None:
        raise WeightsError("CLIP cannot be fetched\nand more")

    monkeypatch.setattr("affordance_grounding_core.backbones.clip.load_clip", load)
    assert run(drawn_data, tmp_path / "out", ["zero_shot"]) == 0
    said = capsys.readouterr()
    assert "- zero-shot: CLIP's patches and texts: weights that it needs cannot be" in said.out
    assert "zero_shot: CLIP cannot be fetched" in said.err


def test_a_damaged_outcome_and_wrong_data_are_one_line(
    drawn_data: Path, tmp_path: Path, commands: Commands, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "out" / "outcomes" / "uniform-0.json"
    file.parent.mkdir(parents=True)
    file.write_text("{}")
    assert run(drawn_data, tmp_path / "out", ["uniform"]) == 2
    assert "is damaged" in capsys.readouterr().err
    assert run(tmp_path / "nothing", tmp_path / "out", ["uniform"]) == 2
    assert len(capsys.readouterr().err.strip().splitlines()) == 1
    with pytest.raises(DatasetError, match="remove it"):
        read_kept(file)


def test_the_table_replaces_only_itself(tmp_path: Path) -> None:
    lines = make_lines("a", "nothing", [Outcome({"heat": {"kld": 1, "sim": 0, "nss": 0, "n": 3}})])
    table = as_markdown(lines, "drawn")
    assert "| a | nothing | 1.000 | 0.000 | 0.000 | - |" in table
    document = put_table("# Benchmark\n\nBefore.\n", "old")
    document = f"{document}\nAfter.\n"
    replaced = put_table(document, table)
    assert replaced == document.replace("old", table)
    assert put_table(replaced, table) == replaced
    assert put_table("", table).startswith("# Benchmark\n")
    both = put_table(replaced, "photographed", "photographs")
    assert both.startswith(replaced.rstrip())
    assert put_table(both, "again", "photographs") == both.replace("photographed", "again")


def channels(image: NDArray[np.uint8]) -> torch.Tensor:
    """Mean colour of every patch."""
    rows, columns = image.shape[0] // GRID, image.shape[1] // GRID
    cells = image[: rows * GRID, : columns * GRID].reshape(GRID, rows, GRID, columns, 3)
    return torch.from_numpy(cells.mean(axis=(1, 3)).reshape(-1, 3) / 255).float()


@pytest.mark.parametrize("blurred", [False, True])
def test_a_probe_finds_parts_by_their_features(drawn_data: Path, blurred: bool) -> None:
    training, testing = read_training_set(drawn_data), read_evaluation_set(drawn_data)
    arguments = (training.egocentric, testing.annotated, LOCATE, channels)
    scores = probe_scores(*arguments, blurred=blurred)
    again = probe_scores(*arguments, blurred=blurred)
    assert [score.score for score in scores] == [score.score for score in again]
    assert len(scores) == 8
    assert mean_score(scores).nss > 1.0


def test_a_probe_is_the_best_logistic_regression() -> None:
    generator = torch.Generator().manual_seed(0)
    tokens = torch.randn(400, 3, generator=generator)
    labels = torch.sigmoid(tokens @ torch.tensor([2.0, -1.0, 0.0]) + 0.5)
    logits = train_probe(tokens, labels)(tokens)
    torch.testing.assert_close(torch.sigmoid(logits), labels, atol=0.02, rtol=0.0)


def test_zero_shot_scores_every_pair(drawn_data: Path) -> None:
    testing = read_evaluation_set(drawn_data)
    scores = zero_shot_scores(random_clip(patch_size=32), testing.annotated, LOCATE)
    assert [score.image for score in scores] == list(testing.annotated)
    assert np.isfinite([score.score.kld for score in scores]).all()


def test_a_command_that_fails_says_its_last_line() -> None:
    with pytest.raises(TrainingError, match=r"ended with 3: the reason"):
        runs.run_command(["-c", "import sys; print('the reason', file=sys.stderr); sys.exit(3)"])


def test_rows_have_names_of_their_own() -> None:
    assert len({row.name for row in ROWS}) == len(ROWS)
    assert all((runs.CONFIGS / row.config).is_file() for row in ROWS if row.kind == "training")
