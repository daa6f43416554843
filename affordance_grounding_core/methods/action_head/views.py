"""Random views of a training image, and the same views of its labels.

Geometry is one affine matrix for image and label, so that they cannot drift apart;
changes of light touch the image alone.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from affordance_grounding_core.inference.preprocess import resize_image
from affordance_grounding_core.methods.action_head.config import ViewConfig


@dataclass(frozen=True)
class View:
    """One way of looking at an image of a known size.

    Attributes:
        size: side of the square view in px.
        matrix: (2, 3) float64, from pixel centres of the view to pixel centres of the
            image; None for the plain view, which is resized without aliasing.
        seed: of the changes of light; None for none.
    """

    size: int
    matrix: NDArray[np.float64] | None
    seed: tuple[int, ...] | None


def plan_view(
    height: int, width: int, size: int, number: int, config: ViewConfig, seed: tuple[int, ...]
) -> View:
    """Choose a view.

    Args:
        height: of the image, in px.
        width: of the image, in px.
        size: side of the square view in px.
        number: of the view; 0 is the plain image.
        config: limits of the changes.
        seed: decides everything that is random; the same seed gives the same view.
    """
    if number == 0:
        return View(size, None, None)
    random = np.random.default_rng((*seed, number))
    scale = random.uniform(config.minimum_scale, config.maximum_scale)
    angle = np.deg2rad(random.uniform(-config.rotation, config.rotation))
    stretch = np.exp(random.uniform(-config.aspect, config.aspect))
    mirrored = -1.0 if random.random() < 0.5 else 1.0
    free = np.maximum(1.0 - scale, 0.12) * np.array([width, height]) / 2
    centre = (np.array([width, height]) - 1) / 2 + random.uniform(-1.0, 1.0, 2) * free
    rotation = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    step = np.diag([mirrored * width * stretch, height / stretch]) * scale / size
    linear = rotation @ step
    offset = centre - linear @ np.array([(size - 1) / 2, (size - 1) / 2])
    return View(size, np.hstack([linear, offset[:, None]]), (*seed, number, 1))


def view_image(image: NDArray[np.uint8], view: View, config: ViewConfig) -> NDArray[np.uint8]:
    """Look at an image.

    Args:
        image: (H, W, 3) uint8, RGB.
        view: as planned for this size.
        config: limits of the changes of light.

    Returns:
        (size, size, 3) uint8, RGB.
    """
    if view.matrix is None:
        return resize_image(image, view.size, view.size)
    seen = _warp(image.astype(np.float32), view.matrix, view.size)
    return _relight(seen, np.random.default_rng(view.seed), config)


def view_label(label: NDArray[np.float32], view: View, cells: int) -> NDArray[np.float32]:
    """Look at a label, averaged over the cells of a grid.

    Args:
        label: (H, W) float32, of the image's size.
        view: as planned for the image.
        cells: side of the square grid.

    Returns:
        (cells, cells) float32.
    """
    seen = label if view.matrix is None else _warp(label, view.matrix, view.size)
    return np.asarray(cv2.resize(seen, (cells, cells), interpolation=cv2.INTER_AREA), np.float32)


def _warp(
    values: NDArray[np.float32], matrix: NDArray[np.float64], size: int
) -> NDArray[np.float32]:
    warped = cv2.warpAffine(
        values,
        matrix,
        (size, size),
        flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP,
        borderMode=cv2.BORDER_REFLECT_101,
    )
    return np.asarray(warped, np.float32)


def _relight(
    image: NDArray[np.float32], random: np.random.Generator, config: ViewConfig
) -> NDArray[np.uint8]:
    shift, brightness = config.colour_shift, config.brightness
    lit = image * random.uniform(1 - brightness, 1 + brightness)
    lit = lit + random.uniform(-shift, shift) + random.uniform(-shift, shift, 3) * 0.75
    if random.random() < config.grey:
        lit = np.repeat(lit.mean(axis=2, keepdims=True), 3, axis=2)
    sigma = random.uniform(0.0, config.blur)
    if random.random() < 0.5 and sigma > 0.2:
        lit = np.asarray(cv2.GaussianBlur(lit, (0, 0), sigma))
    lit = lit + random.normal(0.0, random.uniform(0.0, config.noise), lit.shape)
    return np.clip(lit, 0, 255).astype(np.uint8)
