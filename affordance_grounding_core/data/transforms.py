"""Turns images into network input for training and testing, as the papers do.

Training: the shorter side becomes 256 px, then a random crop of 224 px, mirrored half the
time. Testing: squashed to 224 x 224 px. Both with Pillow's bilinear filter and ImageNet's
mean and standard deviation.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image

from affordance_grounding_core.images.arrays import RgbImage
from affordance_grounding_core.inference.preprocess import IMAGENET_MEAN, IMAGENET_STD


@dataclass(frozen=True)
class CropConfig:
    """Random crops of a training image.

    Attributes:
        resize: length of the shorter side before the crop, in px.
        crop: side of the square crop in px, which is the side of the network's input.
        flip: probability that the crop is mirrored.
    """

    resize: int = 256
    crop: int = 224
    flip: float = 0.5

    def __post_init__(self) -> None:
        if not 1 <= self.crop <= self.resize:
            raise ValueError(
                f"crop must lie in [1, resize], so that every crop lies inside the image; got "
                f"crop {self.crop} and resize {self.resize}"
            )
        if not 0.0 <= self.flip <= 1.0:
            raise ValueError(f"flip must lie in [0, 1], got {self.flip}")


def random_crop(image: RgbImage, config: CropConfig, seed: tuple[int, ...]) -> torch.Tensor:
    """Look at a random square of an image.

    Args:
        image: image of any size.
        config: options of the crop.
        seed: decides the place and the mirroring; the same seed gives the same crop.

    Returns:
        (3, crop, crop) float32, normalised.
    """
    place = _draw_place(image.shape[0], image.shape[1], config, seed)
    resized = _resize(image, place.height, place.width)
    crop = resized.crop((place.left, place.top, place.left + config.crop, place.top + config.crop))
    if place.mirrored:
        crop = crop.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
    return _normalised(crop)


def crop_label(
    label: NDArray[np.float32], config: CropConfig, seed: tuple[int, ...], cells: int
) -> NDArray[np.float32]:
    """Look at a label through the crop that `random_crop` takes of its image.

    Args:
        label: (H, W) float32 of the image's size.
        config: options of the crop.
        seed: seed that the crop of the image was drawn with.
        cells: number of cells along a side of the result; it divides the crop.

    Returns:
        (cells, cells) float32, the mean of the label in each cell.

    Raises:
        ValueError: cells that do not divide the crop.
    """
    if cells < 1 or config.crop % cells:
        raise ValueError(f"cells must divide the crop of {config.crop} px, got {cells}")
    place = _draw_place(label.shape[0], label.shape[1], config, seed)
    picture = Image.fromarray(np.asarray(label, np.float32))
    resized = np.asarray(
        picture.resize((place.width, place.height), Image.Resampling.BILINEAR), np.float32
    )
    rows = slice(place.top, place.top + config.crop)
    crop = resized[rows, place.left : place.left + config.crop]
    if place.mirrored:
        crop = crop[:, ::-1]
    size = config.crop // cells
    return np.asarray(crop.reshape(cells, size, cells, size).mean(axis=(1, 3)), np.float32)


@dataclass(frozen=True)
class _Place:
    """Where a crop lies in the resized image."""

    height: int
    width: int
    top: int
    left: int
    mirrored: bool


def _draw_place(height: int, width: int, config: CropConfig, seed: tuple[int, ...]) -> _Place:
    random = np.random.default_rng(seed)
    scale = config.resize / min(height, width)
    # Truncated as torchvision does; the shorter side is exact, whatever the rounding.
    tall = max(config.resize, int(height * scale))
    wide = max(config.resize, int(width * scale))
    top = int(random.integers(tall - config.crop + 1))
    left = int(random.integers(wide - config.crop + 1))
    return _Place(tall, wide, top, left, bool(random.random() < config.flip))


def squash(image: RgbImage, size: int) -> torch.Tensor:
    """Look at a whole image, stretched to a square.

    Args:
        image: image of any size.
        size: side of the square in px.

    Returns:
        (3, size, size) float32, normalised.
    """
    return _normalised(_resize(image, size, size))


def _resize(image: NDArray[np.uint8], height: int, width: int) -> Image.Image:
    return Image.fromarray(image).resize((width, height), Image.Resampling.BILINEAR)


def _normalised(image: Image.Image) -> torch.Tensor:
    mean, deviation = (np.asarray(v, np.float32) for v in (IMAGENET_MEAN, IMAGENET_STD))
    values = (np.asarray(image, np.float32) / np.float32(255) - mean) / deviation
    return torch.from_numpy(np.ascontiguousarray(values.transpose(2, 0, 1)))
