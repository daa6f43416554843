"""Data of every training run: the options that all methods share."""

from __future__ import annotations

from lightning import LightningDataModule


class RunData(LightningDataModule):
    """Pictures to train on, from a folder in AGD20K layout.

    Args:
        root: folder of the data.
        actions: vocabulary; the order is that of the network's channels.
        batch_size: samples in a batch of one device.
        validation_every: share of the pictures that is held out, as one in so many, where
            pictures are held out.
        workers: processes that load samples; 0 loads in the training process.
        seed: seed of everything random.

    Raises:
        ValueError: a number that is too small.
    """

    def __init__(
        self,
        root: str,
        actions: list[str],
        batch_size: int = 8,
        validation_every: int = 10,
        workers: int = 4,
        seed: int = 0,
    ) -> None:
        super().__init__()
        for name, value, least in (
            ("batch_size", batch_size, 1),
            ("validation_every", validation_every, 1),
            ("workers", workers, 0),
        ):
            if value < least:
                raise ValueError(f"data.{name} must be at least {least}, got {value}")
        self.root = root
        self.actions = list(actions)
        self.batch_size = batch_size
        self.validation_every = validation_every
        self.workers = workers
        self.seed = seed
