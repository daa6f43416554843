"""Options of a run as people type them: mistakes are named in one line, the help lists all."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from affordance_grounding_core.actions.datasets import HICO_IIF
from affordance_grounding_core.commands.cli import app
from affordance_grounding_core.errors import TrainingError, TrainingOptionError
from affordance_grounding_core.methods.action_head.training import train_from_config
from affordance_grounding_core.training.run_options import (
    expanded,
    is_trial,
    read_config,
    run_option,
)

CONFIGS = Path(__file__).parents[3] / "config" / "train"
DEFAULT = f"--config={CONFIGS / 'renders.yaml'}"


@pytest.mark.parametrize(
    ("option", "message"),
    [
        ("--data.rot=x", "--data.rot=x; did you mean --data.root"),
        ("--data.views.cont=4", "--data.views.cont=4; did you mean --data.views.count"),
        ("--trainer.max_epochs=abc", '"trainer.max_epochs": Expected a int .* value: abc'),
        ("--data.batch_size=x", '"data.batch_size": Expected a int. Got value: x'),
        ("--data.views.count=0", "at least one view, got 0"),
    ],
)
def test_what_is_wrong_with_an_option_is_one_line(option: str, message: str) -> None:
    with pytest.raises(TrainingOptionError, match=message) as caught:
        train_from_config([DEFAULT, option])
    told = str(caught.value)
    assert "\n" not in told
    assert len(told) < 250
    assert "--help` lists the options" in told


def test_a_mistyped_key_of_a_config_is_named(tmp_path: Path) -> None:
    text = (CONFIGS / "renders.yaml").read_text().replace("  batch_size:", "  batch_siz:")
    (tmp_path / "c.yaml").write_text(text)
    with pytest.raises(TrainingOptionError, match="'batch_siz'"):
        train_from_config([f"--config={tmp_path / 'c.yaml'}"])


@pytest.mark.parametrize("method", ["action_head", "plsp", "selective_cl"])
def test_the_help_lists_how_runs_are_tried(method: str) -> None:
    outcome = CliRunner().invoke(app, ["train", "--method", method, "--help"])
    assert outcome.exit_code == 0
    assert "--fast-dev-run" in outcome.output
    assert "--resume" in outcome.output


def test_options_are_found_in_configs_and_after_them(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text("output: one\ndata: {root: here, split: seen}\n")
    (tmp_path / "b.yaml").write_text("output: two\ntrainer: {fast_dev_run: true}\n")
    first, second = (f"--config={tmp_path / name}" for name in ("a.yaml", "b.yaml"))
    assert run_option([first], "data.root") == "here"
    assert run_option([first, "--data.root", "there"], "data.root") == "there"
    assert run_option([first, "--config", str(tmp_path / "b.yaml")], "output") == "two"
    assert run_option([first, second], "data.split") == "seen"
    assert run_option(["--output=x"], "data.root") is None
    assert is_trial([first, second])
    assert not is_trial([first, second, "--trainer.fast_dev_run=false"])
    assert not is_trial([first])


def test_a_config_says_only_what_differs_from_the_one_it_extends(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text("output: one\ndata: {root: here, split: seen, list: [1, 2]}\n")
    (tmp_path / "b.yaml").write_text("extends: a.yaml\ndata: {split: unseen, list: [3]}\n")
    whole = {"output": "one", "data": {"root": "here", "split": "unseen", "list": [3]}}
    assert read_config(tmp_path / "b.yaml") == whole
    option, content = expanded(["--config", str(tmp_path / "b.yaml")])
    assert (option, json.loads(content)) == ("--config", whole)


def test_a_config_that_extends_itself_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text("extends: b.yaml\n")
    (tmp_path / "b.yaml").write_text("extends: a.yaml\n")
    with pytest.raises(TrainingError, match="extends itself"):
        read_config(tmp_path / "a.yaml")
    (tmp_path / "c.yaml").write_text("extends: nowhere.yaml\n")
    with pytest.raises(TrainingError, match=r"nowhere\.yaml"):
        read_config(tmp_path / "c.yaml")


def test_a_vocabulary_goes_by_its_name(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text("model: {actions: hico-iif}\n")
    assert read_config(tmp_path / "a.yaml")["model"]["actions"] == list(HICO_IIF)
    (named,) = expanded(["--model.actions=hico-iif"])
    assert json.loads(named.partition("=")[2]) == list(HICO_IIF)
    (listed,) = expanded(["--model.actions", "[hold, pour]"])
    assert json.loads(listed.partition("=")[2]) == ["hold", "pour"]
    with pytest.raises(TrainingError, match=r"or one of \['agd20k-seen', .*got 'agd20k'"):
        expanded(["--model.actions", "agd20k"])
