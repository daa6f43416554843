"""Several seeds of a training, through the command line: scored, resumed, put side by side."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from affordance_grounding_core.benchmark import seeds
from affordance_grounding_core.benchmark.papers import PLSP_LOSSES, PUBLISHED
from affordance_grounding_core.benchmark.seed_tables import seed_tables
from affordance_grounding_core.benchmark.seeds import REPORT, SeedRuns, run_seeds
from affordance_grounding_core.commands.cli import app
from affordance_grounding_core.errors import TrainingError
from affordance_grounding_core.inference.grounder import Grounder
from affordance_grounding_core.methods.training import run_training
from tests.core.methods.selective_cl.conftest import forty_images, tiny

__all__ = ["forty_images", "tiny"]

Arguments = Callable[..., list[str]]


@pytest.fixture
def trainings(monkeypatch: pytest.MonkeyPatch, colour_grounder: Grounder) -> list[Sequence[str]]:
    """Train in this process and score a grounder that needs no weights; lists what is trained."""
    trained: list[Sequence[str]] = []

    def train(arguments: Sequence[str]) -> None:
        trained.append(arguments)
        run_training("selective_cl", arguments)

    monkeypatch.setattr(seeds, "in_process", train)
    monkeypatch.setattr(seeds, "load_grounder", lambda *_: colour_grounder)
    return trained


def test_five_seeds_are_tried_by_one_command(
    forty_images: Path, tiny: Arguments, tmp_path: Path, trainings: list[Sequence[str]]
) -> None:
    options = tiny(forty_images, tmp_path / "run", "--seeds", "5", "--fast-dev-run")
    outcome = CliRunner().invoke(app, ["train", *options])
    assert outcome.exit_code == 0, outcome.output
    assert len(trainings) == 5
    report = json.loads((tmp_path / "run" / "trial" / REPORT).read_text())
    assert [seed["seed"] for seed in report["seeds"]] == [0, 1, 2, 3, 4]
    last = report["seeds"][4]["checkpoints"]["last"]
    assert last["protocols"].keys() == {"locate", "plsp"}
    assert last["protocols"]["plsp"]["heat"]["n"] == 1  # one known action
    assert len({seed["checkpoints"]["last"]["fingerprint"] for seed in report["seeds"]}) == 5
    assert report["environment"]["packages"]["torch"]
    assert "ours: heat" in outcome.output
    assert "A trial" in outcome.output
    assert not (tmp_path / "run" / "seed_0").exists()


def test_seeds_that_are_done_are_not_run_again(
    forty_images: Path, tiny: Arguments, tmp_path: Path, trainings: list[Sequence[str]]
) -> None:
    options = tiny(forty_images, tmp_path / "run", "--trainer.max_epochs=1")
    run_seeds("selective_cl", options, 1)
    runs = run_seeds("selective_cl", options, 2)
    assert [a[-1] for a in trainings] == [
        f"--output={tmp_path / 'run' / f'seed_{n}'}" for n in (0, 1)
    ]
    first = runs.report["seeds"][0]
    assert first["checkpoints"].keys() == {"best", "last"}
    assert first["seconds"] > 0
    assert len(first["checkpoints"]["last"]["losses"]) == 1
    assert {"loss"} <= first["checkpoints"]["last"]["losses"][0].keys()
    (tmp_path / "run" / "seed_1" / "outcome.json").unlink()
    run_seeds("selective_cl", options, 2)
    assert trainings[-1][-1] == "--resume=last"
    with pytest.raises(TrainingError, match="holds the run of other options"):
        run_seeds("selective_cl", [*options, "--model.optimiser.learning_rate=0.1"], 1)
    assert len(trainings) == 3
    table = seed_tables(runs)
    assert table.count("±") == 12
    assert "s an epoch with start and end" in table


def fake_runs(*klds: float) -> SeedRuns:
    def seed(number: int, kld: float) -> dict[str, Any]:
        score = {"kld": kld, "sim": 0.5, "nss": 1.5, "n": 1}
        checkpoint = {
            "epochs": 12,
            "losses": [dict(PLSP_LOSSES[0])] * 12,
            "scores_of_epochs": [{"epoch": 11, "plsp_kld": kld}],
            "protocols": {name: {"heat": score} for name in ("locate", "plsp")},
        }
        return {
            "seed": number,
            "seconds": 120.0,
            "peak_memory_mb": 900,
            "checkpoints": {"best": checkpoint, "last": checkpoint},
        }

    report = {"trial": False, "seeds": [seed(n, kld) for n, kld in enumerate(klds)]}
    return SeedRuns("plsp", "Seen", report)


def test_the_table_has_the_form_of_the_papers() -> None:
    lines = [" ".join(line.split()) for line in seed_tables(fake_runs(0.8, 1.0)).splitlines()]
    assert "WSAG-PLSP 0.890 0.510 1.547 best, published" in lines
    assert "ours: heat 0.900 ± 0.141 0.500 ± 0.000 1.500 ± 0.000 2 best" in lines
    assert "11, theirs 5.930 0.549 0.052 0.472 0.116 0.213" in lines
    assert lines.count("11, ours 0.900 ± 0.141") == 1
    assert "10 s an epoch with start and end, 900 MB of memory at most" in lines
    # Rows of another protocol never stand beside ours.
    place = lines.index("WSAG-PLSP 0.890 0.510 1.547 best, published")
    assert any(line.startswith("protocol plsp") for line in lines[:place])
    assert len(PUBLISHED["locate", "Seen"]) == 6


@pytest.mark.parametrize(
    ("options", "message"),
    [(["--seeds", "0"], "at least 1, got '0'"), (["--seeds=x"], "at least 1, got 'x'")],
)
def test_a_number_of_seeds_that_is_none_is_refused(options: list[str], message: str) -> None:
    outcome = CliRunner().invoke(app, ["train", *options])
    assert outcome.exit_code == 2
    assert message in outcome.output


def test_seeds_need_a_place_and_data() -> None:
    with pytest.raises(TrainingError, match=r"--output and --data\.root"):
        run_seeds("plsp", [], 2)
