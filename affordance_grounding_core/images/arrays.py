"""Names of the arrays that images are held in."""

from __future__ import annotations

from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

RgbImage: TypeAlias = NDArray[np.uint8]
"""Colour image, (H, W, 3) uint8, RGB; rows from the top, columns from the left."""
