"""Training from image-level labels alone, from folders of pictures to a model."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from affordance_grounding_core import load_grounder
from affordance_grounding_core.backbones import weights
from affordance_grounding_core.backbones.dinov2 import Dinov2
from affordance_grounding_core.checkpoints.format import Checkpoint
from affordance_grounding_core.errors import DatasetError
from affordance_grounding_core.methods.action_head.samples import read_samples
from affordance_grounding_core.methods.action_head.training import train_from_config

CONFIG = Path(__file__).parents[4] / "config" / "train" / "weak.yaml"


@pytest.fixture
def random_backbone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A weights file of the right architecture, and a cache of its own for the features."""
    monkeypatch.setenv(weights.CACHE_VARIABLE, str(tmp_path / "cache"))
    torch.manual_seed(0)
    save_file(Dinov2().transformer.state_dict(), tmp_path / "backbone.safetensors")
    return tmp_path / "backbone.safetensors"


def train(root: Path, output: Path, backbone: Path) -> Checkpoint:
    return train_from_config(
        [
            f"--config={CONFIG}",
            f"--data.root={root}",
            f"--output={output}",
            f"--data.backbone_weights={backbone}",
            "--model.actions=[hold, drink_with, hit]",
            "--data.preprocess.size=112",
            "--data.batch_size=4",
            "--data.views.count=2",
            "--data.validation_every=3",
            "--trainer.max_epochs=1",
            "--trainer.enable_progress_bar=false",
        ]
    )


def test_no_mask_is_ever_looked_at(drawn_data: Path, random_backbone: Path, tmp_path: Path) -> None:
    with_masks = train(drawn_data, tmp_path / "a", random_backbone)
    shutil.rmtree(drawn_data / "trainset" / "PL")
    without = train(drawn_data, tmp_path / "b", random_backbone)
    assert with_masks.fingerprint == without.fingerprint
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
