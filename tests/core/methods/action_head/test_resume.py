"""Runs of the default model: what they keep, how they go on, and how they are tried."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

import pytest
import torch
from action_head_runs import tiny_run
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from typer.testing import CliRunner

from affordance_grounding_core import load_grounder
from affordance_grounding_core.checkpoints.format import read_checkpoint
from affordance_grounding_core.commands.cli import app
from affordance_grounding_core.errors import CheckpointError
from affordance_grounding_core.methods.action_head.task import ActionHeadTask
from affordance_grounding_core.methods.action_head.training import train_from_config

MASKS = ("--model.width=32", "--model.mask_width=8")
"""A small head that draws part masks."""


def tensors(folder: Path) -> Mapping[str, torch.Tensor]:
    return read_checkpoint(folder).tensors


def assert_equal(one: Path, other: Path) -> None:
    first, second = tensors(one), tensors(other)
    assert first.keys() == second.keys()
    for name, value in first.items():
        assert torch.equal(value, second[name]), name
    configs = [read_checkpoint(folder).config for folder in (one, other)]
    assert configs[0]["regions"] == configs[1]["regions"]
    assert configs[0]["training"]["metrics"] == configs[1]["training"]["metrics"]
    assert configs[0]["training"]["epoch"] == configs[1]["training"]["epoch"]


class Stopped(Exception):
    """Stands for a power cut."""


def stop_in(epoch: int, monkeypatch: pytest.MonkeyPatch) -> None:
    def stop(task: ActionHeadTask, *_: object) -> None:
        if task.current_epoch == epoch and task.trainer.global_step % 3 == 1:
            raise Stopped

    monkeypatch.setattr(ActionHeadTask, "on_train_batch_start", stop)


@pytest.mark.parametrize("more", [(), ("--data.workers=2",)], ids=["alone", "workers"])
def test_a_resumed_run_is_the_run_that_was_never_stopped(
    more: tuple[str, ...],
    drawn_data: Path,
    random_backbone: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    options = (*MASKS, "--trainer.max_epochs=3", "--trainer.check_val_every_n_epoch=2")
    whole, parts = tmp_path / "whole", tmp_path / "parts"
    train_from_config(tiny_run("research.yaml", drawn_data, whole, random_backbone, *options))
    run = tiny_run("research.yaml", drawn_data, parts, random_backbone, *options, *more)
    with monkeypatch.context() as patch:
        stop_in(2, patch)
        with pytest.raises(Stopped):
            train_from_config(run)
    assert not (parts / "config.json").exists()
    torch.rand(7)  # what a process draws before it resumes must not matter
    resumed = train_from_config([*run, "--resume=last"])
    assert_equal(whole, parts)
    assert_equal(whole / "best", parts / "best")
    assert resumed.last.config["training"]["epochs"] == 3
    assert_equal(whole, train_from_config([*run, "--resume=last"]).last.folder)


def test_a_run_keeps_its_best_and_its_last_epoch_and_what_it_logged(
    drawn_data: Path, random_backbone: Path, tmp_path: Path
) -> None:
    output = tmp_path / "run"
    outcome = train_from_config(
        tiny_run(
            "renders.yaml",
            drawn_data,
            output,
            random_backbone,
            "--model.learning_rate=1.0",  # so high that the last epoch is not the best
            "--trainer.max_epochs=3",
        )
    )
    assert outcome.best is not None
    assert (outcome.last.folder, outcome.best.folder) == (output, output / "best")
    best, last = (c.config["training"] for c in (outcome.best, outcome.last))
    assert (best["epoch"] < last["epoch"], last["epoch"]) == (True, 2)
    assert best["metrics"]["validation/loss"] < last["metrics"]["validation/loss"]
    for folder in (output, output / "best"):
        load_grounder(folder, "eager", backbone_weights=random_backbone)
    assert {file.name for file in (output / "lightning").iterdir()} == {"best.ckpt", "last.ckpt"}
    logged = EventAccumulator(str(output / "tensorboard")).Reload().Tags()
    assert {"train/loss", "validation/loss"} <= set(logged["scalars"])
    assert any(name.startswith("scored/") for name in logged["images"])


def test_what_does_not_fit_is_not_resumed(
    drawn_data: Path, random_backbone: Path, tmp_path: Path
) -> None:
    run = tiny_run("renders.yaml", drawn_data, tmp_path / "run", random_backbone)
    train_from_config(run)
    for options, reason in (
        (["--model.actions=[hit, hold, drink_with]"], "trained for the actions"),
        (["--model.width=64"], "does not fit this run's head"),
        (["--trainer.max_epochs=5"], "was to take .* steps, this one takes"),
    ):
        with pytest.raises(CheckpointError, match=reason):
            train_from_config([*run, "--resume=last", *options])
    with pytest.raises(CheckpointError, match="no state to resume from"):
        train_from_config([*run, "--resume=last", f"--output={tmp_path / 'other'}"])


@pytest.mark.parametrize("config", ["renders.yaml", "research.yaml", "default.yaml"])
def test_a_trial_takes_a_batch_and_never_replaces_a_run(
    config: str,
    drawn_data: Path,
    make_training_set: Callable[..., None],
    random_backbone: Path,
    tmp_path: Path,
) -> None:
    more = tmp_path / "more"
    make_training_set(more / "trainset", 6)
    (tmp_path / "names.txt").write_text("mug_4.png hammer_5.png")
    output = tmp_path / "run"
    output.mkdir()
    (output / "config.json").write_text("a model of before")
    photographs = [f"--data.photographs={more}", f"--data.photograph_list={tmp_path / 'names.txt'}"]
    options = [*photographs, "--data.photograph_scenes={views: 1}"]
    run = tiny_run(
        config,
        drawn_data,
        output,
        random_backbone,
        *MASKS,
        *(options if config != "renders.yaml" else ["--data.excluded_objects=[hammer]"]),
        "--data.views.count=9",
        "--fast-dev-run",
    )
    outcome = CliRunner().invoke(app, ["train", *run])
    assert outcome.exit_code == 0, outcome.output
    assert f"checkpoint {output / 'trial'}" in outcome.output
    assert "worth nothing" in outcome.output
    assert (output / "config.json").read_text() == "a model of before"
    load_grounder(output / "trial", "eager", backbone_weights=random_backbone)
    cached = list((tmp_path / "cache" / "features").glob("*.picture.npy"))
    assert 0 < len(cached) <= 8  # a batch of four to train on, and as many to validate


def test_a_larger_backbone_is_one_option_and_others_are_refused_by_name(
    drawn_data: Path, random_backbone: Path
) -> None:
    task = ActionHeadTask(["hold"], backbone="dinov2_vitb14")
    assert task.head.config.feature_width == 768
    run = tiny_run("renders.yaml", drawn_data, Path("unused"), random_backbone)
    for name in ("dino_vits16", "clip_vitb16", "magic"):
        with pytest.raises(ValueError, match=rf"dinov2_vitb14.*got '{name}'"):
            train_from_config([*run, f"--data.backbone={name}"])
