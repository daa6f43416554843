"""The harness of the studies: what is done is kept, and what is wrong is one line."""

from __future__ import annotations

import importlib
from pathlib import Path

import pytest

from affordance_grounding_core.errors import DatasetError
from tools.studies.__main__ import STUDIES, main
from tools.studies.harness import Run, Study, kept, plan_runs, spread, table


def test_every_study_is_named_as_its_module_and_says_how_it_is_called() -> None:
    for name in STUDIES:
        study = importlib.import_module(f"tools.studies.{name}").STUDY
        assert isinstance(study, Study)
        assert study.name == name
        assert f"python -m tools.studies {name} " in str(study.description)


def test_an_unknown_study_is_answered_with_those_there_are(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert main(["ablatoin"]) == 2
    said = capsys.readouterr().err
    assert all(name in said for name in STUDIES)
    assert main(["--help"]) == 0
    assert "usage" in capsys.readouterr().out


def test_runs_are_planned_seed_by_seed(tmp_path: Path) -> None:
    runs = plan_runs(tmp_path, [4, 7], ["a", "b"], "done.json")
    assert [(run.setting, run.seed) for run in runs] == [("a", 4), ("b", 4), ("a", 7), ("b", 7)]
    assert runs[1].file == tmp_path / "b-4" / "done.json"


def test_a_run_is_done_once_and_a_failed_one_is_done_again(tmp_path: Path) -> None:
    (run,) = plan_runs(tmp_path, [0], ["a"], "done.json")
    made: list[Run] = []

    def fail(one: Run) -> dict[str, int]:
        made.append(one)
        raise OSError("disk full")

    def work(one: Run) -> dict[str, int]:
        made.append(one)
        return {"seed": one.seed}

    with pytest.raises(OSError, match="disk full"):
        run.do(fail)
    assert run.read() is None
    assert run.do(work)
    assert not run.do(work)
    assert made == [run, run]
    assert run.read() == {"seed": 0}


def test_a_damaged_outcome_is_named(tmp_path: Path) -> None:
    file = tmp_path / "outcome.json"
    file.write_text("{", encoding="utf-8")
    with pytest.raises(DatasetError, match=r"outcome.json' is damaged .* remove it"):
        kept(file, dict)
    assert kept(tmp_path / "new.json", lambda: {"a": 1}) == {"a": 1}


def test_a_table_has_a_mean_with_its_spread() -> None:
    assert spread([2.0]) == (2.0, 0.0)
    rows = [["x", spread([1.0, 2.0])]]
    assert table(["", "KLD"], rows) == "| | KLD |\n|---|---|\n| x | 1.500 ± 0.707 |"
