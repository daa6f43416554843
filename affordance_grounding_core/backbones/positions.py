"""Position tables of vision transformers for input of another size than they were trained on."""

from __future__ import annotations

import torch
from torch import nn
from torch.nn import functional


def resize_positions(
    table: torch.Tensor, rows: int, columns: int, *, offset: float = 0.0
) -> torch.Tensor:
    """Interpolate a position table bicubically, without antialiasing.

    Args:
        table: (1 + side * side, C), the class token's position first; trained on a square.
        rows: rows of patches that are wanted.
        columns: columns of patches that are wanted.
        offset: added to rows and columns where the scale is computed. DINO's code adds 0.1
            against rounding, which shifts the samples by a few hundredths of a patch; 0.0
            maps the trained grid exactly onto the wanted one.

    Returns:
        (1 + rows * columns, C); the table itself where nothing has to be resized.
    """
    side = round((len(table) - 1) ** 0.5)
    if (rows, columns) == (side, side):
        return table
    grid = table[1:].T.reshape(1, -1, side, side).float()
    if offset:
        # An explicit scale, not a size: PyTorch then samples at the scale that is given.
        scale = ((rows + offset) / side, (columns + offset) / side)
        resized = functional.interpolate(
            grid, scale_factor=scale, mode="bicubic", align_corners=False
        )
    else:
        resized = functional.interpolate(
            grid, size=(rows, columns), mode="bicubic", align_corners=False
        )
    return torch.cat([table[:1], resized[0].flatten(1).T.to(table.dtype)])


class ResizedPositions:
    """Position tables by the grid they were resized to; frozen backbones resize each once.

    Args:
        module: module that owns the table; loading weights into it makes all of this stale.
        offset: offset of the positions; see `resize_positions`.
    """

    def __init__(self, module: nn.Module, offset: float) -> None:
        self._offset = offset
        self._kept: dict[tuple[int, int], torch.Tensor] = {}
        module.register_load_state_dict_post_hook(self._forget)  # type: ignore[no-untyped-call]

    def __call__(self, table: torch.Tensor, rows: int, columns: int) -> torch.Tensor:
        """Resize a table or return what was kept; see `resize_positions`."""
        kept = self._kept.get((rows, columns))
        if kept is not None and kept.device == table.device and kept.dtype == table.dtype:
            return kept
        positions = resize_positions(table, rows, columns, offset=self._offset)
        # A table that is being trained changes with every step.
        if positions is not table and not table.requires_grad:
            self._kept[rows, columns] = positions
        return positions

    def _forget(self, *_: object) -> None:
        self._kept.clear()


def patch_grid(height: int, width: int, patch_size: int) -> tuple[int, int]:
    """Rows and columns of patches of an input.

    Args:
        height: px of the input.
        width: px of the input.
        patch_size: side of a patch in px.

    Raises:
        ValueError: a side that is no positive multiple of the patch size.
    """
    if height % patch_size or width % patch_size or not (height and width):
        raise ValueError(
            f"input sides must be positive multiples of {patch_size}, got {height} x {width}; "
            "resize the image first"
        )
    return height // patch_size, width // patch_size
