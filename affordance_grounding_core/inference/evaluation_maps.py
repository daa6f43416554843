"""The raw maps of a network for one image, as the papers score them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol, cast

import numpy as np
import torch
from numpy.typing import NDArray


class MapNetwork(Protocol):
    """A network that gives the maps its paper scores."""

    def evaluation_maps(
        self, pixels: torch.Tensor, actions: torch.Tensor
    ) -> Mapping[str, torch.Tensor]:
        """Compute raw maps.

        Args:
            pixels: (1, 3, h, w) float32, normalised.
            actions: (K) int64 indices.

        Returns:
            (K, rows, columns) by name, of any sign and scale.
        """
        ...


def network_maps(
    network: object, pixels: NDArray[np.float32], actions: Sequence[int]
) -> dict[str, NDArray[np.float32]]:
    """Run a network for its raw maps.

    Args:
        network: of a runtime; one without `evaluation_maps` gives none.
        pixels: (3, h, w) float32, normalised.
        actions: K indices into the vocabulary.

    Returns:
        (K, rows, columns) float32 by name, of any sign and scale.
    """
    if not hasattr(network, "evaluation_maps"):
        return {}
    device = next(cast(Any, network).parameters()).device
    with torch.inference_mode():
        maps = cast(MapNetwork, network).evaluation_maps(
            torch.from_numpy(pixels)[None].to(device),
            torch.tensor(list(actions), dtype=torch.int64, device=device),
        )
    return {name: np.asarray(value.float().cpu().numpy()) for name, value in maps.items()}
