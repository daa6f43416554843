"""PyTorch as it is: the reference that every other runtime is measured against."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from affordance_grounding_core.errors import RuntimeUnavailableError

RUNTIMES = ("auto", "eager")


class EagerRuntime:
    """Runs a network with PyTorch in float32.

    Args:
        network: maps (1, 3, h, w) float32 pixels and (K,) int64 action indices to
            (K, rows, columns) heat in [0, 1].
        device: "cpu", "cuda" or "cuda:N".
    """

    def __init__(self, network: nn.Module, device: str) -> None:
        self._device = torch.device(device)
        self._network: nn.Module | None = network.eval().to(self._device)

    @property
    def description(self) -> str:
        """Runtime, device and precision."""
        return f"eager-{self._device}-fp32"

    def run(self, pixels: NDArray[np.float32], actions: Sequence[int]) -> NDArray[np.float32]:
        """Compute the heat of some actions.

        Args:
            pixels: (3, h, w) float32, normalised.
            actions: K indices into the vocabulary.

        Returns:
            (K, rows, columns) float32 in [0, 1].

        Raises:
            RuntimeUnavailableError: the runtime was closed.
        """
        if self._network is None:
            raise RuntimeUnavailableError("this grounder was closed; load it again")
        with torch.inference_mode():
            batch = torch.from_numpy(pixels)[None].to(self._device)
            indices = torch.tensor(list(actions), dtype=torch.int64, device=self._device)
            heat = self._network(batch, indices).float().cpu().numpy()
        return np.asarray(heat, np.float32)

    def close(self) -> None:
        """Free the memory of the network."""
        self._network = None
        if self._device.type == "cuda":
            torch.cuda.empty_cache()


def open_runtime(network: nn.Module, runtime: str) -> EagerRuntime:
    """Choose where a network runs.

    Args:
        network: see `EagerRuntime`.
        runtime: one of `RUNTIMES`.

    Raises:
        RuntimeUnavailableError: another name.
    """
    if runtime not in RUNTIMES:
        raise RuntimeUnavailableError(
            f"runtime {runtime!r} is not available; expected one of {list(RUNTIMES)}"
        )
    return EagerRuntime(network, "cuda" if torch.cuda.is_available() else "cpu")
