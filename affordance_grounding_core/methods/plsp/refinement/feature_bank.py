"""Feature bank: features of all visible objects, which do not change in training."""

from __future__ import annotations

from collections.abc import Callable, Iterable

import torch
from tqdm import tqdm

from affordance_grounding_core.data.part_masks import read_part_mask
from affordance_grounding_core.errors import InvalidImageError
from affordance_grounding_core.images import read_rgb
from affordance_grounding_core.labelling.partners import box_window
from affordance_grounding_core.methods.plsp.refinement.alignment import (
    masked_mean,
    visible_weights,
)
from affordance_grounding_core.methods.plsp.refinement.pictures import PictureFormat
from affordance_grounding_core.methods.plsp.refinement.samples import VisibleObject

PatchFeatures = Callable[[torch.Tensor], torch.Tensor]
"""(B, 3, h, w) normalised pixels to (B, N, C) features of a square grid of patches."""


class VisibleObjectBank:
    """Mean features of visible objects.

    Args:
        objects: objects to describe; repetitions are described once.
        features: frozen.
        picture_format: format of their input.
        batch_size: objects described at once.
        show_progress: whether to draw a progress bar, where stderr is a terminal.

    Attributes:
        unusable: objects that do not count, with the reason: no pixel of the mask in the
            box, or a file that cannot be used.
    """

    def __init__(
        self,
        objects: Iterable[VisibleObject],
        features: PatchFeatures,
        picture_format: PictureFormat,
        batch_size: int = 16,
        show_progress: bool = False,
    ) -> None:
        distinct = list(dict.fromkeys(objects))
        self.unusable: dict[VisibleObject, str] = {}
        self._vectors: dict[VisibleObject, torch.Tensor] = {}
        self._format = picture_format
        starts = range(0, len(distinct), batch_size)
        for start in tqdm(starts, desc="objects", disable=None if show_progress else True):
            self._describe(distinct[start : start + batch_size], features)

    def __len__(self) -> int:
        return len(self._vectors)

    def vector(self, visible: VisibleObject) -> torch.Tensor | None:
        """Mean feature of an object, (C), or None where it does not count."""
        return self._vectors.get(visible)

    def _describe(self, objects: list[VisibleObject], features: PatchFeatures) -> None:
        crops, masks, usable = [], [], []
        for visible in objects:
            try:
                crop, mask = self._crop(visible)
            except InvalidImageError as error:
                self.unusable[visible] = str(error)
                continue
            if not mask.any():
                self.unusable[visible] = (
                    f"mask {str(visible.mask)!r} has no pixel in the box {visible.box}"
                )
                continue
            crops.append(crop)
            masks.append(mask)
            usable.append(visible)
        if not usable:
            return
        patches = features(torch.stack(crops)).cpu()
        side = round(patches.shape[1] ** 0.5)
        weights = visible_weights(torch.stack(masks), side, side)
        for visible, vector in zip(usable, masked_mean(patches, weights), strict=True):
            self._vectors[visible] = vector

    def _crop(self, visible: VisibleObject) -> tuple[torch.Tensor, torch.Tensor]:
        image = read_rgb(visible.image)
        mask = read_part_mask(visible.mask, *image.shape[:2], may_be_empty=True)
        window = box_window(visible.box, *mask.shape)
        inside = torch.from_numpy(mask[window]).float()
        region = self._format.normalise(image[window])
        return self._format.square(region), self._format.square(inside[None])[0]
