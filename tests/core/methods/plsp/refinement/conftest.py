"""Drawn objects of two colours, a hand that hides one of them, and an encoder of colours."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import nn
from torch.nn import functional

from affordance_grounding_core.images import write_png
from affordance_grounding_core.labelling.manifest import Manifest
from affordance_grounding_core.labelling.partners import Partner, PartnerList
from affordance_grounding_core.labelling.records import (
    Box,
    Finding,
    ImageRecord,
    View,
)
from affordance_grounding_core.methods.plsp.refinement.encoders import RefinementEncoders

RED, GREEN, SKIN, GREY = (220, 30, 30), (30, 200, 40), (230, 190, 160), (70, 70, 70)
HEIGHT, WIDTH = 96, 128


class ColourEncoder(nn.Module):
    """Tokens are the mean colours of patches, spread over a few channels; nothing is trained."""

    patch_size = 8
    output_width = 16
    trained_grid = (8, 8)

    def __init__(self) -> None:
        super().__init__()
        spread = torch.randn(4, 16, generator=torch.Generator().manual_seed(0))
        self.register_buffer("spread", spread)

    def forward(self, pixels: torch.Tensor) -> torch.Tensor:
        means = functional.avg_pool2d(pixels, self.patch_size).flatten(2).transpose(1, 2)
        means = torch.cat([means, torch.ones_like(means[..., :1])], dim=2)
        patches = means @ self.spread
        return torch.cat([patches.mean(dim=1, keepdim=True), patches], dim=1)


def colour_encoders() -> RefinementEncoders:
    encoder = ColourEncoder()
    return RefinementEncoders(
        "dinov2", encoder, encoder, None, (0.5, 0.5, 0.5), (0.25, 0.25, 0.25), 64
    )


@pytest.fixture
def encoders() -> RefinementEncoders:
    return colour_encoders()


def draw_tool(shift: int) -> tuple[NDArray[np.uint8], NDArray[np.bool_], NDArray[np.bool_], Box]:
    """A red body with a green handle: picture, object, handle, box."""
    image = np.full((HEIGHT, WIDTH, 3), GREY, np.uint8)
    whole = np.zeros((HEIGHT, WIDTH), np.bool_)
    handle = np.zeros_like(whole)
    whole[30 + shift : 70 + shift, 24:104] = True
    handle[30 + shift : 70 + shift, 72:104] = True
    image[whole] = RED
    image[handle] = GREEN
    return image, whole, handle, (24.0, 30.0 + shift, 104.0, 70.0 + shift)


@pytest.fixture
def labelled(tmp_path: Path) -> tuple[Path, Path, Manifest]:
    """A training set, its label folder, and its manifest: six tools, three in a hand.

    The first labels are wrong on purpose: they mark the whole tool.
    """
    trainset, labels = tmp_path / "data" / "trainset", tmp_path / "labels"
    place = ("hold", "hammer")
    records: list[ImageRecord] = []
    lists: list[PartnerList] = []
    for number in range(6):
        image, whole, _, box = draw_tool(2 * number)
        name = f"tool_{number}.png"
        write_png(trainset.joinpath("egocentric", *place, name), image)
        records.append(_record("egocentric", name, whole, box, labels))
        partners = tuple(Partner(f"person_{index}.png", 0, 0.9) for index in range(3))
        lists.append(PartnerList(*place, name, 0, partners))
    for number in range(3):
        image, whole, handle, box = draw_tool(3 * number)
        image[handle] = SKIN
        name = f"person_{number}.png"
        write_png(trainset.joinpath("exocentric", *place, name), image)
        records.append(_record("exocentric", name, whole & ~handle, box, labels))
    manifest = Manifest({"segmenter": "drawn"}, "drawn", tuple(records), tuple(lists))
    manifest.write(labels)
    return trainset, labels, manifest


def _record(view: View, name: str, mask: NDArray[np.bool_], box: Box, labels: Path) -> ImageRecord:
    stem = Path(name).stem
    kind = "whole_obj_mask_ego" if view == "egocentric" else "whole_obj_mask_exo"
    whole = f"{kind}/hold/hammer/{stem}_pl.png"
    write_png(labels / whole, mask.astype(np.uint8) * 255)
    part = None
    if view == "egocentric":
        file = f"PL/hold/hammer/{stem}_pl.png"
        write_png(labels / file, mask.astype(np.uint8) * 255)
        part = Finding(("hammer handle",), (box,), (0.9,), file)
    found = Finding(("hammer",), (box,), (0.9,), whole)
    return ImageRecord(f"{view}{name}", view, "hold", "hammer", name, HEIGHT, WIDTH, part, found)
