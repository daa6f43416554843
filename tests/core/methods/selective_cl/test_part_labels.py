"""Both seeds as one: part labels where they are, discovered parts where not."""

from __future__ import annotations

import logging
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from affordance_grounding_core.checkpoints.format import read_checkpoint
from affordance_grounding_core.data.transforms import CropConfig, crop_label, random_crop
from affordance_grounding_core.errors import DatasetError
from affordance_grounding_core.images import write_png
from affordance_grounding_core.inference.preprocess import IMAGENET_MEAN, IMAGENET_STD
from affordance_grounding_core.methods.selective_cl.affinity_sources import ClipAffinity
from affordance_grounding_core.methods.selective_cl.config import (
    ObjectiveConfig,
    SelectiveHeadConfig,
)
from affordance_grounding_core.methods.selective_cl.frozen_backbones import FrozenFeatures
from affordance_grounding_core.methods.selective_cl.network import SelectiveHead
from affordance_grounding_core.methods.selective_cl.objective import (
    SelectiveOutput,
    selective_objective,
)
from affordance_grounding_core.methods.selective_cl.samples import PartLabels, PartMasks
from affordance_grounding_core.methods.selective_cl.training import train_from_config

CROPS = CropConfig(resize=64, crop=48)


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 2**31), height=st.integers(40, 90), width=st.integers(40, 90))
def test_labels_are_cropped_as_their_images(seed: int, height: int, width: int) -> None:
    y, x = np.mgrid[0:height, 0:width].astype(np.float32)
    label = np.exp(-((y - height / 2) ** 2 + (x - width / 3) ** 2) / 90).astype(np.float32)
    image = np.repeat(np.rint(255 * label).astype(np.uint8)[..., None], 3, axis=2)
    pixels = random_crop(image, CROPS, (seed,))[0] * IMAGENET_STD[0] + IMAGENET_MEAN[0]
    expected = pixels.reshape(8, 6, 8, 6).mean(dim=(1, 3)).numpy()
    np.testing.assert_allclose(crop_label(label, CROPS, (seed,), 8), expected, atol=0.01)


def test_cells_divide_the_crop() -> None:
    with pytest.raises(ValueError, match="cells must divide the crop of 48 px, got 7"):
        crop_label(np.zeros((50, 50), np.float32), CROPS, (0,), 7)


def write_mask(folder: Path, kind: str, mask: np.ndarray) -> None:
    write_png(folder / kind / "hold" / "mug" / "mug_0_pl.png", mask)


def test_refined_masks_count_first_and_missing_ones_are_unknown(tmp_path: Path) -> None:
    masks = PartMasks(tmp_path, CROPS, 8)
    image = Path("mug_0.jpg")
    assert masks.look(image, "hold", "mug", (0,))[1] is False
    full = np.full((60, 60), 255, np.uint8)
    write_mask(tmp_path, "PL", np.zeros_like(full))
    assert masks.look(image, "hold", "mug", (0,))[1] is False  # nothing was found in it
    write_mask(tmp_path, "PL_refined", full)
    label, known = masks.look(image, "hold", "mug", (0,))
    assert known
    assert label.shape == (8, 8)
    assert label.max() == pytest.approx(1.0)


def test_a_part_outside_the_crop_is_unknown(tmp_path: Path) -> None:
    mask = np.zeros((60, 240), np.uint8)
    mask[:, :8] = 255
    write_mask(tmp_path, "PL", mask)
    masks = PartMasks(tmp_path, CropConfig(resize=48, crop=48), 8)
    known = {masks.look(Path("mug_0.jpg"), "hold", "mug", (seed,))[1] for seed in range(40)}
    assert known == {True, False}


def run(parts: PartLabels | None, config: ObjectiveConfig | None = None) -> SelectiveOutput:
    torch.manual_seed(0)
    head = SelectiveHead(SelectiveHeadConfig(2, 8, 16))
    features = [
        FrozenFeatures(torch.randn(n, 16, 8), torch.rand(n, 6, 16), torch.randn(n, 16, 6), 4, 4)
        for n in (2, 4)
    ]
    provider = ClipAffinity(torch.randn(2, 6), torch.randn(2, 6))
    generator = torch.Generator().manual_seed(1)
    return selective_objective(
        head,
        *features,
        torch.tensor([0, 0]),
        1,
        provider,
        config or ObjectiveConfig(),
        generator,
        parts=parts,
    )


def test_the_label_is_the_part_and_others_are_guessed_as_before() -> None:
    label = torch.zeros(2, 4, 4)
    label[:, 1, 2] = 1.0
    guessed = run(None)
    guided = run(PartLabels(label, torch.tensor([True, False])))
    assert guided.discovery is not None
    assert guessed.discovery is not None
    torch.testing.assert_close(guided.discovery.egocentric_map[0], label[0])
    torch.testing.assert_close(
        guided.discovery.egocentric_map[1], guessed.discovery.egocentric_map[1]
    )
    assert float(guided.diagnostics["parts_labelled"]) == 0.5
    assert torch.isfinite(guided.total)
    assert not torch.isclose(guided.losses["pixel"], guessed.losses["pixel"])


