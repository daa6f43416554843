"""Small data and tiny random backbones, so that a whole run takes a second."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch

from affordance_grounding_core.backbones import weights
from affordance_grounding_core.backbones.clip import random_clip
from affordance_grounding_core.backbones.dinov2 import Dinov2
from affordance_grounding_core.backbones.transformer_backbone import TransformerSizes
from affordance_grounding_core.images import write_png
from affordance_grounding_core.methods.selective_cl import frozen_backbones as frozen

CLASSES = (("hold", "mug"), ("hold", "knife"), ("cut_with", "knife"))
"""Classes of the forty pictures."""

SIZE = 56
"""Side of the tiny backbones' input in px: 4 x 4 patches."""


def tiny_backbones(config: frozen.BackboneConfig) -> frozen.LoadedBackbones:
    """Stand in for `load_backbones`: random weights, 24 channels."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(7)
        descriptor = Dinov2(sizes=TransformerSizes(SIZE, 14, 24, 2, 6))
    clip = random_clip(3, image_size=32) if config.affinity == "clip" else None
    backbones = frozen.FrozenBackbones(descriptor, clip.image if clip else None, config.precision)
    return frozen.LoadedBackbones(backbones, clip)


def draw(action: str, name: str, number: int, person: bool) -> np.ndarray:
    """An object with a handle; a person's hand is a green disc on it."""
    image = np.random.default_rng(number).integers(0, 90, (72, 96, 3), np.uint8)
    colour = (200, 40, 40) if name == "mug" else (40, 40, 200)
    cv2.rectangle(image, (20 + number, 20), (60 + number, 55), colour, -1)
    if person:
        place = (60 + number, 38) if action == "hold" else (22 + number, 38)
        cv2.circle(image, place, 9, (40, 220, 40), -1)
    return image


@pytest.fixture
def make_backbones() -> Callable[[frozen.BackboneConfig], frozen.LoadedBackbones]:
    """Build tiny backbones by a config."""
    return tiny_backbones


@pytest.fixture
def forty_images(tmp_path: Path) -> Path:
    """Root of 40 pictures in AGD20K layout: 12 egocentric, 15 exocentric, 13 to test on."""
    root = tmp_path / "forty"
    for action, name in CLASSES:
        place = Path(action) / name
        for number in range(4):
            write_png(
                root / "trainset/egocentric" / place / f"{name}_{number}.png",
                draw(action, name, number, False),
            )
        for number in range(5):
            write_png(
                root / "trainset/exocentric" / place / f"{name}_{number}.png",
                draw(action, name, number, True),
            )
        for number in range(5 if name == "mug" else 4):
            write_png(
                root / "testset/egocentric" / place / f"{name}_{number}.png",
                draw(action, name, 10 + number, False),
            )
            label = np.zeros((72, 96), np.uint8)
            cv2.circle(label, (70 if action == "hold" else 32, 38), 12, 255, -1)
            write_png(
                root / "testset/GT" / place / f"{name}_{number}.png",
                np.asarray(cv2.GaussianBlur(label, (15, 15), 0), np.uint8),
            )
    return root


@pytest.fixture
def tiny(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., list[str]]:
    """Put tiny backbones and an own cache in place; returns the arguments of a run."""
    monkeypatch.setenv(weights.CACHE_VARIABLE, str(tmp_path / "cache"))
    monkeypatch.setattr(frozen, "load_backbones", tiny_backbones)
    config = Path(__file__).parents[4] / "config" / "train" / "selective_cl_rendered.yaml"

    def arguments(root: Path, output: Path, *more: str) -> list[str]:
        return [
            f"--config={config}",
            f"--data.root={root}",
            f"--output={output}",
            "--model.actions=[hold, cut_with]",
            "--model.hidden=32",
            "--model.objective.contrast.prototypes=part",
            "--model.objective.contrast.pixels=part",
            f"--data.crops.crop={SIZE}",
            "--data.crops.resize=64",
            "--data.batch_size=4",
            "--data.cached_views=2",
            "--trainer.max_epochs=2",
            "--trainer.accelerator=cpu",
            "--trainer.enable_progress_bar=false",
            "--trainer.enable_model_summary=false",
            *more,
        ]

    return arguments
