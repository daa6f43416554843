"""Data of the methods that score their epochs on images."""

from __future__ import annotations

import logging
from abc import abstractmethod
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple, Protocol

from torch.utils.data import DataLoader, DistributedSampler

from affordance_grounding_core.data.agd20k import TrainingSet
from affordance_grounding_core.data.splits import is_held_out
from affordance_grounding_core.training.heat_fitting import CalibrationSet
from affordance_grounding_core.training.run_data import RunData
from affordance_grounding_core.training.scored_images import LabelledImage, Selection

logger = logging.getLogger(__name__)


class EpochIndex(NamedTuple):
    """Which sample of which epoch."""

    epoch: int
    sample: int


class EpochSampler(DistributedSampler[Any]):
    """Shuffles by seed and epoch, shares out over devices, and says the epoch with each index.

    Workers live longer than an epoch, so that the epoch has to come with the index.
    """

    def __iter__(self) -> Iterator[Any]:
        return (EpochIndex(self.epoch, int(index)) for index in super().__iter__())


class SizedDataset(Protocol):
    """Samples by their place."""

    def __len__(self) -> int:
        """How many there are."""
        ...

    def __getitem__(self, place: Any) -> dict[str, Any]:
        """Return one."""
        ...


class ImageDataset(SizedDataset, Protocol):
    """Whole images; a sample says its place as "index"."""

    @property
    def images(self) -> Sequence[LabelledImage]:
        """What the samples show, in order."""
        ...


class ScoredData(RunData):
    """Samples to train on, images to score epochs on, and images to fit heat on.

    A method lists all three in `setup`.

    Args:
        root: see `RunData`.
        actions: see `RunData`.
        split: "seen", "unseen" or "hico-iif"; None where the folder says enough.
        exocentric_count: exocentric images beside each egocentric one.
        selection: what the best epoch is chosen by: "test" as in the papers, "validation" by
            held-out training images with part masks, or "none" for the last epoch alone.
        calibration_images: training images on which heat is fitted, at most.
        cache_features: whether frozen features are computed once and kept on disk.
        cached_views: views of a training image in the cache.
        options: the other options of `RunData`.

    Raises:
        ValueError: a number that is too small.
    """

    def __init__(
        self,
        root: str,
        actions: list[str],
        split: str | None = None,
        exocentric_count: int = 1,
        selection: Selection = "test",
        calibration_images: int = 256,
        cache_features: bool = False,
        cached_views: int = 4,
        **options: Any,
    ) -> None:
        super().__init__(root, actions, **options)
        if cached_views < 1:
            raise ValueError(f"data.cached_views must be at least 1, got {cached_views}")
        self.split = split
        self.exocentric_count = exocentric_count
        self.selection: Selection = selection
        self.calibration_images = calibration_images
        self.cache_features = cache_features
        self.cached_views = cached_views

    @property
    @abstractmethod
    def calibration(self) -> CalibrationSet:
        """Training images that heat is fitted on."""

    @abstractmethod
    def training_set(self) -> SizedDataset:
        """What is trained on; asked for by an `EpochIndex`."""

    @abstractmethod
    def scored_set(self) -> ImageDataset:
        """What epochs are scored on; empty for the selection "none"."""

    def train_dataloader(self) -> DataLoader[Any]:
        """Shuffled samples, the same for a seed and an epoch whatever else changes."""
        samples: Any = self.training_set()
        trainer = self.trainer
        sampler = EpochSampler(
            samples,
            num_replicas=trainer.world_size if trainer else 1,
            rank=trainer.global_rank if trainer else 0,
            seed=self.seed,
        )
        return DataLoader(
            samples,
            self.batch_size,
            sampler=sampler,
            num_workers=self.workers,
            persistent_workers=self.workers > 0,
        )

    def val_dataloader(self) -> DataLoader[Any] | list[Any]:
        """What epochs are scored on; nothing for the selection "none".

        Image by image: a network rounds differently for batches of different sizes, so that scores
        would depend on how many devices share the images.
        """
        scored: Any = self.scored_set()
        return DataLoader(scored, 1, num_workers=self.workers) if len(scored) else []

    def held_out(self, training: TrainingSet) -> set[Path]:
        """Find the egocentric images that are held out, for the selection "validation"."""
        if self.selection != "validation":
            return set()
        every = self.validation_every
        items = training.egocentric
        return {i.image for i in items if is_held_out(i.object_name, i.image, every)}

    def scored_caption(self, index: int) -> tuple[Path, str]:
        """File and action of the scored image that a batch names by its index."""
        image = self.scored_set().images[index]
        return image.image, image.action

    def report(self, listed: TrainingSet, samples: str, problems: Sequence[str]) -> None:
        """Log what a run looks at, and what it leaves out.

        Args:
            listed: the training set.
            samples: number and name of what is trained on.
            problems: messages, one for each file that is left out.
        """
        logger.info(
            "%s of %d actions, %d images to score epochs on",
            samples,
            len(self.actions),
            len(self.scored_set()),
        )
        for folder in listed.empty_classes:
            logger.warning("Empty class folder: %s", folder)
        for problem in problems:
            logger.warning("Left out: %s", problem)
        if problems:
            logger.warning("%d files are left out, named above", len(problems))
