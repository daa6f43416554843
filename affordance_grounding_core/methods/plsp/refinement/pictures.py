"""Resizes pictures and masks to the input of the networks."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch.nn import functional

from affordance_grounding_core.methods.plsp.refinement.alignment import pad_to_square

SMALLEST_SIDE = 2
"""An object's crop with a shorter side, in px, shows nothing."""


class PictureFormat:
    """Normalisation and size of the networks' input.

    Args:
        mean: mean of each RGB channel in [0, 1].
        std: standard deviation of each RGB channel.
        size: side of the square input in px.
    """

    def __init__(
        self, mean: tuple[float, float, float], std: tuple[float, float, float], size: int
    ) -> None:
        self.size = size
        self._mean = torch.tensor(mean).reshape(3, 1, 1)
        self._std = torch.tensor(std).reshape(3, 1, 1)

    def normalise(self, image: NDArray[np.uint8]) -> torch.Tensor:
        """(H, W, 3) uint8 RGB to (3, H, W) float32, normalised."""
        pixels = torch.from_numpy(np.ascontiguousarray(image)).permute(2, 0, 1).float() / 255
        return (pixels - self._mean) / self._std

    def square(self, picture: torch.Tensor, size: int | None = None) -> torch.Tensor:
        """Pad a picture or a mask to a square and resize it.

        Args:
            picture: (C, h, w); padding is 0, which is the mean colour of a normalised one.
            size: side in px; the networks' input where None.

        Returns:
            (C, size, size).
        """
        return resize(pad_to_square(picture), size or self.size)


def resize(picture: torch.Tensor, size: int) -> torch.Tensor:
    """Resize a square picture bilinearly, averaging where it shrinks: (C, size, size)."""
    return functional.interpolate(
        picture[None], size=(size, size), mode="bilinear", align_corners=False, antialias=True
    )[0]
