"""Part labels as the reliable clue of the selective contrast.

Selective Contrastive Learning guesses the affording part from exocentric images and trusts the
guess where it lies well within the object. Where a part label is at hand, such as WSAG-PLSP
makes them, nothing has to be guessed: the label is the egocentric part, blurred by AGD20K's
rule; the exocentric part is the cluster that agrees with it best; and patches inside the label
are told from those outside. Images without a label are learnt as before.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from affordance_grounding_core.data.blur import blur_mask
from affordance_grounding_core.data.part_masks import find_part_mask
from affordance_grounding_core.data.transforms import CropConfig, crop_label
from affordance_grounding_core.images import read_grey
from affordance_grounding_core.methods.selective_cl.affinity_sources import Affinities
from affordance_grounding_core.methods.selective_cl.discovery import PartDiscovery

HARD = 0.5
"""Share of a label's highest value from which a patch belongs to the part."""


@dataclass(frozen=True)
class PartLabels:
    """Part labels of a batch.

    Attributes:
        maps: (B, h, w) float in [0, 1], the highest value of each known label 1.
        known: (B) bool, images that have a label inside their crop.
    """

    maps: torch.Tensor
    known: torch.Tensor

    @property
    def masks(self) -> torch.Tensor:
        """(B, h * w) bool, patches of the part."""
        return (self.maps >= HARD).flatten(1) & self.known[:, None]


class PartMasks:
    """Part masks in a folder, seen through the crops of the images.

    Args:
        folder: with `PL/ACTION/OBJECT/NAME_pl.png` and, where refined, the same below
            `PL_refined`, which counts first.
        crops: of the training images.
        cells: patches along a side of a crop.
        excluded: masks that are not to be used.
    """

    def __init__(
        self, folder: Path, crops: CropConfig, cells: int, excluded: Collection[Path] = ()
    ) -> None:
        self.folder = folder
        self.crops = crops
        self.cells = cells
        self._excluded = frozenset(excluded)

    def file(self, image: Path, action: str, object_name: str) -> Path | None:
        """Find the mask of an image, None where there is none."""
        return find_part_mask(self.folder, action, object_name, image, self._excluded)

    def look(
        self, image: Path, action: str, object_name: str, seed: tuple[int, ...]
    ) -> tuple[NDArray[np.float32], bool]:
        """Look at the label of an image under a crop.

        Args:
            image: whose label it is.
            action: that the part affords.
            object_name: class of the object.
            seed: that the crop of the image was drawn with.

        Returns:
            (cells, cells) float32 with highest value 1, and True; zeros and False where the
            image has no label or its crop nothing of it.

        Raises:
            InvalidImageError: the mask cannot be read.
        """
        file = self.file(image, action, object_name)
        nothing = np.zeros((self.cells, self.cells), np.float32)
        if file is None:
            return nothing, False
        blurred = blur_mask(read_grey(file) >= 0.5)
        seen = crop_label(blurred, self.crops, seed, self.cells)
        # A label of which the crop shows only the blurred rim says nothing of the part.
        if seen.max() < HARD * blurred.max() or blurred.max() <= 0:
            return nothing, False
        return seen / seen.max(), True


def guide_affinities(affinities: Affinities, labels: PartLabels) -> Affinities:
    """Let the label be what clusters must lie in and what patches are told apart by.

    Args:
        affinities: of a batch.
        labels: of its egocentric images.
    """
    known = labels.known[:, None]
    return replace(
        affinities,
        pixel_foreground=torch.where(known, labels.masks, affinities.pixel_foreground),
        object_mask=torch.where(known, labels.masks, affinities.object_mask),
    )


def guide_discovery(discovery: PartDiscovery, labels: PartLabels) -> PartDiscovery:
    """Put labels in the place of egocentric parts that were guessed.

    Args:
        discovery: made with guided affinities.
        labels: of the egocentric images.

    Returns:
        The exocentric maps stay: of the cluster that agrees with the label, or the affinity
        where none does.
    """
    known = labels.known[:, None, None]
    proximity = discovery.egocentric_proximity
    maps = labels.maps.to(discovery.egocentric.dtype)
    return replace(
        discovery,
        egocentric=torch.where(known, maps, discovery.egocentric),
        egocentric_proximity=None if proximity is None else torch.where(known, maps, proximity),
    )