def test_without_known_labels_nothing_changes() -> None:
    nothing = PartLabels(torch.zeros(2, 4, 4), torch.tensor([False, False]))
    torch.testing.assert_close(run(nothing).total, run(None).total)


def test_class_maps_are_drawn_to_labels_where_that_weighs() -> None:
    config = ObjectiveConfig(part_map_weight=2.0)
    label = torch.zeros(2, 4, 4)
    label[:, 1, 2] = 1.0
    parts = PartLabels(label, torch.tensor([True, False]))
    drawn, free = run(parts, config), run(parts)
    torch.testing.assert_close(drawn.total - free.total, drawn.losses["part_map"])
    assert drawn.losses["part_map"].item() > 0
    assert "part_map" not in free.losses
    assert "part_map" not in run(None, config).losses
    with pytest.raises(ValueError, match="part_map_weight must not be negative, got -1"):
        ObjectiveConfig(part_map_weight=-1.0)


@pytest.mark.parametrize("cached", ["true", "false"])
def test_a_run_learns_from_part_labels(
    forty_images: Path, tiny: Callable[..., list[str]], tmp_path: Path, cached: str
) -> None:
    options = ["--data.part_labels", str(tmp_path / "labels"), f"--data.cache_features={cached}"]
    with pytest.raises(DatasetError, match="no part mask at"):
        train_from_config(tiny(forty_images, tmp_path / "none", *options))
    for image in (forty_images / "trainset" / "egocentric" / "hold").rglob("*.png"):
        mask = np.zeros((72, 96), np.uint8)
        cv2.circle(mask, (60, 38), 20, 255, -1)
        place = tmp_path / "labels" / "PL" / "hold" / image.parent.name
        write_png(place / f"{image.stem}_pl.png", mask)
    outcome = train_from_config(tiny(forty_images, tmp_path / "run", *options))
    assert outcome.last.config["training"]["labels"] == "image level and part masks"
    train_from_config(tiny(forty_images, tmp_path / "plain", f"--data.cache_features={cached}"))
    plain = read_checkpoint(tmp_path / "plain" / "last").tensors
    with_parts = outcome.last.tensors
    assert any(not torch.equal(value, plain[name]) for name, value in with_parts.items())


def test_damaged_part_labels_are_left_out_by_name(
    forty_images: Path,
    tiny: Callable[..., list[str]],
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
) -> None:
    images = sorted((forty_images / "trainset" / "egocentric" / "hold").rglob("*.png"))
    folder = tmp_path / "labels"

    def place(kind: str, number: int) -> Path:
        image = images[number]
        return folder / kind / "hold" / image.parent.name / f"{image.stem}_pl.png"

    whole = np.full((72, 96), 255, np.uint8)
    write_png(place("PL", 0), whole[:, :72])
    write_png(place("PL", 1), np.zeros_like(whole))
    write_png(place("PL", 2), whole)
    place("PL", 2).write_bytes(b"no image")
    write_png(place("PL", 3), whole)
    write_png(place("PL_refined", 3), whole[:50])
    options = ["--data.part_labels", str(folder), "--data.cache_features=false"]
    with caplog.at_level(logging.WARNING):
        train_from_config(tiny(forty_images, tmp_path / "run", *options))
    assert f"{place('PL', 0).name}' has 72 x 72 px, its image 72 x 96" in caplog.text
    assert f"{place('PL', 1).name}' is empty: nothing was found" in caplog.text
    assert f"{place('PL', 2).name}' cannot be read as an image" in caplog.text
    assert f"{place('PL', 3).name}' has 50 x 96 px" in caplog.text
    assert "4 files are left out" in caplog.text
    known = PartMasks(folder, CROPS, 8, [place("PL_refined", 3)])
    assert known.file(images[3], "hold", images[3].parent.name) == place("PL", 3)


def test_the_config_of_both_methods_needs_nothing_but_the_root(
    forty_images: Path, tiny: Callable[..., list[str]], tmp_path: Path
) -> None:
    for image in (forty_images / "trainset" / "egocentric").rglob("*.png"):
        place = Path("PL") / image.parent.relative_to(forty_images / "trainset" / "egocentric")
        mask = np.full((72, 96), 255, np.uint8)
        write_png(forty_images / "trainset" / place / f"{image.stem}_pl.png", mask)
    both = Path(__file__).parents[4] / "config" / "train" / "both_rendered.yaml"
    options = [option for option in tiny(forty_images, tmp_path / "run") if "config=" not in option]
    outcome = train_from_config([f"--config={both}", *options])
    assert outcome.last.config["training"]["labels"] == "image level and part masks"
