"""Runs a labeller by Lightning's predict loop, on several GPUs where there are some."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import Any

import torch
from lightning import LightningModule, Trainer
from torch.utils.data import DataLoader, Dataset

from affordance_grounding_core.errors import InvalidImageError
from affordance_grounding_core.images import decode_rgb, read_bytes
from affordance_grounding_core.labelling.labeller import (
    LabelEntry,
    Labeller,
    LoadedImage,
)


class LabelDataset(Dataset[LoadedImage]):
    """Reads images; one that cannot be read is an item that says so.

    Args:
        entries: what to read.
    """

    def __init__(self, entries: Sequence[LabelEntry]) -> None:
        self.entries = list(entries)

    def __len__(self) -> int:
        return len(self.entries)

    def __getitem__(self, index: int) -> LoadedImage:
        entry = self.entries[index]
        try:
            content = read_bytes(entry.image)
            digest = hashlib.sha256(content).hexdigest()
            return LoadedImage(entry, digest, decode_rgb(content, entry.image))
        except InvalidImageError as error:
            return LoadedImage(entry, "", None, str(error))


class LabelTask(LightningModule):
    """Labels the batches it is given.

    Args:
        labeller: does the work; its segmenter is moved to the device if it is a module.
    """

    def __init__(self, labeller: Labeller) -> None:
        super().__init__()
        self.labeller = labeller
        self.segmenter: Any = labeller.segmenter

    def predict_step(self, batch: list[LoadedImage], batch_index: int) -> int:
        """Label a batch.

        Returns:
            How many images it had.

        Raises:
            RuntimeError: the device has too little memory for a batch.
        """
        try:
            return len(self.labeller.label(batch))
        except torch.OutOfMemoryError as error:
            raise RuntimeError(
                f"{self.device} has too little memory for {len(batch)} images at once; lower "
                "--batch-size. What was labelled before is kept"
            ) from error

    def transfer_batch_to_device(
        self, batch: list[LoadedImage], device: torch.device, dataloader_idx: int
    ) -> list[LoadedImage]:
        """Leave images on the CPU: the segmenter's own processor moves what it makes of them."""
        return batch


def run_labelling(
    labeller: Labeller,
    entries: Sequence[LabelEntry],
    trainer: Trainer,
    *,
    batch_size: int,
    workers: int,
) -> None:
    """Label images with a trainer, which spreads them over its devices.

    Args:
        labeller: labeller that does the work.
        entries: images to label.
        trainer: says which devices and whether there is a progress bar.
        batch_size: images given to the segmenter at once.
        workers: processes that read images.
    """
    loader = DataLoader(LabelDataset(entries), batch_size, num_workers=workers, collate_fn=_as_list)
    trainer.predict(LabelTask(labeller), loader, return_predictions=False)


def _as_list(items: list[LoadedImage]) -> list[LoadedImage]:
    return items
