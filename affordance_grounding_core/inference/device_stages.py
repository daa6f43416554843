"""Preprocessing and the way of heat back to the image, on the device that runs the network.

On a GPU the camera image goes there as it is and the heat of its pixels comes back, one copy each;
on a processor OpenCV is quicker, see `Preprocess`. Both compute the same: pixels differ by one
grey level at most, and where the image shrinks hardly any does. On a GPU each of the two is
recorded as a CUDA graph for the sizes that come again.
"""

from __future__ import annotations

from functools import lru_cache, partial
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray

from affordance_grounding_core.images.arrays import RgbImage
from affordance_grounding_core.inference.device_graphs import DeviceGraphs
from affordance_grounding_core.inference.preprocess import ImageGeometry, Preprocess
from affordance_grounding_core.inference.runtime import ImageMaps


class DeviceStages:
    """What comes before and after a network, in PyTorch.

    Args:
        preprocess: preprocessing of the model.
        device: "cuda", "cuda:N" or, for tests, "cpu".
        graphs: runs the steps; None: recorded, on a GPU.
    """

    def __init__(
        self, preprocess: Preprocess, device: torch.device, graphs: DeviceGraphs | None = None
    ) -> None:
        self._graphs = graphs or DeviceGraphs(device)
        self._preprocess = preprocess
        self._device = device
        config = preprocess.config
        mean, std = (
            torch.tensor(values, dtype=torch.float32, device=device).reshape(3, 1, 1) * 255.0
            for values in (config.mean, config.std)
        )
        self._mean, self._scale = mean, 1.0 / std

    @property
    def preprocess(self) -> Preprocess:
        """What the stages compute."""
        return self._preprocess

    def to_pixels(self, image: RgbImage) -> tuple[torch.Tensor, ImageGeometry]:
        """Turn an image into network input.

        Args:
            image: as the camera or a file gave it.

        Returns:
            (1, 3, h, w) float32 on the device, normalised; padding is 0; valid until the next
            image. And where the image lies in it.
        """
        geometry = self._preprocess.geometry(*image.shape[:2])
        picture = torch.from_numpy(np.ascontiguousarray(image))
        if self._device.type == "cuda":
            picture = picture.pin_memory().to(self._device, non_blocking=True)
        # Recorded steps read the weights where they lie: they hold them.
        weights = _image_weights(geometry, self._device)
        step = partial(self._normalised, geometry=geometry, weights=weights)
        return self._graphs.run(("pixels", geometry), step, picture), geometry

    def to_image(self, heat: torch.Tensor, geometry: ImageGeometry) -> ImageMaps:
        """Bring maps over the network input back to the pixels of the image, bilinearly.

        Args:
            heat: (N, rows, columns) on the device, over the whole network input.
            geometry: as returned with the input.
        """
        weights = _heat_weights(geometry, *heat.shape[1:], self._device)
        answer = self._graphs.run(("maps", geometry), partial(_maps, weights=weights), heat)
        # Page-locked memory comes from PyTorch's pool and returns to it with the result.
        host = torch.empty(answer.numel(), pin_memory=self._device.type == "cuda")
        host.copy_(answer)
        shape = (heat.shape[0], geometry.image_height, geometry.image_width)
        values: NDArray[np.float32] = host[:-1].reshape(shape).numpy()
        return ImageMaps(values, bool(host[-1]))

    def _normalised(
        self, picture: torch.Tensor, geometry: ImageGeometry, weights: _Weights | None
    ) -> torch.Tensor:
        """Network input of an image, (H, W, 3) uint8 on the device."""
        channels = picture.permute(2, 0, 1).to(torch.float32)
        if weights is not None:
            resized = weights.rows @ channels @ weights.columns
            # As OpenCV rounds: halves to even numbers by area, up between two.
            channels = resized.round_() if weights.by_area else resized.add_(0.5).floor_()
        normalised = (channels - self._mean) * self._scale
        if not geometry.is_padded:
            return normalised[None]
        pixels = normalised.new_zeros(3, geometry.input_height, geometry.input_width)
        rows = slice(geometry.top, geometry.top + geometry.height)
        columns = slice(geometry.left, geometry.left + geometry.width)
        pixels[:, rows, columns] = normalised
        return pixels[None]


def _maps(heat: torch.Tensor, weights: tuple[torch.Tensor, torch.Tensor]) -> torch.Tensor:
    """Maps of the image one after the other, and at the end whether the heat is finite."""
    heat = heat.float()
    weights_y, weights_x = weights
    maps = (weights_y @ heat @ weights_x).clamp_(0.0, 1.0)
    flag = torch.isfinite(heat).all().to(torch.float32)
    return torch.cat([maps.flatten(), flag[None]])


class _Weights(NamedTuple):
    """Weights of the pixels of an image in those of the network input.

    Attributes:
        rows: (h, H) float32 on the device.
        columns: (W, w) float32 on the device.
        by_area: whether a pixel is the mean of what it covers; otherwise it lies between two.
    """

    rows: torch.Tensor
    columns: torch.Tensor
    by_area: bool


def _image_weights(geometry: ImageGeometry, device: torch.device) -> _Weights | None:
    """Weights that resize an image; None where it has the size already."""
    height, width = geometry.image_height, geometry.image_width
    if (height, width) == (geometry.height, geometry.width):
        return None
    by_area = geometry.height <= height and geometry.width <= width
    return _Weights(
        _resize_weights(height, geometry.height, by_area, device),
        _resize_weights(width, geometry.width, by_area, device).T,
        by_area,
    )


@lru_cache(maxsize=8)
def _heat_weights(
    geometry: ImageGeometry, rows: int, columns: int, device: torch.device
) -> tuple[torch.Tensor, torch.Tensor]:
    weights_y, weights_x = geometry.heat_weights(rows, columns)
    return torch.tensor(weights_y, device=device), torch.tensor(weights_x, device=device)


@lru_cache(maxsize=16)
def _resize_weights(size: int, target: int, by_area: bool, device: torch.device) -> torch.Tensor:
    """Weights of the pixels of a side in those of the resized side, (target, size) float32.

    Args:
        size: px of the side.
        target: px of the resized side.
        by_area: whether a pixel is the mean of what it covers; otherwise it lies between two.
        device: that gets the weights.
    """
    scale = size / target
    places = np.arange(size)
    if by_area:
        begin = np.arange(target)[:, None] * scale
        covered = np.minimum(begin + scale, places + 1) - np.maximum(begin, places)
        weights = np.clip(covered, 0.0, None) / scale
    else:
        centres = np.clip((np.arange(target)[:, None] + 0.5) * scale - 0.5, 0, size - 1)
        weights = np.clip(1.0 - np.abs(centres - places), 0.0, None)
    return torch.tensor(weights, dtype=torch.float32, device=device)
