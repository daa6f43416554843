"""The cup of coffee as eight cameras see it: upright, turned, in a mirror."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from affordance_grounding_core.evaluation.robustness import Change, all_changes
from affordance_grounding_core.inference.result import Box

IMAGE = "coffee.png"
ACTION = "hold"
HANDLE = Box(190, 220, 80, 95)
"""The cup's handle in the photograph, in px, marked by hand."""

ORIENTATIONS: tuple[Change, ...] = tuple(change for change in all_changes() if change.turns)
"""Upright first."""


def is_on_handle(heat: NDArray[np.float32], orientation: Change) -> bool:
    """Whether heat is highest on the cup's handle.

    Args:
        heat: (H, W) of the photograph in this orientation.
        orientation: in which it was seen.
    """
    upright = orientation.undo(heat)
    row, column = map(int, np.unravel_index(int(upright.argmax()), upright.shape))
    x, y = column - HANDLE.x, row - HANDLE.y
    return 0 <= x < HANDLE.width and 0 <= y < HANDLE.height
