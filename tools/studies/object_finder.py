"""Masks of objects in people's hands, where no segmenter can be had.

A stand-in: a linear classifier on frozen patch features, fitted on whole objects in egocentric
pictures, with people who hold other things as counterexamples. It knows nothing of parts.
"""

from __future__ import annotations

import math
from collections.abc import Iterable

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch.nn import functional

from affordance_grounding_core.methods.plsp.refinement.alignment import pad_to_square
from affordance_grounding_core.methods.plsp.refinement.feature_bank import PatchFeatures
from affordance_grounding_core.methods.plsp.refinement.pictures import PictureFormat

Picture = NDArray[np.uint8]
Mask = NDArray[np.bool_]

_INSIDE, _OUTSIDE = 0.6, 0.05
"""Patches covered by more than the first count as the object, by less than the second not."""

_REGULARISATION = 1e-3
"""Added to the spread of features of length 1, per channel."""


class PatchDescriber:
    """Describes the patches of a picture, padded to a square.

    Args:
        features: frozen.
        picture_format: of their input.
    """

    def __init__(self, features: PatchFeatures, picture_format: PictureFormat) -> None:
        self._features = features
        self._format = picture_format

    def describe(self, picture: Picture) -> torch.Tensor:
        """(H, W, 3) uint8 RGB to (N, C) of length 1."""
        pixels = self._format.square(self._format.normalise(picture))[None]
        return functional.normalize(self._features(pixels)[0].float(), dim=1)


class ObjectFinder:
    """Says which pixels show an object of one class.

    Args:
        describer: of patches.
        examples: pictures with the mask of the whole object.
        others: (N, C) patches of pictures without such an object.
        threshold: score from which a pixel belongs to the object; 1 is a typical pixel of it,
            -1 of anything else.
    """

    def __init__(
        self,
        describer: PatchDescriber,
        examples: Iterable[tuple[Picture, Mask]],
        others: torch.Tensor,
        threshold: float = 0.2,
    ) -> None:
        self._describer = describer
        self._threshold = threshold
        vectors, answers = [others], [torch.zeros(len(others), dtype=torch.bool)]
        for picture, mask in examples:
            found = describer.describe(picture)
            share = _shares(mask, math.isqrt(len(found)))
            clear = (share > _INSIDE) | (share < _OUTSIDE)
            vectors.append(found[clear])
            answers.append(share[clear] > _INSIDE)
        self._weights = _least_squares(torch.cat(vectors), torch.cat(answers))

    def find(self, picture: Picture) -> Mask:
        """Find the object in a picture, (H, W) bool; nothing where it is not to be seen."""
        height, width = picture.shape[:2]
        score = _with_constant(self._describer.describe(picture)) @ self._weights
        side, longer = math.isqrt(len(score)), max(height, width)
        grid = score.reshape(1, 1, side, side)
        full = functional.interpolate(grid, (longer, longer), mode="bilinear")[0, 0]
        top, left = (longer - height) // 2, (longer - width) // 2
        inside = full[top : top + height, left : left + width]
        return np.asarray((inside > self._threshold).numpy(), np.bool_)


def _shares(mask: Mask, side: int) -> torch.Tensor:
    """Share of each patch that a mask covers, (side * side), the mask padded to a square."""
    square = pad_to_square(torch.from_numpy(mask).float()[None])
    return functional.adaptive_avg_pool2d(square, (side, side)).flatten()


def _with_constant(vectors: torch.Tensor) -> torch.Tensor:
    return functional.pad(vectors, (0, 1), value=1.0)


def _least_squares(vectors: torch.Tensor, answers: torch.Tensor) -> torch.Tensor:
    """Fit 1 and -1, both weighing the same however many there are: (C + 1)."""
    inputs = _with_constant(vectors).double()
    weights = torch.where(answers, 1 / answers.sum(), 1 / (~answers).sum()).double()
    targets = torch.where(answers, 1.0, -1.0).double()
    spread = torch.einsum("n,nc,nd->cd", weights, inputs, inputs)
    spread += _REGULARISATION / inputs.shape[1] * torch.eye(inputs.shape[1]).double()
    solution: torch.Tensor = torch.linalg.solve(spread, (weights * targets) @ inputs)
    return solution.float()


def bounding_box(mask: Mask) -> tuple[float, float, float, float]:
    """Box around a mask that is not empty: x0, y0, x1, y1 in px."""
    left, top, width, height = cv2.boundingRect(mask.astype(np.uint8))
    return float(left), float(top), float(left + width), float(top + height)
