"""Dataset of random views of egocentric objects, each with visible objects to compare with."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from torch.utils.data import Dataset

from affordance_grounding_core.errors import DatasetError
from affordance_grounding_core.images import read_rgb
from affordance_grounding_core.labelling.part_names import Pair
from affordance_grounding_core.labelling.records import Box
from affordance_grounding_core.methods.plsp.refinement.alignment import CropBox
from affordance_grounding_core.methods.plsp.refinement.config import RefinementConfig
from affordance_grounding_core.methods.plsp.refinement.feature_bank import VisibleObjectBank
from affordance_grounding_core.methods.plsp.refinement.pictures import (
    SMALLEST_SIDE,
    PictureFormat,
)
from affordance_grounding_core.methods.plsp.refinement.samples import RefinementSample

Item = dict[str, Any]


class RefinementViews(Dataset[Item]):
    """Draws a crop, an object in it, and visible objects.

    An item has "pixels" (3, s, s), "region" (3, s, s) the object's part of the crop, padded to
    a square, "box" where that is in the crop, in px, "pair" its number, "visible" (E, C) and
    "counted" (E).

    Args:
        samples: egocentric objects; those without any usable visible object are left out.
        bank: features of the visible objects.
        pairs: numbers of the pairs.
        picture_format: format of the networks' input.
        config: options of the views.

    Raises:
        DatasetError: no sample is left.
    """

    def __init__(
        self,
        samples: Sequence[RefinementSample],
        bank: VisibleObjectBank,
        pairs: Mapping[Pair, int],
        picture_format: PictureFormat,
        config: RefinementConfig,
    ) -> None:
        self._choices = [
            (sample, box, vectors)
            for sample in samples
            for box, partners in zip(sample.boxes, sample.partners, strict=True)
            if (vectors := [v for p in partners if (v := bank.vector(p)) is not None])
        ]
        self.samples = list(dict.fromkeys(sample for sample, _, _ in self._choices))
        if not self.samples:
            reasons = list(bank.unusable.values())
            raise DatasetError(
                f"none of {len(samples)} objects has a visible partner that can be used; first "
                f"reason: {reasons[0] if reasons else 'there are no partners'}"
            )
        self._by_sample = {
            sample: [choice[1:] for choice in self._choices if choice[0] == sample]
            for sample in self.samples
        }
        self._pairs = pairs
        self._format = picture_format
        self._config = config

    def __len__(self) -> int:
        return len(self.samples)

    def __getitem__(self, index: int) -> Item:
        random = np.random.default_rng(int(torch.randint(2**31, ())))  # seeded as the run is
        sample = self.samples[index]
        objects = self._by_sample[sample]
        box, vectors = objects[random.integers(len(objects))]
        pixels, region, place = self._view(sample, box, random)
        drawn = random.integers(len(vectors), size=self._config.exocentric)
        counted = torch.full((len(drawn),), float(place[2] > place[0]))
        return {
            "pixels": pixels,
            "region": region,
            "box": place,
            "pair": self._pairs[sample.pair],
            "visible": torch.stack([vectors[number] for number in drawn]),
            "counted": counted,
        }

    def _view(
        self, sample: RefinementSample, box: Box, random: np.random.Generator
    ) -> tuple[torch.Tensor, torch.Tensor, CropBox]:
        """Crop a padded picture, and cut the object out of it at the picture's own size."""
        image = read_rgb(sample.image)
        height, width = image.shape[:2]
        side = max(height, width)
        scale = self._config.resized / side
        offset = (side - width) // 2, (side - height) // 2
        size = self._format.size
        corner = random.integers(0, self._config.resized - size + 1, size=2)
        # The object's box in the crop, in whole px, and the same place in the picture.
        place = [
            min(max(round((edge + offset[axis % 2]) * scale) - int(corner[axis % 2]), 0), size)
            for axis, edge in enumerate(box)
        ]
        pixels = self._format.square(self._format.normalise(image), self._config.resized)
        pixels = pixels[:, corner[1] : corner[1] + size, corner[0] : corner[0] + size]
        left, top, right, bottom = (
            round((edge + int(corner[axis % 2])) / scale - offset[axis % 2])
            for axis, edge in enumerate(place)
        )
        cut = image[max(top, 0) : max(bottom, 0), max(left, 0) : max(right, 0)]
        if min(cut.shape[:2]) < SMALLEST_SIDE or place[2] - place[0] < 1 or place[3] - place[1] < 1:
            # The random crop missed the object: the sample does not count.
            return pixels, torch.zeros(3, size, size), (0, 0, 0, 0)
        region = self._format.square(self._format.normalise(cut))
        if random.random() < 0.5:
            pixels, region = pixels.flip(-1), region.flip(-1)
            place[0], place[2] = size - place[2], size - place[0]
        return pixels.contiguous(), region.contiguous(), (place[0], place[1], place[2], place[3])


def collate(items: Sequence[Item]) -> Item:
    """Stack the tensors of some items; boxes stay a list."""
    return {
        "pixels": torch.stack([item["pixels"] for item in items]),
        "region": torch.stack([item["region"] for item in items]),
        "box": [item["box"] for item in items],
        "pair": torch.tensor([item["pair"] for item in items]),
        "visible": torch.stack([item["visible"] for item in items]),
        "counted": torch.stack([item["counted"] for item in items]),
    }
