"""From an image to network input in training and in testing, as the papers do.

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


def random_crop(
    image: NDArray[np.uint8], config: CropConfig, seed: tuple[int, ...]
) -> torch.Tensor:
    """Look at a random square of an image.

    Args:
        image: (H, W, 3) uint8, RGB, of any size.
        config: of the crop.
        seed: decides the place and the mirroring; the same seed gives the same crop.

    Returns:
        (3, crop, crop) float32, normalised.
    """
    random = np.random.default_rng(seed)
    height, width = image.shape[:2]
    scale = config.resize / min(height, width)
    # Truncated as torchvision does; the shorter side is exact, whatever the rounding.
    tall = max(config.resize, int(height * scale))
    wide = max(config.resize, int(width * scale))
    resized = _resize(image, tall, wide)
    top = int(random.integers(tall - config.crop + 1))
    left = int(random.integers(wide - config.crop + 1))
    crop = resized.crop((left, top, left + config.crop, top + config.crop))
    if random.random() < config.flip:
        crop = crop.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
    return _normalised(crop)


def squash(image: NDArray[np.uint8], size: int) -> torch.Tensor:
    """Look at a whole image, stretched to a square.

    Args:
        image: (H, W, 3) uint8, RGB, of any size.
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
