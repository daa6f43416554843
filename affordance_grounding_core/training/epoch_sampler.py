"""Which sample of which epoch a data loader asks for."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

from torch.utils.data import DistributedSampler


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
