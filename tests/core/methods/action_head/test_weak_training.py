"""Training from image-level labels alone, from folders of pictures to a model."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from action_head_runs import all_but_time, tiny_run

from affordance_grounding_core import load_grounder
from affordance_grounding_core.checkpoints.format import Checkpoint
from affordance_grounding_core.errors import DatasetError
from affordance_grounding_core.methods.action_head.samples import read_samples
from affordance_grounding_core.methods.action_head.training import train_from_config


def train(root: Path, output: Path, backbone: Path) -> Checkpoint:
    return train_from_config(
        tiny_run("weak.yaml", root, output, backbone, "--trainer.max_epochs=1")
    ).last


def test_no_mask_is_ever_looked_at(drawn_data: Path, random_backbone: Path, tmp_path: Path) -> None:
    with_masks = train(drawn_data, tmp_path / "a", random_backbone)
    shutil.rmtree(drawn_data / "trainset" / "PL")
    without = train(drawn_data, tmp_path / "b", random_backbone)
    assert all_but_time(with_masks) == all_but_time(without)
    assert without.config["training"]["labels"] == "image_level"
    assert "hit" in without.config["training"]["weak"]["tool_actions"]
    assert load_grounder(tmp_path / "b", backbone_weights=random_backbone).vocabulary.names == (
        "hold",
        "drink_with",
        "hit",
    )


def test_all_pictures_count_where_no_mask_is_needed(drawn_data: Path) -> None:
    shutil.rmtree(drawn_data / "trainset" / "PL")
    samples = read_samples(drawn_data, ["hold", "drink_with", "hit"], with_masks=False)
    assert {sample.object_name for sample in samples} == {"hammer", "mug"}
    assert not any(sample.masks for sample in samples)
    with pytest.raises(DatasetError, match="no egocentric pictures of the actions"):
        read_samples(drawn_data, ["ride"], with_masks=False)


def test_data_without_exocentric_pictures_say_so(
    drawn_data: Path, random_backbone: Path, tmp_path: Path
) -> None:
    shutil.rmtree(drawn_data / "trainset" / "exocentric")
    with pytest.raises(DatasetError, match="no exocentric pictures"):
        train(drawn_data, tmp_path / "a", random_backbone)
