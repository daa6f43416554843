"""Drawn data and a grounder that understands it, for tests without any network."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from affordance_grounding_core.actions.vocabulary import ActionVocabulary
from affordance_grounding_core.data.blur import blur_mask
from affordance_grounding_core.images import write_png
from affordance_grounding_core.inference.grounder import Grounder, ModelInformation
from affordance_grounding_core.inference.preprocess import Preprocess, PreprocessConfig
from affordance_grounding_core.inference.regions import RegionConfig
from affordance_grounding_core.inference.runtime import HeatRuntime

PARTS = {"hold": (0, 40, 60), "drink_with": (1, 90, 30), "hit": (2, 30, 100)}
"""Action to the colour channel its part is painted in, and the part's centre (x, y) in px."""

OBJECTS = {"mug": ("hold", "drink_with"), "hammer": ("hold", "hit")}
HEIGHT, WIDTH, RADIUS = 96, 128, 14


class ColourRuntime(HeatRuntime):
    """Heat is how strongly a place is painted in the action's colour."""

    description = "colours"

    def __init__(self) -> None:
        self.runs = 0

    def run(self, pixels: NDArray[np.float32], actions: Sequence[int]) -> NDArray[np.float32]:
        self.runs += 1
        coarse = [cv2.resize(channel, (32, 32), interpolation=cv2.INTER_AREA) for channel in pixels]
        soft = [cv2.GaussianBlur(channel, (15, 15), 1.7) for channel in coarse]
        return np.clip(np.stack([soft[action] for action in actions]), 0, 1)

    def close(self) -> None:
        pass


def part_mask(action: str, shift: int = 0) -> NDArray[np.uint8]:
    _, x, y = PARTS[action]
    mask = np.zeros((HEIGHT, WIDTH), np.uint8)
    cv2.circle(mask, (x + shift, y), RADIUS, 255, -1)
    return mask


def draw_object(name: str, shift: int = 0) -> NDArray[np.uint8]:
    image = np.zeros((HEIGHT, WIDTH, 3), np.uint8)
    for action in OBJECTS[name]:
        channel = PARTS[action][0]
        image[..., channel] = np.maximum(image[..., channel], part_mask(action, shift))
    return image


def write_label(path: Path, mask: NDArray[np.uint8]) -> None:
    blurred = blur_mask(mask)
    write_png(path, np.rint(255 * blurred / blurred.max()).astype(np.uint8))


def write_test_set(folder: Path, count: int = 2) -> None:
    for name, actions in OBJECTS.items():
        for index in range(count):
            for action in actions:
                place = Path(action) / name
                write_png(
                    folder / "egocentric" / place / f"{name}_{index}.png",
                    draw_object(name, 5 * index),
                )
                write_label(
                    folder / "GT" / place / f"{name}_{index}.png", part_mask(action, 5 * index)
                )


def write_training_set(folder: Path, count: int = 3) -> None:
    for name, actions in OBJECTS.items():
        for index in range(count):
            for action in actions:
                place = Path(action) / name
                image = draw_object(name, 2 * index)
                write_png(folder / "egocentric" / place / f"{name}_{index}.png", image)
                write_png(folder / "exocentric" / place / f"person_{index}.png", image)
                write_png(
                    folder / "PL" / place / f"{name}_{index}_pl.png", part_mask(action, 2 * index)
                )


@pytest.fixture
def drawn_data(tmp_path: Path) -> Path:
    """Root of a small data set in AGD20K layout: 8 test entries of 4 pictures."""
    root = tmp_path / "drawn"
    write_test_set(root / "testset")
    write_training_set(root / "trainset")
    return root


@pytest.fixture
def make_test_set() -> Callable[[Path], None]:
    """Write a test set into a folder."""
    return write_test_set


@pytest.fixture
def make_training_set() -> Callable[[Path], None]:
    """Write a training set into a folder."""
    return write_training_set


@pytest.fixture
def colour_runtime() -> ColourRuntime:
    return ColourRuntime()


@pytest.fixture
def colour_grounder(colour_runtime: ColourRuntime) -> Grounder:
    """A real grounder that finds the parts of the drawn objects by their colour."""
    return Grounder(
        colour_runtime,
        Preprocess(PreprocessConfig(mean=(0.0, 0.0, 0.0), std=(1.0, 1.0, 1.0))),
        ActionVocabulary(tuple(PARTS), {"grasp": "hold"}),
        RegionConfig(),
        ModelInformation("colours", "drawn", "0" * 64),
    )


@pytest.fixture
def random_backbone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A weights file of the right architecture, and a cache of its own for the features."""
    import torch  # slow to import, and few tests need it
    from safetensors.torch import save_file

    from affordance_grounding_core.backbones import weights
    from affordance_grounding_core.backbones.dinov2 import Dinov2

    monkeypatch.setenv(weights.CACHE_VARIABLE, str(tmp_path / "cache"))
    torch.manual_seed(0)
    save_file(Dinov2().transformer.state_dict(), tmp_path / "backbone.safetensors")
    return tmp_path / "backbone.safetensors"
