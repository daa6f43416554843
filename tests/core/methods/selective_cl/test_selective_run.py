"""Whole runs on forty pictures: what they leave behind, and that nothing depends on chance."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import yaml
from typer.testing import CliRunner

from affordance_grounding_core.actions.datasets import AGD20K_SEEN, AGD20K_UNSEEN, HICO_IIF
from affordance_grounding_core.checkpoints.format import read_checkpoint
from affordance_grounding_core.commands.cli import app
from affordance_grounding_core.errors import CheckpointError, DatasetError, TrainingError
from affordance_grounding_core.methods.selective_cl import task as task_module
from affordance_grounding_core.methods.selective_cl.checkpoint import read_model
from affordance_grounding_core.methods.selective_cl.training import train_from_config
from affordance_grounding_core.training import checkpoint_io

Arguments = Callable[..., list[str]]
CONFIGS = Path(__file__).parents[4] / "config" / "train"


def head_of(folder: Path) -> dict[str, torch.Tensor]:
    return {n: v for n, v in read_checkpoint(folder).tensors.items() if n.startswith("head.")}


def assert_equal(one: dict[str, torch.Tensor], other: dict[str, torch.Tensor]) -> None:
    assert one.keys() == other.keys()
    for name, value in one.items():
        assert torch.equal(value, other[name]), name


@pytest.mark.parametrize(("affinity", "cached"), [("clip", "true"), ("saliency", "false")])
def test_a_run_leaves_two_models_and_both_of_their_scores(
    forty_images: Path, tiny: Arguments, tmp_path: Path, affinity: str, cached: str
) -> None:
    output = tmp_path / "run"
    outcome = train_from_config(
        tiny(
            forty_images,
            output,
            f"--model.backbones.affinity={affinity}",
            f"--data.cache_features={cached}",
        )
    )
    assert outcome.best is not None
    assert [score.epoch for score in outcome.scores] == [0, 1]
    assert all(np.isfinite(list(score.as_dict().values())).all() for score in outcome.scores)
    for checkpoint in (outcome.best, outcome.last):
        model = read_model(read_checkpoint(checkpoint.folder))
        assert model.actions == ("hold", "cut_with")
        assert (model.texts is not None) == (affinity == "clip")
        assert model.heat.fitted_on is not None
        record = checkpoint.config["training"]
        assert record["scores"] == [score.as_dict() for score in outcome.scores]
        assert record["labels"] == "image level"
    best = min(outcome.scores, key=lambda score: score.calibrated.kld)
    assert outcome.best.config["training"]["epoch"] == best.epoch
    assert outcome.last.config["training"]["epoch"] == 1
    assert (output / "tensorboard").is_dir()


def test_seeds_decide_everything_and_workers_nothing(
    forty_images: Path, tiny: Arguments, tmp_path: Path
) -> None:
    train_from_config(tiny(forty_images, tmp_path / "a", "--data.cache_features=false"))
    train_from_config(
        tiny(forty_images, tmp_path / "b", "--data.cache_features=false", "--data.workers=2")
    )
    train_from_config(
        tiny(forty_images, tmp_path / "c", "--data.cache_features=false", "--seed_everything=1")
    )
    first = head_of(tmp_path / "a" / "last")
    assert_equal(first, head_of(tmp_path / "b" / "last"))
    other = head_of(tmp_path / "c" / "last")
    assert any(not torch.equal(value, other[name]) for name, value in first.items())


@pytest.mark.parametrize("cached", ["true", "false"])
def test_a_resumed_run_is_the_run_that_was_never_stopped(
    forty_images: Path, tiny: Arguments, tmp_path: Path, cached: str
) -> None:
    # The rate falls every epoch, so that a schedule that lost its place would show.
    options = ["--model.optimiser.step_epochs=1", f"--data.cache_features={cached}"]
    whole = train_from_config(
        tiny(forty_images, tmp_path / "whole", *options, "--trainer.max_epochs=3")
    )
    train_from_config(tiny(forty_images, tmp_path / "parts", *options, "--trainer.max_epochs=1"))
    resumed = train_from_config(
        tiny(
            forty_images,
            tmp_path / "parts",
            *options,
            "--trainer.max_epochs=3",
            "--resume=last",
        )
    )
    assert_equal(head_of(tmp_path / "whole" / "last"), head_of(tmp_path / "parts" / "last"))
    assert_equal(head_of(tmp_path / "whole" / "best"), head_of(tmp_path / "parts" / "best"))
    assert resumed.scores == whole.scores


def test_a_trial_run_of_one_batch_goes_through_the_command_line(
    forty_images: Path, tiny: Arguments, tmp_path: Path
) -> None:
    outcome = CliRunner().invoke(
        app, ["train", *tiny(forty_images, tmp_path / "trial", "--fast-dev-run")]
    )
    assert outcome.exit_code == 0, outcome.output
    written = tmp_path / "trial" / "trial" / "last"
    assert f"checkpoint {written}" in outcome.output
    assert "the checkpoint is worth nothing" in outcome.output
    assert read_model(read_checkpoint(written)).actions == ("hold", "cut_with")


def test_a_trial_never_replaces_a_run(forty_images: Path, tiny: Arguments, tmp_path: Path) -> None:
    run = tmp_path / "run"
    train_from_config(tiny(forty_images, run, "--trainer.max_epochs=1"))
    before = {file: file.read_bytes() for file in run.rglob("*") if file.is_file()}
    outcome = CliRunner().invoke(app, ["train", *tiny(forty_images, run, "--fast-dev-run")])
    assert outcome.exit_code == 0, outcome.output
    assert all(file.read_bytes() == content for file, content in before.items())


def test_a_loss_that_is_not_finite_names_the_images(
    forty_images: Path, tiny: Arguments, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def spoilt(*arguments: Any, **options: Any) -> Any:
        output = task_module_objective(*arguments, **options)
        return output.__class__(**{**vars(output), "total": output.total * float("nan")})

    task_module_objective = task_module.selective_objective
    monkeypatch.setattr(task_module, "selective_objective", spoilt)
    with pytest.raises(TrainingError, match=r"(?s)loss is nan.*batch 0 of epoch 0.*_\d\.png"):
        train_from_config(tiny(forty_images, tmp_path / "run"))


def test_another_class_list_is_refused_by_name(
    forty_images: Path, tiny: Arguments, tmp_path: Path
) -> None:
    output = tmp_path / "run"
    train_from_config(tiny(forty_images, output, "--trainer.max_epochs=1"))
    with pytest.raises(
        CheckpointError,
        match=r"actions \['hold', 'cut_with'\], this run has \['cut_with', 'hold'\]",
    ):
        train_from_config(
            tiny(forty_images, output, "--resume=last", "--model.actions=[cut_with, hold]")
        )
    with pytest.raises(CheckpointError, match="does not fit this run's head"):
        train_from_config(tiny(forty_images, output, "--resume=last", "--model.hidden=16"))
    with pytest.raises(CheckpointError, match="no state to resume from"):
        train_from_config(tiny(forty_images, tmp_path / "other", "--resume=last"))


def test_a_full_disk_costs_one_epoch_and_no_more(
    forty_images: Path, tiny: Arguments, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    output = tmp_path / "run"
    train_from_config(tiny(forty_images, output, "--trainer.max_epochs=1"))
    before = (output / "lightning" / "last.ckpt").read_bytes()

    def full(*_: Any) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with monkeypatch.context() as patch:
        patch.setattr(checkpoint_io.torch, "save", full)
        with pytest.raises(CheckpointError, match=r"No space left.*--resume last"):
            train_from_config(tiny(forty_images, output, "--resume=last"))
    assert (output / "lightning" / "last.ckpt").read_bytes() == before
    assert len(train_from_config(tiny(forty_images, output, "--resume=last")).scores) == 2


@pytest.mark.parametrize("cached", ["true", "false"])
def test_damaged_and_tiny_images_are_left_out_and_counted(
    forty_images: Path, tiny: Arguments, tmp_path: Path, cached: str
) -> None:
    people = forty_images / "trainset" / "exocentric" / "hold" / "mug"
    whole = (people / "mug_0.png").read_bytes()
    (people / "mug_1.png").write_bytes(whole[: len(whole) // 2])
    (people / "mug_2.png").write_bytes(b"junk")
    (forty_images / "testset" / "GT" / "hold" / "mug" / "mug_0.png").write_bytes(b"")
    (forty_images / "trainset" / "exocentric" / "hold" / "empty").mkdir()
    outcome = train_from_config(
        tiny(forty_images, tmp_path / "run", f"--data.cache_features={cached}")
    )
    record = outcome.last.config["training"]
    if cached == "true":
        assert (record["files_left_out"], record["samples"]) == (3, 13)
    else:  # the header of the first is sound: it is met, and replaced, when it is loaded
        assert (record["files_left_out"], record["samples"]) == (2, 14)
        assert record["images_replaced"] >= 2


def test_held_out_pictures_need_part_masks(
    forty_images: Path, tiny: Arguments, tmp_path: Path
) -> None:
    with pytest.raises(DatasetError, match="AGD20K has none, so use test or none"):
        train_from_config(tiny(forty_images, tmp_path / "run", "--data.selection=validation"))
    outcome = train_from_config(tiny(forty_images, tmp_path / "run", "--data.selection=none"))
    assert outcome.best is None
    assert not outcome.scores


@pytest.mark.parametrize(
    ("name", "actions", "split", "epochs"),
    [
        ("agd20k_seen", AGD20K_SEEN, "seen", 15),
        ("agd20k_unseen", AGD20K_UNSEEN, "unseen", 15),
        ("hico_iif", HICO_IIF, "hico-iif", 50),
    ],
)
def test_the_published_settings_are_those_of_the_paper(
    name: str, actions: tuple[str, ...], split: str, epochs: int
) -> None:
    config = yaml.safe_load((CONFIGS / f"selective_cl_{name}.yaml").read_text())
    assert tuple(config["model"]["actions"]) == actions
    assert config["data"]["split"] == split
    assert config["trainer"]["max_epochs"] == epochs
    assert (config["data"]["batch_size"], config["data"]["exocentric_count"]) == (8, 3)
