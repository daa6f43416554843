"""Data module of SelectiveCL: batches of pixels, or of cached frozen features."""

from __future__ import annotations

import logging
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from affordance_grounding_core.data.agd20k import (
    TrainingSet,
    read_training_set,
)
from affordance_grounding_core.data.image_check import find_unusable
from affordance_grounding_core.data.pairing import Pairing
from affordance_grounding_core.data.part_masks import (
    all_part_masks,
    mask_problems,
    require_part_masks,
)
from affordance_grounding_core.data.transforms import CropConfig
from affordance_grounding_core.files import cache_directory
from affordance_grounding_core.methods.selective_cl.cache import (
    SQUASHED,
    FeatureCache,
    WantedViews,
)
from affordance_grounding_core.methods.selective_cl.frozen_backbones import FrozenBackbones
from affordance_grounding_core.methods.selective_cl.samples import (
    CachedPairs,
    PartMasks,
    PixelPairs,
    PlainImages,
)
from affordance_grounding_core.training.heat_fitting import CalibrationSet
from affordance_grounding_core.training.scored_data import ScoredData
from affordance_grounding_core.training.scored_images import (
    LabelledImage,
    evenly,
    readable_labels,
    scored_images,
)

logger = logging.getLogger(__name__)

OWN_MASKS = "trainset"
"""Value of `part_labels` for the masks of the data itself, wherever it lies."""


@dataclass(frozen=True)
class _Listing:
    """What a run looks at."""

    pairing: Pairing
    scored: tuple[LabelledImage, ...]
    calibration: CalibrationSet
    skipped: tuple[str, ...]
    unusable_masks: frozenset[Path]


class SelectiveData(ScoredData):
    """Training pairs, images to score epochs on, and images to calibrate heat on.

    Only image-level labels are trained on, unless `part_labels` are given. Else part masks are
    read for the selection "validation" alone, never to learn from.

    Args:
        root: folder in AGD20K layout.
        actions: vocabulary, in the order of the head's channels.
        crops: crops of the training images.
        exocentric_count: exocentric images beside each egocentric one.
        calibration_images: training images on which heat is fitted, at most.
        part_labels: folder with part masks, in the layout that `affordance-grounding label`
            writes, for images that have one; "trainset" for the masks beside the training images;
            None learns from image-level labels alone.
        options: the other options of `ScoredData`.

    Raises:
        TrainingError: a number that is too small.
    """

    def __init__(
        self,
        root: str,
        actions: list[str],
        crops: CropConfig = CropConfig(),  # noqa: B008  frozen
        exocentric_count: int = 3,
        calibration_images: int = 512,
        part_labels: str | None = None,
        **options: Any,
    ) -> None:
        super().__init__(
            root,
            actions,
            exocentric_count=exocentric_count,
            calibration_images=calibration_images,
            **options,
        )
        self.crops = crops
        self.part_labels = Path(part_labels).expanduser() if part_labels else None
        self.backbones: FrozenBackbones | None = None
        self.cache: FeatureCache | None = None
        self._listing: _Listing | None = None

    @property
    def skipped(self) -> tuple[str, ...]:
        """What is wrong with each file that is left out."""
        return self._listed.skipped

    @property
    def calibration(self) -> CalibrationSet:
        """Training images that heat is fitted on."""
        return self._listed.calibration

    @property
    def pairing(self) -> Pairing:
        """The training samples."""
        return self._listed.pairing

    def setup(self, stage: str) -> None:
        """List the data, leave out what cannot be used, and fill the cache if there is one.

        Raises:
            DatasetError: the data does not have the documented layout or lacks an action.
        """
        if self._listing is not None:
            return
        training = read_training_set(self.root, self.split)
        if self.part_labels == Path(OWN_MASKS):
            self.part_labels = training.folder
        scored = scored_images(
            self.selection, self.root, self.split, training, self.actions, self.validation_every
        )
        scored, problems = readable_labels(scored)
        whole = [item.image for item in scored]
        unusable = (
            self._fill(training, whole) if self.cache_features else self._inspect(training, whole)
        )
        excluded = set(unusable) | self.held_out(training)
        plain = [
            (item.image, item.object_name)
            for item in training.egocentric
            if item.action in self.actions and item.image not in unusable
        ]
        masks = self._mask_problems(training)
        self._listing = _Listing(
            Pairing(training, self.actions, self.exocentric_count, self.seed, excluded),
            tuple(item for item in scored if item.image not in unusable),
            CalibrationSet.of_training(training, evenly(plain, self.calibration_images)),
            (*problems, *unusable.values(), *masks.values()),
            frozenset(masks),
        )
        for action, name in self.pairing.unpaired:
            logger.warning("Left out: %s/%s has no egocentric image to pair with", action, name)
        self.report(training, f"{len(self.pairing)} training samples", self.skipped)

    def training_set(self) -> CachedPairs | PixelPairs:
        """The training samples, as features or as pixels."""
        if self.cache is not None:
            return CachedPairs(self.pairing, self.cache, self.cached_views, self._part_masks())
        return PixelPairs(self.pairing, self.crops, self._part_masks())

    def scored_set(self) -> PlainImages:
        """What epochs are scored on; empty for the selection "none"."""
        return self._plain(self._listed.scored)

    @property
    def _listed(self) -> _Listing:
        if self._listing is None:
            raise RuntimeError("setup() must run before the data is asked for")
        return self._listing

    def _part_masks(self) -> PartMasks | None:
        if self.part_labels is None:
            return None
        if self.backbones is None:
            raise RuntimeError("part labels need the patch size: set `data.backbones` first")
        cells = self.crops.crop // self.backbones.patch_size
        return PartMasks(self.part_labels, self.crops, cells, self._listed.unusable_masks)

    def _mask_problems(self, training: TrainingSet) -> dict[Path, str]:
        """Say which part masks cannot be used.

        Raises:
            DatasetError: the folder of part masks holds none.
        """
        if self.part_labels is None:
            return {}
        require_part_masks(self.part_labels)
        shown = [item for item in training.egocentric if item.action in self.actions]
        return mask_problems(all_part_masks(self.part_labels, shown))

    def _plain(self, images: tuple[LabelledImage, ...]) -> PlainImages:
        return PlainImages(images, self.actions, self.crops.crop, self.cache)

    def _training_files(self, training: TrainingSet) -> list[Path]:
        files = {item.image for item in training.egocentric if item.action in self.actions}
        files |= {item.image for item in training.exocentric if item.action in self.actions}
        return sorted(files - self.held_out(training))

    def _inspect(self, training: TrainingSet, whole: Iterable[Path]) -> dict[Path, str]:
        # Test images are decoded to their end: they are few, and each of them counts.
        return find_unusable(self._training_files(training)) | find_unusable(whole, decode=True)

    def _fill(self, training: TrainingSet, whole: Iterable[Path]) -> dict[Path, str]:
        if self.backbones is None:
            raise RuntimeError("the cache needs the frozen backbones: set `data.backbones` first")
        crops = tuple(range(self.cached_views))
        wanted = [WantedViews(file, crops) for file in self._training_files(training)]
        wanted += [WantedViews(file, (SQUASHED,)) for file in whole]
        # The cached views are the same for every seed, so that seeds share one cache.
        self.cache = FeatureCache(cache_directory(), self.backbones, self.crops)
        if self.trainer is not None:
            self.backbones.to(self.trainer.strategy.root_device)
        self.cache.fill(wanted, self.backbones)
        return self.cache.unusable
