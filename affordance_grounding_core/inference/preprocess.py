"""Turns a camera image into network input, and heat back into the image's pixels.

The two directions share one `ImageGeometry`, so that a pixel of the heatmap is the
pixel of the image it speaks of, for any image size and policy.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Literal, get_args

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from affordance_grounding_core.images.arrays import RgbImage

Policy = Literal["squash", "letterbox", "aspect"]

IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_STD = (0.229, 0.224, 0.225)


@dataclass(frozen=True)
class ImageGeometry:
    """Where an image lies in the network input.

    Attributes:
        image_height: px of the image.
        image_width: px of the image.
        input_height: px of the network input.
        input_width: px of the network input.
        left: column of the network input at which the image begins.
        top: row of the network input at which the image begins.
        width: columns of the network input that the image covers.
        height: rows of the network input that the image covers.
    """

    image_height: int
    image_width: int
    input_height: int
    input_width: int
    left: int
    top: int
    width: int
    height: int

    @property
    def is_padded(self) -> bool:
        """Whether the network input holds more than the image."""
        return (self.width, self.height) != (self.input_width, self.input_height)

    def heat_weights(
        self, rows: int, columns: int
    ) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Bilinear weights from a heat grid over the whole input to the image's pixels.

        Args:
            rows: rows of the heat grid.
            columns: columns of the heat grid.

        Returns:
            (H, rows) and (columns, W) float32, so that weights_y @ heat @ weights_x is the
            heat of the image. Pixel and cell centres are half a pixel and half a cell in.
        """
        return (
            _interpolation_weights(
                self.image_height, self.top, self.height, self.input_height, rows
            ),
            _interpolation_weights(
                self.image_width, self.left, self.width, self.input_width, columns
            ).T,
        )


@lru_cache(maxsize=16)
def _interpolation_weights(
    image_size: int, begin: int, covered: int, input_size: int, cells: int
) -> NDArray[np.float32]:
    pixels = (np.arange(image_size) + 0.5) * covered / image_size + begin
    position = np.clip(pixels * cells / input_size - 0.5, 0, cells - 1)
    lower = np.minimum(position.astype(np.int64), max(0, cells - 2))
    upper = np.minimum(lower + 1, cells - 1)
    share = position - lower
    weights = np.zeros((image_size, cells), np.float32)
    np.add.at(weights, (np.arange(image_size), lower), 1 - share)
    np.add.at(weights, (np.arange(image_size), upper), share)
    weights.setflags(write=False)
    return weights


@dataclass(frozen=True)
class PreprocessConfig:
    """How an image becomes network input.

    Attributes:
        policy: "squash" stretches to a square of `size`, as both papers do; "letterbox"
            keeps the aspect ratio and pads the square; "aspect" keeps the aspect ratio up
            to rounding with about as many patches as the square has, and pads nothing.
        size: side of the square in px, a multiple of `multiple`.
        multiple: patch size of the backbone; every input side is a multiple of it.
        mean: mean of each RGB channel in [0, 1], which is subtracted.
        std: deviation of each RGB channel, which is divided by.
    """

    policy: Policy = "squash"
    size: int = 224
    multiple: int = 14
    mean: tuple[float, float, float] = IMAGENET_MEAN
    std: tuple[float, float, float] = IMAGENET_STD

    def __post_init__(self) -> None:
        if self.policy not in get_args(Policy):
            raise ValueError(
                f"preprocess policy must be one of {list(get_args(Policy))}, got {self.policy!r}"
            )
        if self.multiple < 1 or self.size < self.multiple or self.size % self.multiple:
            raise ValueError(
                f"input size must be a positive multiple of the patch size {self.multiple}, "
                f"got {self.size}; nearest: "
                f"{max(1, round(self.size / max(1, self.multiple))) * max(1, self.multiple)}"
            )
        if len(self.mean) != 3 or len(self.std) != 3 or min(self.std) <= 0:
            raise ValueError(
                f"mean and std need three values, std above 0, got {self.mean} and {self.std}"
            )


