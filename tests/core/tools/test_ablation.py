"""The ablation does every run once, and its table says what the runs said."""

from __future__ import annotations

import fcntl
import json
from pathlib import Path
from typing import Any

import pytest

from affordance_grounding_core.methods.selective_cl import training
from tools.studies.__main__ import main as studies
from tools.studies.ablation import OUTCOME, SETTINGS, as_markdown, make_rows
from tools.studies.harness import Run, plan_runs

NAMES = list(SETTINGS)


def main(arguments: list[str]) -> int:
    return studies(["ablation", *arguments])


def plan(output: Path) -> list[Run]:
    return plan_runs(output, [0], NAMES, OUTCOME)


class Score:
    def __init__(self, epoch: int, kld: float) -> None:
        self.epoch, self.kld = epoch, kld

    def as_dict(self) -> dict[str, float]:
        maps = {"plain": self.kld, "calibrated": self.kld - 0.5}
        return {"epoch": self.epoch} | {
            f"{kind}_{metric}": value
            for kind, kld in maps.items()
            for metric, value in (("kld", kld), ("sim", kld / 10), ("nss", -kld))
        }


@pytest.fixture
def calls(monkeypatch: pytest.MonkeyPatch) -> list[list[str]]:
    """Trainings that were asked for; each is best in its middle epoch."""
    seen: list[list[str]] = []

    def train(arguments: list[str]) -> Any:
        seen.append(arguments)
        seed = next(int(a.split("=")[1]) for a in arguments if a.startswith("--seed"))
        level = sum(part in " ".join(arguments) for part in ("=object", "=part"))
        kld = 2.0 - 0.1 * level + 0.01 * seed
        outcome = type("Outcome", (), {})()
        outcome.scores = [Score(-1, 3.0), Score(0, kld + 0.2), Score(1, kld), Score(2, kld + 0.1)]
        return outcome

    monkeypatch.setattr(training, "train_from_config", train)
    return seen


def test_every_setting_is_trained_once_with_every_seed(
    drawn_data: Path, tmp_path: Path, calls: list[list[str]], capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ["--data", str(drawn_data), "--output", str(tmp_path / "a"), "--seeds", "3", "5"]
    assert main([*arguments, "--", "--trainer.max_epochs=3"]) == 0
    assert len(calls) == 2 * len(SETTINGS)
    assert all("--trainer.max_epochs=3" in call for call in calls)
    assert [call for call in calls if "--model.objective.contrast.prototypes=none" in call] == [
        calls[0],
        calls[len(SETTINGS)],
    ]
    shown = capsys.readouterr().out
    assert "| untrained | - | plain | 3.000 ± 0.000" in shown
    assert "| classification only | best | plain | 2.040 ± 0.014" in shown
    assert "| classification only | last | plain | 2.140 ± 0.014" in shown
    assert "| classification only | last | calibrated | 1.640 ± 0.014" in shown
    assert "centre prior" in shown
    report = json.loads((tmp_path / "a" / "ablation.json").read_text())
    assert len(report["rows"]) == 2 + 4 * len(SETTINGS)
    assert main(arguments) == 0
    assert len(calls) == 2 * len(SETTINGS)


def test_a_run_that_another_process_is_at_is_left_to_it(
    drawn_data: Path, tmp_path: Path, calls: list[list[str]]
) -> None:
    taken = plan(tmp_path)[1].folder
    taken.mkdir(parents=True)
    with (taken / "claim").open("w") as claim:
        fcntl.flock(claim, fcntl.LOCK_EX)
        assert main(["--data", str(drawn_data), "--output", str(tmp_path), "--seeds", "0"]) == 0
    assert len(calls) == len(SETTINGS) - 1
    titles = {row.title for row in make_rows(plan(tmp_path))}
    assert SETTINGS[NAMES[1]].title not in titles
    assert SETTINGS[NAMES[2]].title in titles


def test_a_wrong_root_is_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ["--data", str(tmp_path / "no"), "--output", str(tmp_path / "out")]
    assert main(arguments) == 2
    assert "does not exist" in capsys.readouterr().err


def test_a_table_without_runs_has_its_references(tmp_path: Path) -> None:
    rows = make_rows(plan(tmp_path))
    assert not rows
    text = as_markdown(rows, {"uniform": {"kld": 2.5, "sim": 0.1, "nss": 0.0}})
    assert text.splitlines()[-1] == "| uniform | - | - | 2.500 | 0.100 | 0.000 | - |"


def test_part_masks_are_learned_from_only_where_a_setting_says_so(
    drawn_data: Path, tmp_path: Path, calls: list[list[str]]
) -> None:
    arguments = ["--data", str(drawn_data), "--output", str(tmp_path), "--seeds", "0"]
    assert main([*arguments, "--settings", "pixels", "both"]) == 0
    masks = f"--data.part_labels={drawn_data / 'trainset'}"
    assert [masks in call for call in calls] == [False, True]
    report = json.loads((tmp_path / "ablation.json").read_text())
    titles = {row["title"] for row in report["rows"]}
    assert titles == {"untrained", "+ pixels", "both as one"}
