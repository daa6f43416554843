"""Runs the commands of pages in a folder that holds the files they speak of."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from affordance_grounding_core.commands import cli
from affordance_grounding_core.data.blur import blur_mask
from affordance_grounding_core.images import read_rgb, write_png
from affordance_grounding_core.runtimes.building import ladder
from tools.first_steps.__main__ import write_photographs

Run = Callable[[list[str]], int]

HANDLE = (190, 225, 62, 84)
"""Box of the cup's handle in `mug.jpg`: x, y, width, height in px."""


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch) -> Run:
    """Run `affordance-grounding` with some words in this process; returns the exit code."""

    def call(words: list[str]) -> int:
        monkeypatch.setattr(sys, "argv", ["affordance-grounding", *words])
        with pytest.raises(SystemExit) as stop:
            cli.main()
        assert isinstance(stop.value.code, int)
        return stop.value.code

    return call


@pytest.fixture
def workplace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with the photographs, masks and data sets that pages speak of."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("AFFORDANCE_GROUNDING_TAUGHT", str(tmp_path / "home.safetensors"))
    # "auto" is PyTorch at once: pages that build engines name their runtime.
    monkeypatch.setattr(ladder, "PREFERENCE", {"cuda": (), "cpu": ()})
    write_photographs(tmp_path)
    photograph = read_rgb(tmp_path / "mug.jpg")
    for name in ("camera", "other", "third", "desk", "cup"):
        cv2.imwrite(f"{name}.jpg", photograph[..., ::-1])
    write_png("mask.png", handle_mask(photograph))
    write_data_set(tmp_path / "ROOT", photograph)
    (tmp_path / "list.csv").write_text("image,action,mask\nmug.jpg,hold,mask.png\n")
    return tmp_path


def handle_mask(photograph: NDArray[np.uint8]) -> NDArray[np.uint8]:
    x, y, width, height = HANDLE
    mask = np.zeros(photograph.shape[:2], np.uint8)
    mask[y : y + height, x : x + width] = 255
    return mask


def write_data_set(root: Path, photograph: NDArray[np.uint8]) -> None:
    """One picture in AGD20K layout."""
    heat = blur_mask(handle_mask(photograph) > 0)
    truth = np.rint(255 * heat / heat.max()).astype(np.uint8)
    for folder, picture in (("egocentric", photograph), ("GT", truth)):
        file = root / "testset" / folder / "hold" / "cup" / "cup_1.png"
        file.parent.mkdir(parents=True)
        write_png(file, picture)
