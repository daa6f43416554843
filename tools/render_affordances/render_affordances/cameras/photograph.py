"""From linear light to a JPEG: exposure, white balance, tone, a little noise. Pure numpy."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

TARGETS = (0.12, 0.36)
"""Range of the mean brightness (linear) an exposure aims at."""


def develop(linear: NDArray[np.float32], random: Generator) -> NDArray[np.uint8]:
    """Expose and develop a picture.

    Args:
        linear: (H, W, 3) float32 light, not negative, RGB.
        random: draws exposure, white balance, contrast and noise.

    Returns:
        (H, W, 3) uint8, RGB.
    """
    light = np.maximum(linear.astype(np.float64), 0.0)
    # A lamp in view does not darken the rest; where everything is bright, that is the measure.
    brightness = float(np.mean(np.minimum(light, max(4.0, 4.0 * float(np.median(light))))))
    target = float(np.exp(random.uniform(*np.log(TARGETS))))
    gain = np.clip(target / max(brightness, 1e-6), 1e-4, 20.0)
    balance = 1 + random.normal(0, 0.04, 3)
    light = light * gain * balance
    shoulder = float(random.uniform(0.6, 1.0))
    toned = np.where(light < shoulder * 0.5, light, _roll_off(light, shoulder * 0.5))
    encoded = np.where(toned <= 0.0031308, 12.92 * toned, 1.055 * toned ** (1 / 2.4) - 0.055)
    encoded = _saturated(encoded, float(random.uniform(0.95, 1.45)))
    contrast = float(random.uniform(0.92, 1.15))
    encoded = 0.5 + (encoded - 0.5) * contrast
    encoded = encoded + random.normal(0, float(random.uniform(0.0, 0.012)), encoded.shape)
    return np.clip(np.round(encoded * 255), 0, 255).astype(np.uint8)


def _saturated(picture: NDArray[np.float64], factor: float) -> NDArray[np.float64]:
    grey = picture @ np.array([0.299, 0.587, 0.114])
    return np.asarray(grey[..., None] + (picture - grey[..., None]) * factor)


def _roll_off(light: NDArray[np.float64], start: float) -> NDArray[np.float64]:
    """Bend highlights so that they approach 1 instead of being cut off."""
    room = 1 - start
    return start + room * (1 - np.exp(-(np.maximum(light, start) - start) / room))


def as_jpeg(picture: NDArray[np.uint8], quality: int) -> bytes:
    """Encode (H, W, 3) uint8 RGB as a JPEG of a quality from 1 to 100."""
    done, encoded = cv2.imencode(".jpg", picture[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, quality])
    if not done:
        raise RuntimeError(f"OpenCV encoded no JPEG of shape {picture.shape}, {picture.dtype}")
    return encoded.tobytes()


def as_png(grey: NDArray[np.uint8]) -> bytes:
    """Encode (H, W) uint8 as a PNG."""
    done, encoded = cv2.imencode(".png", grey)
    if not done:
        raise RuntimeError(f"OpenCV encoded no PNG of shape {grey.shape}, {grey.dtype}")
    return encoded.tobytes()
