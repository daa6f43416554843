"""A whole training run on drawn pictures, and the model that comes out of it."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from action_head_runs import all_but_time, tiny_run

from affordance_grounding_core import CheckpointError, load_grounder
from affordance_grounding_core.checkpoints.format import (
    packaged_checkpoint,
    read_checkpoint,
    write_checkpoint,
)
from affordance_grounding_core.checkpoints.sections import read_section
from affordance_grounding_core.errors import DatasetError
from affordance_grounding_core.images import read_rgb, write_png
from affordance_grounding_core.inference.preprocess import PreprocessConfig
from affordance_grounding_core.methods.action_head import task
from affordance_grounding_core.methods.action_head.calibration import (
    HeatThresholds,
    fit_thresholds,
)
from affordance_grounding_core.methods.action_head.checkpoint import start_from
from affordance_grounding_core.methods.action_head.config import ActionHeadConfig, ViewConfig
from affordance_grounding_core.methods.action_head.data import ActionHeadData, RepeatableShuffle
from affordance_grounding_core.methods.action_head.network import ActionHead
from affordance_grounding_core.methods.action_head.samples import (
    SamplePicture,
    read_pictures,
    read_samples,
)
from affordance_grounding_core.methods.action_head.training import train_from_config


def arguments(root: Path, output: Path, backbone: Path, *more: str) -> list[str]:
    return tiny_run("renders.yaml", root, output, backbone, *more)


def test_a_run_gives_a_model_and_the_same_seed_the_same_model(
    drawn_data: Path, random_backbone: Path, tmp_path: Path
) -> None:
    first = train_from_config(arguments(drawn_data, tmp_path / "a", random_backbone)).last
    second = train_from_config(arguments(drawn_data, tmp_path / "b", random_backbone)).last
    other = train_from_config(
        arguments(drawn_data, tmp_path / "c", random_backbone, "--seed_everything=1")
    ).last
    assert all_but_time(first) == all_but_time(second)
    assert first.config["weights_sha256"] != other.config["weights_sha256"]
    assert first.config["actions"] == ["hold", "drink_with", "hit"]
    assert first.config["training"]["seed"] == 0

    grounder = load_grounder(tmp_path / "a", backbone_weights=random_backbone)
    image = read_rgb(next((drawn_data / "testset" / "egocentric" / "hold" / "mug").iterdir()))
    result = grounder.ground(image, "Grasp")
    assert result.action == "hold"
    assert result.heatmap.shape == result.mask.shape == image.shape[:2]
    assert result.heatmap.dtype == np.float32
    assert result.found == bool(result.regions)
    assert grounder.information.fingerprint == first.fingerprint


def test_a_checkpoint_of_mixed_parts_is_refused(
    drawn_data: Path, random_backbone: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "model"
    train_from_config(arguments(drawn_data, folder, random_backbone, "--trainer.max_epochs=1"))
    config = json.loads((folder / "config.json").read_text())
    tensors = dict(read_checkpoint(folder).tensors)
    for change, reason in (
        ({"network": config["network"] | {"width": 64}}, "size mismatch"),
        ({"actions": ["hold"]}, "1 actions for 3 channels"),
        ({"regions": {"threshold": 7}}, "threshold must lie in"),
        ({"preprocess": None}, "'preprocess' is missing"),
        ({"method": "magic"}, "trained by method 'magic'"),
    ):
        write_checkpoint(folder, config | change, tensors)
        with pytest.raises(CheckpointError, match=reason):
            load_grounder(folder, backbone_weights=random_backbone)


def test_a_picture_under_two_actions_is_one_sample(drawn_data: Path) -> None:
    samples = read_samples(drawn_data, ["hold", "drink_with", "hit"])
    assert [(s.object_name, sorted(s.masks), s.absent) for s in samples[::3]] == [
        ("hammer", ["hit", "hold"], ("drink_with",)),
        ("mug", ["drink_with", "hold"], ("hit",)),
    ]
    masks = SamplePicture.of(samples[0]).labels
    assert {mask.shape for mask in masks.values()} == {(96, 128)}


def test_masks_that_cannot_be_used_are_left_out_by_name(
    drawn_data: Path, caplog: pytest.LogCaptureFixture
) -> None:
    masks = drawn_data / "trainset" / "PL" / "hold" / "mug"
    write_png(masks / "mug_0_pl.png", np.full((50, 50), 255, np.uint8))
    write_png(masks / "mug_1_pl.png", np.ones((96, 128), np.uint8))
    (masks / "mug_2_pl.png").write_bytes(b"no image")
    pictures = read_pictures(read_samples(drawn_data, ["hold", "drink_with", "hit"]))
    labelled = {sample.path.stem: set(picture.labels) for sample, picture in pictures.items()}
    assert labelled == {f"mug_{n}": {"drink_with"} for n in range(3)} | {
        f"hammer_{n}": {"hold", "hit"} for n in range(3)
    }
    assert "mug_0_pl.png' has 50 x 50 px, its image 96 x 128" in caplog.text
    assert "mug_1_pl.png' has no value of 128 or more, its highest is 1" in caplog.text
    assert "mug_2_pl.png' cannot be read as an image" in caplog.text
    assert "3 part masks are left out" in caplog.text


def test_excluded_objects_must_exist(
    drawn_data: Path, random_backbone: Path, tmp_path: Path
) -> None:
    with pytest.raises(DatasetError, match=r"'cup'.*expected some of \['hammer', 'mug'\]"):
        train_from_config(
            arguments(drawn_data, tmp_path, random_backbone, "--data.excluded_objects=[cup]")
        )


def test_excluded_objects_are_never_seen(drawn_data: Path, random_backbone: Path) -> None:
    data = ActionHeadData(
        str(drawn_data),
        ["hold", "drink_with", "hit"],
        blocks=[1],
        preprocess=PreprocessConfig(size=56),
        views=ViewConfig(count=2, mosaics=2),
        excluded_objects=["mug"],
        validation_every=1000,
        backbone_weights=str(random_backbone),
    )
    data.setup("fit")
    batches = list(data.train_dataloader())
    present = torch.cat([batch["present"] for batch in batches])
    assert len(present) == 6  # 3 hammers, 2 views; every mosaic has a mug in it
    assert not present[:, 1].any()


def test_an_action_that_few_scenes_show_is_never_called_absent(
    drawn_data: Path, random_backbone: Path
) -> None:
    def absent(scarce: int) -> list[bool]:
        data = ActionHeadData(
            str(drawn_data),
            ["hold", "drink_with", "hit"],
            blocks=[1],
            preprocess=PreprocessConfig(size=56),
            views=ViewConfig(count=1, mosaics=0),
            validation_every=1000,
            backbone_weights=str(random_backbone),
            scarce=scarce,
        )
        data.setup("fit")
        batches = list(data.train_dataloader())
        return torch.cat([batch["absent"] for batch in batches]).any(dim=0).tolist()

    # 3 hammers to hit with, 3 mugs to drink from.
    assert absent(3) == [False, True, True]
    assert absent(4) == [False, False, False]


def test_data_without_part_masks_say_so(drawn_data: Path) -> None:
    for mask in (drawn_data / "trainset" / "PL").rglob("*.png"):
        mask.unlink()
    with pytest.raises(DatasetError, match="no part masks"):
        read_samples(drawn_data, ["hold"])


@pytest.mark.parametrize("name", ["nothing_like_this", "../secret", ""])
def test_unknown_models_are_named(name: str) -> None:
    with pytest.raises(CheckpointError, match="model"):
        load_grounder(name)


def test_unknown_runtimes_are_named(
    drawn_data: Path, random_backbone: Path, tmp_path: Path
) -> None:
    from affordance_grounding_core import RuntimeUnavailableError

    train_from_config(
        arguments(drawn_data, tmp_path / "m", random_backbone, "--trainer.max_epochs=1")
    )
    with pytest.raises(RuntimeUnavailableError, match="'magic' is not available"):
        load_grounder(tmp_path / "m", "magic", backbone_weights=random_backbone)


@pytest.mark.parametrize(
    "config",
    [
        "default.yaml",
        "default_head.yaml",
        "research.yaml",
        "research_adapters.yaml",
        "research_average.yaml",
        "research_views.yaml",
    ],
)
def test_a_model_of_two_folders_draws_part_masks(
    config: str,
    drawn_data: Path,
    make_training_set: Callable[[Path], None],
    random_backbone: Path,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
) -> None:
    more = tmp_path / "more"
    make_training_set(more / "trainset")
    names = sorted(file.name for file in (more / "trainset" / "egocentric").rglob("mug_*.png"))
    (tmp_path / "names.txt").write_text("\n".join(names))
    checkpoint = train_from_config(
        tiny_run(
            config,
            drawn_data,
            tmp_path / "model",
            random_backbone,
            f"--data.photographs={more}",
            f"--data.photograph_list={tmp_path / 'names.txt'}",
            "--data.photograph_scenes={views: 2, mosaics: 0, insets: 1}",
            "--model.width=32",
            "--model.mask_width=8",
            "--trainer.max_epochs=1",
        )
    ).last
    assert checkpoint.config["network"]["mask_width"] == 8
    assert 0 < checkpoint.config["regions"]["mask_threshold"] < 1
    grounder = load_grounder(tmp_path / "model", "eager", backbone_weights=random_backbone)
    image = read_rgb(next((drawn_data / "testset" / "egocentric" / "hold" / "mug").iterdir()))
    result = grounder.ground(image, "hold", threshold=1e-6)
    assert result.mask.shape == image.shape[:2]
    assert result.found
    assert ("research only" in caplog.text) == (not config.startswith("default"))


@pytest.mark.parametrize("width", [24, 16])
def test_training_goes_on_with_part_masks_of_the_same_width_alone(width: int) -> None:
    folder = packaged_checkpoint("default")
    assert folder is not None
    stored = read_checkpoint(folder).config
    sizes = read_section(stored, "network", ActionHeadConfig)
    head = ActionHead(replace(sizes, mask_width=width))
    assert head.masks is not None
    fresh = {name: tensor.clone() for name, tensor in head.masks.state_dict().items()}
    trained = start_from(head, "default", stored["actions"])
    assert trained.masks is not None
    expected = trained.masks.state_dict() if width == sizes.mask_width else fresh
    for name, tensor in head.masks.state_dict().items():
        torch.testing.assert_close(tensor, expected[name], atol=0, rtol=0)


def test_a_list_that_names_no_picture_is_refused(drawn_data: Path) -> None:
    with pytest.raises(DatasetError, match="that are to be used"):
        read_samples([drawn_data, drawn_data], ["hold"], listed=["another.png"])


def test_training_begins_with_a_trained_head_of_the_same_kind(
    drawn_data: Path, random_backbone: Path, tmp_path: Path
) -> None:
    first = train_from_config(arguments(drawn_data, tmp_path / "a", random_backbone)).last
    still = ("--model.learning_rate=1e-9", "--model.rehearsal=1", "--trainer.max_epochs=1")
    begin = f"--model.initial={tmp_path / 'a'}"
    second = train_from_config(
        arguments(drawn_data, tmp_path / "b", random_backbone, begin, *still)
    ).last
    for name in ("patch_projection.weight", "mixing.weight", "action_embeddings.bias"):
        torch.testing.assert_close(second.tensors[name], first.tensors[name], atol=1e-6, rtol=0)
    assert second.config["training"]["initial"] == str(tmp_path / "a")
    for options, reason in (
        (["--model.width=64"], "other sizes"),
        (["--model.actions=[hold, hit]"], "its actions are"),
    ):
        with pytest.raises(CheckpointError, match=reason):
            train_from_config(
                arguments(drawn_data, tmp_path / "c", random_backbone, begin, *options)
            )


def test_a_run_is_averaged_with_another_and_its_thresholds_are_fitted_anew(
    drawn_data: Path, random_backbone: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fitted_on: list[torch.Tensor] = []

    def record(logits: torch.Tensor, *others: Any) -> HeatThresholds:
        fitted_on.append(logits)
        return fit_thresholds(logits, *others)

    monkeypatch.setattr(task, "fit_thresholds", record)
    first = train_from_config(arguments(drawn_data, tmp_path / "a", random_backbone)).last
    fitted_on.clear()
    seed = "--seed_everything=1"
    second = train_from_config(arguments(drawn_data, tmp_path / "b", random_backbone, seed)).last
    unlike = fitted_on[0]
    fitted_on.clear()
    average = (f"--model.average.model={tmp_path / 'a'}", "--model.average.share=0.25")
    mean = train_from_config(
        arguments(drawn_data, tmp_path / "c", random_backbone, seed, *average)
    ).last
    for name, tensor in mean.tensors.items():
        if name != "heat_offsets":
            expected = torch.lerp(second.tensors[name], first.tensors[name], 0.25)
            torch.testing.assert_close(tensor, expected, atol=1e-6, rtol=0)
    assert fitted_on[0].shape == unlike.shape
    assert not torch.equal(fitted_on[0], unlike), "peaks are those of the run before the average"
    assert mean.config["training"]["average"] == {"model": str(tmp_path / "a"), "share": 0.25}
    other = ("--model.width=64", f"--model.average.model={tmp_path / 'a'}")
    with pytest.raises(CheckpointError, match="cannot be averaged"):
        train_from_config(arguments(drawn_data, tmp_path / "d", random_backbone, *other))


def test_batches_are_of_one_size_and_hold_every_scene_once() -> None:
    torch.manual_seed(0)
    shuffle = RepeatableShuffle(10, 4, sizes=2)
    epochs = [list(shuffle) for _ in range(20)]
    assert all(len(epoch) == len(shuffle) == 10 for epoch in epochs)
    for epoch in epochs:
        assert {place % 10 for place in epoch} == set(range(10))
        assert all(len({place // 10 for place in epoch[i : i + 4]}) == 1 for i in (0, 4, 8))
    assert {epoch[0] // 10 for epoch in epochs} == {0, 1}
    assert len({tuple(epoch) for epoch in epochs}) == 20


def test_a_run_of_two_sizes_sees_both_and_answers_at_both(
    drawn_data: Path, random_backbone: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen = set()
    compare = task.ActionHeadTask.training_step

    def step(self: task.ActionHeadTask, batch: dict[str, torch.Tensor], index: int) -> torch.Tensor:
        seen.add((batch["labels"].shape[-1], batch["masks"].shape[-1], batch["pixels"].shape[-1]))
        return compare(self, batch, index)

    monkeypatch.setattr(task.ActionHeadTask, "training_step", step)
    options = ("--data.further_sizes=[168]", "--model.mask_width=8", "--model.adapter_rank=2")
    model = tmp_path / "a"
    train_from_config(arguments(drawn_data, model, random_backbone, *options))
    assert seen == {(8, 56, 112), (12, 84, 168)}
    image = read_rgb(next((drawn_data / "testset" / "egocentric" / "hold" / "mug").iterdir()))
    for size in (None, 168):
        grounder = load_grounder(model, backbone_weights=random_backbone, input_size=size)
        assert grounder.ground(image, "hold").heatmap.shape == image.shape[:2]


@pytest.mark.parametrize("option", ["--data.further_sizes=[100]", "--data.labels=image_level"])
def test_sizes_that_cannot_be_trained_for_are_refused(
    drawn_data: Path, random_backbone: Path, tmp_path: Path, option: str
) -> None:
    options = ("--data.further_sizes=[168]", option)
    with pytest.raises(ValueError, match="further_sizes must be multiples of 14 px"):
        train_from_config(arguments(drawn_data, tmp_path, random_backbone, *options))
