"""Whole runs of WSAG-PLSP on drawn pictures, and the models that come out of them."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from affordance_grounding_core import load_grounder
from affordance_grounding_core.actions.datasets import AGD20K_SEEN, AGD20K_UNSEEN, HICO_IIF
from affordance_grounding_core.backbones import weights
from affordance_grounding_core.backbones.clip import random_clip
from affordance_grounding_core.backbones.dinov2 import Dinov2
from affordance_grounding_core.backbones.transformer_backbone import TransformerSizes
from affordance_grounding_core.checkpoints.format import read_checkpoint
from affordance_grounding_core.errors import (
    CheckpointError,
    DatasetError,
    PartNameError,
    TrainingError,
)
from affordance_grounding_core.images import read_rgb, write_png
from affordance_grounding_core.methods.plsp import checkpoint, task
from affordance_grounding_core.methods.plsp.config import (
    PlspNetworkConfig,
    PlspOptimiserConfig,
    PlspSizes,
)
from affordance_grounding_core.methods.plsp.encoders import (
    ClipTokens,
    Dinov2Tokens,
    EncoderConfig,
    LoadedEncoder,
)
from affordance_grounding_core.methods.plsp.losses import distribution_loss
from affordance_grounding_core.methods.plsp.network import PlspNetwork
from affordance_grounding_core.methods.plsp.training import outcome_lines, train_from_config
from affordance_grounding_core.training.run_options import read_config

CONFIGS = Path(__file__).parents[4] / "config" / "train"
SIDE = 112
"""Of the tiny encoders' input in px: a multiple of 14 and of 16."""

Arguments = Callable[..., list[str]]


