"""Datasets of SelectiveCL: training samples and test images, as pixels or cached features.

Both kinds of training sample hold one egocentric and E exocentric images of one class, the
egocentric one first, and say which files they saw, so that a batch can be named.
"""

from __future__ import annotations

import logging
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch.utils.data import Dataset

from affordance_grounding_core.data.blur import blur_mask
from affordance_grounding_core.data.image_check import too_small
from affordance_grounding_core.data.pairing import MINIMUM_SIDE, Pair, Pairing
from affordance_grounding_core.data.part_masks import find_part_mask, read_part_mask
from affordance_grounding_core.data.transforms import CropConfig, crop_label, random_crop, squash
from affordance_grounding_core.errors import DatasetError, InvalidImageError
from affordance_grounding_core.images import read_rgb
from affordance_grounding_core.methods.selective_cl.affinity_sources import Affinities
from affordance_grounding_core.methods.selective_cl.cache import SQUASHED, FeatureCache
from affordance_grounding_core.methods.selective_cl.discovery import PartDiscovery
from affordance_grounding_core.training.scored_data import EpochIndex
from affordance_grounding_core.training.scored_images import LabelledImage

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
        folder: folder with `PL/ACTION/OBJECT/NAME_pl.png` and, where refined, the same below
            `PL_refined`, which counts first.
        crops: crops of the training images.
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
            image: image whose label it is.
            action: action that the part affords.
            object_name: class of the object.
            seed: seed that the crop of the image was drawn with.

        Returns:
            (cells, cells) float32 with highest value 1, and True; zeros and False where the
            image has no label or its crop nothing of it.

        Raises:
            InvalidImageError: the mask cannot be read, or is of 0 and 1.
        """
        file = self.file(image, action, object_name)
        nothing = np.zeros((self.cells, self.cells), np.float32)
        if file is None:
            return nothing, False
        blurred = blur_mask(read_part_mask(file, may_be_empty=True))
        seen = crop_label(blurred, self.crops, seed, self.cells)
        # A label of which the crop shows only the blurred rim says nothing of the part.
        if seen.max() < HARD * blurred.max() or blurred.max() <= 0:
            return nothing, False
        return seen / seen.max(), True


def guide_affinities(affinities: Affinities, labels: PartLabels) -> Affinities:
    """Let the label be what clusters must lie in and what patches are told apart by.

    Args:
        affinities: affinities of a batch.
        labels: labels of its egocentric images.
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
        labels: labels of the egocentric images.

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


logger = logging.getLogger(__name__)

Item = dict[str, Any]
"""Tensors by name, and lists of texts after collation."""

_ATTEMPTS = 20
_VIEW_STREAM = 1  # keeps the numbers drawn for views apart from those drawn for pairs


class PixelPairs(Dataset[Item]):
    """Samples as pixels, a new random crop of every image in every epoch.

    Args:
        pairing: which images belong together.
        crops: crops of every image, each on its own.
        parts: part labels of the egocentric images, or None.
    """

    def __init__(self, pairing: Pairing, crops: CropConfig, parts: PartMasks | None = None) -> None:
        self.pairing = pairing
        self.crops = crops
        self.parts = parts
        self._unusable: dict[Path, str] = {}

    def __len__(self) -> int:
        return len(self.pairing)

    def __getitem__(self, place: EpochIndex) -> Item:
        """Return a sample.

        Args:
            place: epoch and number of the sample.

        Returns:
            "pixels" (1 + E, 3, crop, crop) float32, "label", "replaced", the number of
            unreadable images that others stand in for, and "files", one line each; with part
            labels also "part_map" (h, w) float32 and "part_known".

        Raises:
            DatasetError: hardly any image of the class can be read.
        """
        epoch, index = place
        pair = self.pairing.sample(epoch, index)
        views, files, replaced = [], [], 0
        labelled: Item = {}
        for slot in range(len(pair.files)):
            file, image, skipped = self._readable(pair, slot, place)
            seed = (self.pairing.seed, epoch, index, slot, _VIEW_STREAM)
            views.append(random_crop(image, self.crops, seed))
            if slot == 0:
                labelled = _labelled(self.parts, pair, file, seed)
            files.append(str(file))
            replaced += skipped
        return {
            "pixels": torch.stack(views),
            "label": self.pairing.actions.index(pair.action),
            "replaced": replaced,
            "files": "\n".join(files),
            **labelled,
        }

    def _readable(
        self, pair: Pair, slot: int, place: EpochIndex
    ) -> tuple[Path, np.ndarray[Any, np.dtype[np.uint8]], bool]:
        file = pair.files[slot]
        for attempt in range(_ATTEMPTS):
            if file not in self._unusable:
                try:
                    image = read_rgb(file)
                    if min(image.shape[:2]) >= MINIMUM_SIDE:
                        return file, image, attempt > 0
                    problem = too_small(file, *image.shape[:2])
                except InvalidImageError as error:
                    problem = str(error)
                self._unusable[file] = problem
                logger.warning("Skipped, another of its class stands in: %s", problem)
            file = self.pairing.replacement(pair, slot, *place, attempt)
        raise DatasetError(
            f"hardly any {'exocentric' if slot else 'egocentric'} image of {pair.action}/"
            f"{pair.object_name} can be read, {_ATTEMPTS} draws failed; the last: "
            f"{self._unusable[pair.files[slot]]}. Run `affordance-grounding data check --thorough`"
        )


