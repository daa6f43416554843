"""Where a patch lies, as the two decoders of WSAG-PLSP are told."""

from __future__ import annotations

import math

import torch

from affordance_grounding_core.inference.network import KeepsFloat32

_TEMPERATURE = 10000.0


def sine_cosine_positions(rows: int, columns: int, width: int) -> torch.Tensor:
    """Fixed two-dimensional sine-cosine positions.

    Args:
        rows: of patches.
        columns: of patches.
        width: channels, a multiple of 4.

    Returns:
        (rows * columns, width) float32, row by row; quarters of the channels are the sines
        and cosines of the row, then those of the column.

    Raises:
        ValueError: a width that four does not divide.
    """
    if width % 4:
        raise ValueError(f"sine-cosine positions need a width that 4 divides, got {width}")
    quarter = width // 4
    frequencies = _TEMPERATURE ** -(torch.arange(quarter, dtype=torch.float32) / quarter)
    row, column = torch.meshgrid(
        torch.arange(rows, dtype=torch.float32),
        torch.arange(columns, dtype=torch.float32),
        indexing="ij",
    )
    angles = [place.reshape(-1, 1) * frequencies for place in (row, column)]
    return torch.cat([wave(angle) for angle in angles for wave in (torch.sin, torch.cos)], dim=1)


class RandomFourierPositions(KeepsFloat32):
    """Positions as sines and cosines of random projections, as in Segment Anything.

    The projection is drawn once and kept in the checkpoint: the decoder is trained with it.

    Args:
        width: channels, even.

    It stays in float32: angles of several turns are too coarse in 16 bits.
    """

    def __init__(self, width: int) -> None:
        super().__init__()
        self.positional_encoding_gaussian_matrix: torch.Tensor
        self.register_buffer("positional_encoding_gaussian_matrix", torch.randn(2, width // 2))

    def forward(self, rows: int, columns: int) -> torch.Tensor:
        """Compute the positions of a grid of any size.

        Args:
            rows: of patches.
            columns: of patches.

        Returns:
            (rows * columns, width), row by row.
        """
        projection = self.positional_encoding_gaussian_matrix
        across = (torch.arange(columns, device=projection.device) + 0.5) / columns
        down = (torch.arange(rows, device=projection.device) + 0.5) / rows
        y, x = torch.meshgrid(down, across, indexing="ij")
        places = torch.stack([x, y], dim=-1).reshape(-1, 2).to(projection.dtype)
        angles = 2 * math.pi * ((2 * places - 1) @ projection)
        return torch.cat([angles.sin(), angles.cos()], dim=-1)
