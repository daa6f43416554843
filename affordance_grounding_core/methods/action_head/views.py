"""Random views of a training image, and the same views of its labels.

Geometry is one affine matrix for image and label, so that they cannot drift apart;
changes of light touch the image alone.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from affordance_grounding_core.images.arrays import RgbImage
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
    height: int,
    width: int,
    size: int,
    number: int,
    config: ViewConfig,
    seed: tuple[int, ...],
    focus: tuple[float, float] | None = None,
) -> View:
    """Choose a view.

    Args:
        height: of the image, in px.
        width: of the image, in px.
        size: side of the square view in px.
        number: of the view; 0 is the plain image.
        config: limits of the changes.
        seed: decides everything that is random; the same seed gives the same view.
        focus: (x, y) in [0, 1] of the image that a crop keeps in view; None for anywhere.
    """
    if number == 0:
        return View(size, None, None)
    random = np.random.default_rng((*seed, number))
    scale = float(np.exp(random.uniform(*np.log([config.minimum_scale, config.maximum_scale]))))
    angle = np.deg2rad(random.uniform(-config.rotation, config.rotation))
    stretch = np.exp(random.uniform(-config.aspect, config.aspect))
    mirrored = -1.0 if random.random() < 0.5 else 1.0
    if random.random() < config.turns:
        angle += np.pi / 2 * random.integers(1, 4)
    image = np.array([width, height], np.float64)
    sides = np.full(2, np.sqrt(width * height)) if config.natural_aspect else image
    free = np.maximum(image - scale * sides, 0.12 * image) / 2
    centre = (image - 1) / 2 + random.uniform(-1.0, 1.0, 2) * free
    if focus is not None:
        # Half of the crop's half diagonal: inside it, however the crop is turned.
        reach = 0.6 * scale * sides / 2
        marked = np.array(focus) * image
        centre = np.clip(centre, marked - reach, marked + reach)
    rotation = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    if config.natural_aspect:
        linear = rotation @ np.diag([mirrored * stretch, 1.0 / stretch]) * (scale * sides[0] / size)
    else:
        # Turned as it is squashed, so that the view of a wide image stays a squashed one.
        linear = np.diag(sides) @ rotation @ np.diag([mirrored * stretch, 1.0 / stretch])
        linear = linear * scale / size
    offset = centre - linear @ np.array([(size - 1) / 2, (size - 1) / 2])
    return View(size, np.hstack([linear, offset[:, None]]), (*seed, number, 1))


def view_image(image: RgbImage, view: View, config: ViewConfig) -> NDArray[np.uint8]:
    """Look at an image.

    Args:
        image: as the camera or a file gave it.
        view: as planned for this size.
        config: limits of the changes of light.

    Returns:
        (size, size, 3) uint8, RGB.
    """
    if view.matrix is None:
        return resize_image(image, view.size, view.size)
    seen = _warp(image.astype(np.float32), view.matrix, view.size)
    return _relight(seen, np.random.default_rng(view.seed), config)


def view_label(label: NDArray[np.float32], view: View) -> NDArray[np.float32]:
    """Look at a label.

    Args:
        label: (H, W) float32, of the image's size.
        view: as planned for the image.

    Returns:
        (size, size) float32.
    """
    if view.matrix is not None:
        return _warp(label, view.matrix, view.size)
    side = (view.size, view.size)
    return np.asarray(cv2.resize(label, side, interpolation=cv2.INTER_AREA), np.float32)


def _warp(
    values: NDArray[np.float32], matrix: NDArray[np.float64], size: int
) -> NDArray[np.float32]:
    # A view that shrinks its image is drawn larger first, then averaged: no aliasing.
    finer = int(np.clip(np.ceil(np.linalg.norm(matrix[:, 0]) - 0.25), 1, 4))
    linear = matrix[:, :2] / finer
    shift = matrix[:, 2:] - matrix[:, :2] @ np.full((2, 1), 0.5 - 0.5 / finer)
    warped = cv2.warpAffine(
        values,
        np.hstack([linear, shift]),
        (size * finer, size * finer),
        flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP,
        borderMode=cv2.BORDER_REFLECT_101,
    )
    if finer > 1:
        warped = cv2.resize(warped, (size, size), interpolation=cv2.INTER_AREA)
    return np.asarray(warped, np.float32)


def _relight(
    image: NDArray[np.float32], random: np.random.Generator, config: ViewConfig
) -> NDArray[np.uint8]:
    shift, brightness = config.colour_shift, config.brightness
    lit = image * random.uniform(1 - brightness, 1 + brightness)
    lit = lit * random.uniform(1 - config.tint, 1 + config.tint, 3)
    lit = lit + random.uniform(-shift, shift) + random.uniform(-shift, shift, 3) * 0.75
    if random.random() < config.grey:
        lit = np.repeat(lit.mean(axis=2, keepdims=True), 3, axis=2)
    if random.random() < config.darkness:
        lit = lit * random.uniform(0.1, 0.6)
    sigma = random.uniform(0.0, config.blur)
    if random.random() < 0.5 and sigma > 0.2:
        lit = np.asarray(cv2.GaussianBlur(lit, (0, 0), sigma))
    lit = lit + random.normal(0.0, random.uniform(0.0, config.noise), lit.shape)
    picture = np.clip(lit, 0, 255).astype(np.uint8)
    if random.random() < config.compression:
        quality = [cv2.IMWRITE_JPEG_QUALITY, int(random.integers(8, 61))]
        _, content = cv2.imencode(".jpg", picture, quality)
        picture = np.asarray(cv2.imdecode(content, cv2.IMREAD_COLOR), np.uint8)
    return picture