class Preprocess:
    """Callable that turns an image into network input and remembers how."""

    def __init__(self, config: PreprocessConfig) -> None:
        self.config = config
        self._mean = np.asarray(config.mean, np.float32) * 255.0
        self._scale = 1.0 / (np.asarray(config.std, np.float32) * 255.0)

    def geometry(self, height: int, width: int) -> ImageGeometry:
        """Place an image of a size in the network input.

        Args:
            height: px of the image, at least 1.
            width: px of the image, at least 1.
        """
        size, multiple = self.config.size, self.config.multiple
        if self.config.policy == "squash":
            return ImageGeometry(height, width, size, size, 0, 0, size, size)
        if self.config.policy == "letterbox":
            scale = size / max(height, width)
            inner_height, inner_width = max(1, round(height * scale)), max(1, round(width * scale))
            left, top = (size - inner_width) // 2, (size - inner_height) // 2
            return ImageGeometry(height, width, size, size, left, top, inner_width, inner_height)
        cells = size // multiple
        aspect = float(np.clip(width / height, 1 / cells, cells))
        rows = max(1, round(cells / aspect**0.5))
        columns = max(1, round(cells * aspect**0.5))
        input_height, input_width = rows * multiple, columns * multiple
        return ImageGeometry(
            height, width, input_height, input_width, 0, 0, input_width, input_height
        )

    def __call__(self, image: RgbImage) -> tuple[NDArray[np.float32], ImageGeometry]:
        """Turn an image into network input.

        Args:
            image: as the camera or a file gave it.

        Returns:
            (3, h, w) float32, normalised, contiguous; padding is the mean colour, 0. And
            where the image lies in it.
        """
        geometry = self.geometry(*image.shape[:2])
        resized = resize_image(image, geometry.height, geometry.width)
        pixels = np.zeros((3, geometry.input_height, geometry.input_width), np.float32)
        rows = slice(geometry.top, geometry.top + geometry.height)
        columns = slice(geometry.left, geometry.left + geometry.width)
        normalised = (resized.astype(np.float32) - self._mean) * self._scale
        pixels[:, rows, columns] = normalised.transpose(2, 0, 1)
        return pixels, geometry

    def as_published(self, image: RgbImage) -> NDArray[np.float32]:
        """Turn an image into network input as the papers' evaluations do, whatever the policy.

        Args:
            image: as the camera or a file gave it.

        Returns:
            (3, size, size) float32, normalised: squashed with Pillow's bilinear filter, which
            is the filter of torchvision's transforms.
        """
        size = self.config.size
        squashed = Image.fromarray(image).resize((size, size), Image.Resampling.BILINEAR)
        scaled = np.asarray(squashed, np.float32) / np.float32(255)
        mean, std = (
            np.asarray(values, np.float32) for values in (self.config.mean, self.config.std)
        )
        return np.ascontiguousarray(((scaled - mean) / std).transpose(2, 0, 1))

    def heat_to_image(
        self, heat: NDArray[np.float32], geometry: ImageGeometry
    ) -> NDArray[np.float32]:
        """Bring heat over the network input back to the pixels of the image, bilinearly.

        Args:
            heat: (rows, columns) float32 in [0, 1] over the whole network input, padding
                included, at any resolution.
            geometry: as returned with the input.

        Returns:
            (H, W) float32 in [0, 1].
        """
        heat = np.ascontiguousarray(heat, np.float32)
        if geometry.is_padded:
            image_heat = _weighted(heat, *geometry.heat_weights(*heat.shape))
        else:  # What the weights say, sooner.
            size = (geometry.image_width, geometry.image_height)
            resized = cv2.resize(heat, size, interpolation=cv2.INTER_LINEAR)
            image_heat = np.asarray(resized, np.float32)
        return np.clip(image_heat, 0.0, 1.0, out=image_heat)


_QUIET_PRODUCT = 2**17
"""Multiplications from which on (with a margin of two) OpenBLAS wakes its threads. They spin for
tens of milliseconds after the product, on the cores that the network needs for the next frame."""


def _weighted(
    heat: NDArray[np.float32], weights_y: NDArray[np.float32], weights_x: NDArray[np.float32]
) -> NDArray[np.float32]:
    """Compute weights_y @ heat @ weights_x in products so small that one thread makes them."""
    image_heat = np.empty((weights_y.shape[0], weights_x.shape[1]), np.float32)
    count = max(1, _QUIET_PRODUCT // max(weights_x.size, heat.size))
    for start in range(0, len(image_heat), count):
        rows = slice(start, start + count)
        np.matmul(weights_y[rows] @ heat, weights_x, out=image_heat[rows])
    return image_heat


def resize_image(image: NDArray[np.uint8], height: int, width: int) -> NDArray[np.uint8]:
    """Resize without aliasing: by area where the image shrinks, bilinearly where it grows.

    Args:
        image: (H, W, 3) uint8.
        height: px of the result.
        width: px of the result.
    """
    if image.shape[:2] == (height, width):
        return image
    shrinks = height <= image.shape[0] and width <= image.shape[1]
    interpolation = cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR
    resized = cv2.resize(image, (width, height), interpolation=interpolation)
    return np.asarray(resized, np.uint8)