def tiny_encoder(config: EncoderConfig, size: int) -> LoadedEncoder:
    """Stand in for `load_encoder`: random weights, 24 channels."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(7)
        if not config.trained:
            backbone = Dinov2(sizes=TransformerSizes(size, 14, 24, 2, 6))
            return LoadedEncoder(Dinov2Tokens(backbone, size, config.precision), None)
        image = ClipTokens(size, 16, 24, 2, 4, 24)
    return LoadedEncoder(image, random_clip(5, embedding_width=24, layers=1).text)


@pytest.fixture
def tiny(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Arguments:
    """Put tiny encoders and an own cache in place; returns the arguments of a run."""
    monkeypatch.setenv(weights.CACHE_VARIABLE, str(tmp_path / "cache"))
    for module in (task, checkpoint):
        monkeypatch.setattr(module, "load_encoder", tiny_encoder)

    def arguments(root: Path, output: Path, *more: str) -> list[str]:
        return [
            f"--config={CONFIGS / 'plsp_rendered.yaml'}",
            f"--data.root={root}",
            f"--output={output}",
            "--model.actions=[hold, drink_with, hit]",
            "--model.sizes.width=16",
            "--model.sizes.decoder_heads=4",
            "--model.sizes.decoder_hidden=8",
            "--model.sizes.decoder_depth=1",
            f"--data.views={{resize: 128, crop: {SIDE}}}",
            "--data.batch_size=4",
            "--trainer.max_epochs=2",
            "--trainer.accelerator=cpu",
            "--trainer.enable_progress_bar=false",
            "--trainer.enable_model_summary=false",
            *more,
        ]

    return arguments


CLIP = (
    "--model.encoder={name: clip_vitb16}",
    "--model.sizes.width=24",
    "--data.cache_features=false",
    "--model.part_names.parts=[hold/mug=mug handle, drink_with/mug=mug rim]",
)


def tensors(folder: Path) -> Mapping[str, torch.Tensor]:
    return read_checkpoint(folder).tensors


def same(one: Mapping[str, torch.Tensor], other: Mapping[str, torch.Tensor]) -> bool:
    return one.keys() == other.keys() and all(torch.equal(v, other[n]) for n, v in one.items())


@pytest.mark.parametrize("encoder", [(), CLIP], ids=["dinov2", "clip"])
def test_a_run_leaves_two_grounders_and_their_scores(
    drawn_data: Path, tiny: Arguments, tmp_path: Path, encoder: tuple[str, ...]
) -> None:
    outcome = train_from_config(tiny(drawn_data, tmp_path / "run", *encoder))
    assert outcome.best is not None
    assert [score.epoch for score in outcome.scores] == [0, 1]
    assert all(np.isfinite(list(score.as_dict().values())).all() for score in outcome.scores)
    assert outcome.last.config["training"]["epoch"] == 1
    assert outcome.last.config["heat"]["fitted_on"] == "12 egocentric training images"
    assert any("protocol plsp: KLD" in line for line in outcome_lines(outcome))
    embedded = any(name.startswith("network.encoder.") for name in outcome.last.tensors)
    assert embedded == bool(encoder)
    image = read_rgb(next((drawn_data / "testset/egocentric/hold/mug").iterdir()))
    for folder in ("last", "best"):
        grounder = load_grounder(tmp_path / "run" / folder, "eager")
        result = grounder.ground(image, "hold")
        assert result.heatmap.shape == image.shape[:2]
        assert grounder.evaluation_maps(image, ["hit"])["log_density"].ndim == 3


def test_a_part_without_a_name_says_how_to_name_it(
    drawn_data: Path, tiny: Arguments, tmp_path: Path
) -> None:
    with pytest.raises(PartNameError, match=r"no part name for drink_with/mug .* hold/mug"):
        train_from_config(tiny(drawn_data, tmp_path / "run", *CLIP[:-1]))


def test_seeds_decide_everything_and_workers_nothing(
    drawn_data: Path, tiny: Arguments, tmp_path: Path
) -> None:
    for name, more in (("a", ()), ("b", ("--data.workers=2",)), ("c", ("--seed_everything=1",))):
        train_from_config(tiny(drawn_data, tmp_path / name, "--data.cache_features=false", *more))
    first = tensors(tmp_path / "a" / "last")
    assert same(first, tensors(tmp_path / "b" / "last"))
    assert not same(first, tensors(tmp_path / "c" / "last"))


@pytest.mark.parametrize("cached", ["true", "false"])
def test_a_resumed_run_is_the_run_that_was_never_stopped(
    drawn_data: Path, tiny: Arguments, tmp_path: Path, cached: str
) -> None:
    options = [f"--data.cache_features={cached}", "--model.sizes.drop_path=0.5"]
    train_from_config(tiny(drawn_data, tmp_path / "whole", *options))
    parts = tiny(drawn_data, tmp_path / "parts", *options)
    train_from_config([*parts, "--trainer.max_epochs=1"])
    resumed = train_from_config([*parts, "--resume=last"])
    assert [score.epoch for score in resumed.scores] == [0, 1]
    assert same(tensors(tmp_path / "whole" / "last"), tensors(tmp_path / "parts" / "last"))
    with pytest.raises(CheckpointError, match=r"trained for the actions .*'hit'\], this run has"):
        train_from_config([*parts, "--resume=last", "--model.actions=[drink_with, hold]"])
    with pytest.raises(CheckpointError, match="does not fit this run's network"):
        train_from_config([*parts, "--resume=last", "--model.sizes.width=32"])


def test_damaged_files_are_left_out_by_name(
    drawn_data: Path, tiny: Arguments, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    masks = drawn_data / "trainset" / "PL" / "hold" / "mug"
    write_png(masks / "mug_0_pl.png", np.full((50, 50), 255, np.uint8))
    write_png(masks / "mug_1_pl.png", np.zeros((96, 128), np.uint8))
    (masks / "mug_2_pl.png").write_bytes(b"no image")
    (drawn_data / "trainset/egocentric/hit/hammer/hammer_0.png").write_bytes(b"cut off")
    with caplog.at_level(logging.WARNING):
        outcome = train_from_config(tiny(drawn_data, tmp_path / "run", "--trainer.max_epochs=1"))
    assert outcome.last.config["training"]["samples"] == 8
    text = caplog.text
    assert "mug_0_pl.png' has 50 x 50 px, its image 96 x 128" in text
    assert "mug_1_pl.png' is empty: nothing was found" in text
    assert "mug_2_pl.png' cannot be read as an image" in text
    assert "hammer_0.png' cannot be read" in text
    assert "4 files are left out" in text
    assert text.count("No manifest.json") == 1


def test_an_image_that_turns_out_damaged_is_replaced(
    drawn_data: Path, tiny: Arguments, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    place = drawn_data / "trainset" / "egocentric" / "hold" / "hammer" / "hammer_1.png"
    place.write_bytes(place.read_bytes()[:200])  # the header is whole
    options = ["--data.cache_features=false", "--trainer.max_epochs=1"]
    with caplog.at_level(logging.WARNING):
        outcome = train_from_config(tiny(drawn_data, tmp_path / "run", *options))
    assert outcome.last.config["training"]["images_replaced"] >= 1
    assert "hammer_1.png" in caplog.text


def test_data_without_labels_or_people_say_so(
    drawn_data: Path, tiny: Arguments, tmp_path: Path
) -> None:
    import shutil

    shutil.rmtree(drawn_data / "trainset" / "exocentric")
    with pytest.raises(DatasetError, match=r"no exocentric image .* data\.exocentric_count=0"):
        train_from_config(tiny(drawn_data, tmp_path / "run"))
    alone = tiny(drawn_data, tmp_path / "run", "--data.exocentric_count=0")
    assert train_from_config([*alone, "--trainer.max_epochs=1"]).best is not None
    shutil.rmtree(drawn_data / "trainset" / "PL" / "hit")
    with pytest.raises(DatasetError, match=r"no part mask for the actions \['hit'\]"):
        train_from_config(alone)


def test_a_manifest_says_who_stands_beside(drawn_data: Path, tmp_path: Path) -> None:
    from affordance_grounding_core.data.agd20k import read_training_set
    from affordance_grounding_core.labelling.manifest import Manifest
    from affordance_grounding_core.labelling.partners import Partner, PartnerList
    from affordance_grounding_core.labelling.records import Finding, ImageRecord
    from affordance_grounding_core.methods.plsp.samples import PartSample, People, ranked_people

    whole = Finding(("mug",), ((32.0, 24.0, 64.0, 120.0),), (0.9,), "mask.png")
    record = ImageRecord("k", "exocentric", "hold", "mug", "person_1.png", 96, 128, None, whole)
    partner = PartnerList("hold", "mug", "mug_0.png", 0, (Partner("person_1.png", 0, 0.8),))
    Manifest({}, "clip", (record,), (partner,)).write(tmp_path)
    training = read_training_set(drawn_data)
    people = People(training, ranked_people(tmp_path, training), ())
    (chosen,) = people.beside(PartSample(Path("a/mug_0.png"), "hold", "mug", Path("m")))
    assert chosen.image.name == "person_1.png"
    assert chosen.box == (0.25, 0.25, 0.5, 1.0)
    others = people.beside(PartSample(Path("a/mug_1.png"), "hold", "mug", Path("m")))
    assert len(others) == 3


def test_a_loss_that_is_not_finite_names_the_files(
    drawn_data: Path, tiny: Arguments, tmp_path: Path
) -> None:
    with pytest.raises(TrainingError, match=r"loss is nan .*\n.*trainset/egocentric"):
        train_from_config(
            tiny(drawn_data, tmp_path / "run", "--model.optimiser.learning_rate=1.0e+30")
        )


def test_a_trained_encoder_is_not_cached(drawn_data: Path, tiny: Arguments, tmp_path: Path) -> None:
    options = [*CLIP, "--data.cache_features=true"]
    with pytest.raises(ValueError, match="keeps the tokens of an encoder that is not trained"):
        train_from_config(tiny(drawn_data, tmp_path / "run", *options))


def test_the_encoder_learns_at_a_tenth_of_the_rate(
    drawn_data: Path, tiny: Arguments, tmp_path: Path
) -> None:
    del tiny, tmp_path, drawn_data  # only the tiny encoders are needed
    sizes = PlspSizes(fuser_heads=4, decoder_heads=4)
    trained = task.PlspTask(["hold"], EncoderConfig("clip_vitb16"), sizes, size=SIDE)
    rates = {g["name"]: g["lr"] for g in trained.configure_optimizers().param_groups}
    assert rates == {"rest": pytest.approx(1e-4), "encoder": pytest.approx(1e-5)}
    assert not trained.action_vectors.requires_grad
    frozen = task.PlspTask(["hold"], EncoderConfig("dinov2_vits14"), sizes, size=SIDE)
    groups = frozen.configure_optimizers().param_groups
    assert [group["name"] for group in groups] == ["rest"]
    assert any(parameter is frozen.action_vectors for parameter in groups[0]["params"])


def test_eight_images_are_learnt_by_heart() -> None:
    torch.manual_seed(0)
    config = PlspNetworkConfig(
        actions=2,
        width=32,
        fuser_depth=1,
        fuser_heads=4,
        drop_path=0.0,
        decoder_depth=1,
        decoder_heads=4,
        decoder_hidden=32,
    )
    network = PlspNetwork(config, ClipTokens(48, 8, 32, 1, 4, 32)).train()
    rows, columns = torch.meshgrid(torch.arange(48.0), torch.arange(48.0), indexing="ij")
    places = 8 + 32 * torch.rand(8, 2)
    distance = (rows - places[:, 0, None, None]) ** 2 + (columns - places[:, 1, None, None]) ** 2
    pixels = (torch.exp(-distance / 30)[:, None] * 3).expand(-1, 3, -1, -1) - 0.5
    labels = torch.exp(-distance / 60)[:, None]
    labels = labels / labels.sum((1, 2, 3), keepdim=True)
    actions = torch.randn(2, 32)[torch.arange(8) % 2]
    optimiser = torch.optim.AdamW(network.parameters(), lr=3e-3)
    divergence = float("inf")
    for _ in range(300):
        loss = distribution_loss(network(pixels, actions).logits, labels)
        divergence = loss.item()
        if divergence < 0.2:
            break
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    assert divergence < 0.2


@pytest.mark.parametrize(
    ("name", "actions"),
    [
        ("agd20k_seen", AGD20K_SEEN),
        ("agd20k_unseen", AGD20K_UNSEEN),
        ("hico_iif", HICO_IIF),
    ],
)
def test_configs_are_the_paper_s(name: str, actions: tuple[str, ...]) -> None:
    config: dict[str, Any] = read_config(CONFIGS / f"plsp_{name}.yaml")
    assert config["method"] == "plsp"
    assert tuple(config["model"]["actions"]) == actions
    options = config["model"]["optimiser"]
    published = PlspOptimiserConfig()
    assert options["learning_rate"] == published.learning_rate
    assert tuple(options["betas"]) == published.betas
    loss = config["model"]["loss"]
    assert (loss["alignment"], loss["exocentric"], loss["part"]) == (10.0, 10.0, 0.1)
    assert config["data"]["batch_size"] * config["trainer"]["accumulate_grad_batches"] == 20
    assert config["trainer"]["max_epochs"] == 40