class CachedPairs(Dataset[Item]):
    """Samples as cached features, each of one of the fixed views of its image.

    Args:
        pairing: which images belong together, without unusable ones.
        cache: filled with views 0 to `views` - 1 of all of them.
        views: cached views of an image.
        parts: part labels of the egocentric images, or None.
    """

    def __init__(
        self, pairing: Pairing, cache: FeatureCache, views: int, parts: PartMasks | None = None
    ) -> None:
        self.pairing = pairing
        self.cache = cache
        self.views = views
        self.parts = parts

    def __len__(self) -> int:
        return len(self.pairing)

    def __getitem__(self, place: EpochIndex) -> Item:
        """Return a sample.

        Args:
            place: epoch and number of the sample.

        Returns:
            The features by name, (1 + E, ...) float16, "label", "replaced" and "files"; with
            part labels also "part_map" and "part_known".
        """
        epoch, index = place
        pair = self.pairing.sample(epoch, index)
        random = np.random.default_rng((self.pairing.seed, epoch, index, _VIEW_STREAM))
        views = random.integers(self.views, size=len(pair.files))
        features = [
            self.cache.read(file, int(view)) for file, view in zip(pair.files, views, strict=True)
        ]
        seed = self.cache.crop_seed(pair.egocentric, int(views[0]))
        return {
            **{
                name: torch.from_numpy(np.stack([f[name] for f in features]))
                for name in features[0]
            },
            "label": self.pairing.actions.index(pair.action),
            "replaced": 0,
            "files": "\n".join(map(str, pair.files)),
            **_labelled(self.parts, pair, pair.egocentric, seed),
        }


def _labelled(parts: PartMasks | None, pair: Pair, image: Path, seed: tuple[int, ...]) -> Item:
    """The part label of the egocentric image, under the crop that was drawn with a seed."""
    if parts is None:
        return {}
    label, known = parts.look(image, pair.action, pair.object_name, seed)
    return {"part_map": torch.from_numpy(label), "part_known": known}


class PlainImages(Dataset[Item]):
    """Whole images, squashed, as pixels or cached features, with ground truth where wanted.

    Args:
        images: images to look at; all readable.
        actions: vocabulary.
        size: side of the network's input in px.
        cache: filled with the squashed view of all of them; pixels where None.
    """

    def __init__(
        self,
        images: Sequence[LabelledImage],
        actions: Sequence[str],
        size: int,
        cache: FeatureCache | None,
    ) -> None:
        self.images = tuple(images)
        self.actions = tuple(actions)
        self.size = size
        self.cache = cache

    def __len__(self) -> int:
        return len(self.images)

    def __getitem__(self, index: int) -> Item:
        """Return an image.

        Returns:
            "pixels" (1, 3, size, size) or the features by name, (1, ...) float16, "label",
            "index", and "ground_truth" (224, 224) float64 where the image has one.
        """
        item = self.images[index]
        sample: Item = {"label": self.actions.index(item.action), "index": index}
        if item.label is not None:
            sample["ground_truth"] = torch.from_numpy(item.ground_truth())
        if self.cache is None:
            return sample | {"pixels": squash(read_rgb(item.image), self.size)[None]}
        features = self.cache.read(item.image, SQUASHED)
        return sample | {name: torch.from_numpy(v)[None] for name, v in features.items()}
