"""The training method is read from the config."""

from __future__ import annotations

from pathlib import Path

import pytest

from affordance_grounding_core.errors import TrainingError
from affordance_grounding_core.methods.training import trainer_arguments, training_method

CONFIGS = Path(__file__).parents[3] / "config" / "train"


@pytest.mark.parametrize(
    ("config", "method"),
    [("default", "action_head"), ("selective_cl_rendered", "selective_cl")],
)
def test_the_config_names_its_method(config: str, method: str) -> None:
    file = str(CONFIGS / f"{config}.yaml")
    assert training_method(["--config", file, "--output", "x"]) == method
    assert training_method([f"--config={file}"]) == method


def test_the_last_word_counts(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text("method: selective_cl\n")
    (tmp_path / "b.yaml").write_text("output: here\n")
    files = [f"--config={tmp_path / name}" for name in ("a.yaml", "b.yaml")]
    assert training_method(files) == "selective_cl"
    assert training_method([*files, "--method", "action_head"]) == "action_head"
    assert training_method([]) == "action_head"


@pytest.mark.parametrize("content", ["method: magic\n", "- a list\n", "a: [\n", "\x00"])
def test_what_names_no_method_is_refused(tmp_path: Path, content: str) -> None:
    file = tmp_path / "wrong.yaml"
    file.write_text(content)
    with pytest.raises(TrainingError, match=r"magic|must be a mapping|cannot be read"):
        training_method([f"--config={file}"])
    with pytest.raises(TrainingError, match="cannot be read"):
        training_method(["--config", str(tmp_path / "nowhere.yaml")])


def test_the_short_trial_run_is_an_option_of_the_trainer() -> None:
    assert trainer_arguments(["--fast-dev-run", "--output=x"]) == [
        "--trainer.fast_dev_run=true",
        "--output=x",
    ]
