"""Tokens of a frozen encoder for a fixed set of views, computed once and kept on disk."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from tqdm import tqdm

from affordance_grounding_core.data.feature_store import FeatureStore

_BATCH = 8


@dataclass(frozen=True)
class WantedTokens:
    """A view whose tokens are wanted.

    Attributes:
        key: of the view, without line breaks; holds whatever shapes it.
        pixels: computes it, (3, h, w) float32.
    """

    key: str
    pixels: Callable[[], torch.Tensor]


class TokenCache:
    """Tokens by view.

    Args:
        folder: above all caches.
        encoder: frozen, on the device to compute on.
        size: side in px of the square input.
        identity: of the encoder's weights and of everything that shapes the views.
    """

    def __init__(
        self, folder: Path, encoder: torch.nn.Module, size: int, identity: Mapping[str, object]
    ) -> None:
        patch, width = int(encoder.patch_size), int(encoder.output_width)  # type: ignore[arg-type]
        key = hashlib.sha256(json.dumps(dict(identity), sort_keys=True).encode()).hexdigest()
        shape = (1 + (size // patch) ** 2, width)
        self._encoder = encoder
        self._store = FeatureStore(folder / "plsp" / key[:32], {"tokens": shape})

    def __contains__(self, key: str) -> bool:
        return key in self._store

    @torch.inference_mode()
    def fill(self, wanted: Sequence[WantedTokens]) -> None:
        """Compute what is not there yet; may be interrupted and called again.

        Raises:
            DatasetError: the disk is full or the folder cannot be written.
        """
        device = next(self._encoder.parameters()).device
        with self._store.filling():
            missing = {one.key: one for one in wanted if one.key not in self._store}
            todo = list(missing.values())
            bar = tqdm(total=len(todo), desc="frozen tokens", unit="view", disable=None)
            with bar:
                for start in range(0, len(todo), _BATCH):
                    batch = todo[start : start + _BATCH]
                    pixels = torch.stack([one.pixels() for one in batch]).to(device)
                    tokens = self._encoder(pixels).float().cpu().numpy().astype(np.float16)
                    self._store.append([one.key for one in batch], {"tokens": tokens})
                    bar.update(len(batch))

    def read(self, key: str) -> NDArray[np.float16]:
        """Return (1 + N, width) tokens.

        Raises:
            KeyError: they were never computed.
        """
        return self._store.read(key)["tokens"]

    def __getstate__(self) -> dict[str, object]:
        # Workers read and never compute.
        return self.__dict__ | {"_encoder": None}
