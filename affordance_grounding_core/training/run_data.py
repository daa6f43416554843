"""What the data of all methods that score their epochs share."""

from __future__ import annotations

import logging
from abc import abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple, Protocol

from lightning import LightningDataModule
from torch.utils.data import DataLoader, DistributedSampler

from affordance_grounding_core.data.agd20k import TrainingSet
from affordance_grounding_core.training.scored_images import LabelledImage, Selection


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


logger = logging.getLogger(__name__)


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


class RunData(LightningDataModule):
    """Samples to train on, images to score epochs on, and images to calibrate heat on.

    A method lists all three in `setup`.

    Attributes:
        actions: vocabulary.
        batch_size: samples in a batch of one device.
        selection: what the best epoch is chosen by.
        workers: processes that load images.
        seed: of the order of the samples.
    """

    actions: list[str]
    batch_size: int
    selection: Selection
    workers: int
    seed: int

    @property
    @abstractmethod
    def affordances(self) -> Mapping[str, frozenset[str]]:
        """Object class to the actions it appears under in the training set."""

    @abstractmethod
    def training_set(self) -> SizedDataset:
        """What is trained on; asked for by an `EpochIndex`."""

    @abstractmethod
    def scored_set(self) -> ImageDataset:
        """What epochs are scored on; empty for the selection "none"."""

    @abstractmethod
    def calibration_set(self) -> ImageDataset:
        """Whole training images, to see how hot right and wrong actions get."""

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
        scored = self.scored_set()
        return self._in_order(scored, 1) if len(scored) else []

    def calibration_dataloader(self) -> DataLoader[Any]:
        """Whole training images, to see how hot right and wrong actions get."""
        return self._in_order(self.calibration_set(), self.batch_size)

    def calibration_image(self, index: int) -> LabelledImage:
        """The image of the calibration set that a batch names by its index."""
        return self.calibration_set().images[index]

    def scored_caption(self, index: int) -> tuple[Path, str]:
        """File and action of the scored image that a batch names by its index."""
        image = self.scored_set().images[index]
        return image.image, image.action

    def report(self, listed: TrainingSet, samples: str, problems: Sequence[str]) -> None:
        """Log what a run looks at, and what it leaves out.

        Args:
            listed: the training set.
            samples: number and name of what is trained on.
            problems: of files that are left out, a message each.
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

    def _in_order(self, images: Any, batch_size: int) -> DataLoader[Any]:
        return DataLoader(images, batch_size, num_workers=self.workers)
