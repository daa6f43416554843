"""Numeric gate: an engine may answer only if it answers as PyTorch in float32 does.

Compilers have mis-computed vision transformers without a word. So every candidate is compared
with the reference on real frames, on the machine it will run on, and the figures are kept.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from affordance_grounding_core.errors import InvalidImageError
from affordance_grounding_core.images import is_image_file, read_rgb
from affordance_grounding_core.inference.preprocess import PreprocessConfig, resize_image
from affordance_grounding_core.inference.runtime import GateFigures

MINIMUM_FRAMES = 16

_CONTRAST = 0.05
"""A map that varies less than this has no peak and no mask to speak of."""


_TIE = 0.01
"""Places whose heat is so close to the peak's, as a share of the map's range, are as good."""


@dataclass(frozen=True)
class GateLimits:
    """What a candidate must keep to.

    Attributes:
        cosine: lowest cosine between a frame's heat and the reference's, all actions in one
            vector.
        max_abs: largest difference of heat.
        mask_iou: lowest mean overlap of the masks.
        argmax_shift: largest way the peak moves, in px of the network input, in 95 % of maps.
            A peak where the reference is nearly as hot as at its own has not moved.
        room: share of the way from a limit to equality that a candidate must keep off the
            limit. What only just passes here fails on other pictures, or on the next machine.
    """

    cosine: float
    max_abs: float
    mask_iou: float
    argmax_shift: float
    room: float = 0.0

    def with_room(self) -> GateLimits:
        """The same limits, `room` closer to equality."""
        kept = 1.0 - self.room
        return GateLimits(
            cosine=1.0 - (1.0 - self.cosine) * kept,
            max_abs=self.max_abs * kept,
            mask_iou=1.0 - (1.0 - self.mask_iou) * kept,
            argmax_shift=self.argmax_shift * kept,
        )


LIMITS = {
    "fp32": GateLimits(cosine=0.99999, max_abs=0.002, mask_iou=0.99, argmax_shift=2.0),
    "fp16": GateLimits(cosine=0.999, max_abs=0.05, mask_iou=0.95, argmax_shift=16.0),
    "bf16": GateLimits(cosine=0.997, max_abs=0.1, mask_iou=0.9, argmax_shift=24.0),
    "int8": GateLimits(cosine=0.98, max_abs=0.25, mask_iou=0.8, argmax_shift=32.0, room=0.15),
}
"""By precision. One patch is 14 or 16 px: a peak between two patches may move to the other."""


def compare(
    reference: Sequence[NDArray[np.float32]],
    candidate: Sequence[NDArray[np.float32]],
    *,
    threshold: float,
    height: int,
    width: int,
) -> GateFigures:
    """Compare the heat of the same frames.

    Args:
        reference: one (K, rows, columns) float32 a frame, of eager PyTorch in float32.
        candidate: maps of the engine, of the same shapes.
        threshold: heat from which a pixel belongs to the mask. A map whose peak stays below is
            cut at half its range.
        height: px of the network input, at which masks and peaks are compared.
        width: px of the network input, at which masks and peaks are compared.

    Raises:
        ValueError: no frame, or lists or shapes that differ.
    """
    if not reference or len(reference) != len(candidate):
        raise ValueError(
            f"the gate needs the same frames twice and at least one, got {len(reference)} and "
            f"{len(candidate)}"
        )
    for expected, got in zip(reference, candidate, strict=True):
        if expected.shape != got.shape:
            raise ValueError(f"heat must have shape {expected.shape}, the runtime gave {got.shape}")
    maps = sum(len(frame) for frame in reference)
    if not all(np.isfinite(frame).all() for frame in candidate):
        return GateFigures(len(reference), maps, False, 0.0, 0.0, None, None, None, 0)
    pairs = list(zip(reference, candidate, strict=True))
    cosines = [_cosine(expected, got) for expected, got in pairs]
    overlaps: list[float] = []
    shifts: list[float] = []
    for expected, got in pairs:
        for one, other in zip(expected, got, strict=True):
            if one.max() - one.min() < _CONTRAST:
                continue
            size = (width, height)
            large = cv2.resize(one, size, interpolation=cv2.INTER_LINEAR)
            other_large = cv2.resize(other, size, interpolation=cv2.INTER_LINEAR)
            level = threshold if one.max() >= threshold else (one.max() + one.min()) / 2
            overlaps.append(_overlap(large >= level, other_large >= level))
            shifts.append(_distance(large, other_large))
    return GateFigures(
        frames=len(reference),
        maps=maps,
        finite=True,
        cosine=min(cosines),
        mean_cosine=float(np.mean(cosines)),
        max_abs=max(float(np.abs(expected - got).max()) for expected, got in pairs),
        mask_iou=float(np.mean(overlaps)) if overlaps else None,
        argmax_shift=float(np.percentile(shifts, 95)) if shifts else None,
        contrasted_maps=len(shifts),
    )


def judge(figures: GateFigures, limits: GateLimits) -> list[str]:
    """Say what keeps a candidate from passing.

    Args:
        figures: figures of the candidate.
        limits: limits of the candidate's precision.

    Returns:
        One sentence a violated limit; none if it passes.
    """
    if not figures.finite:
        return ["heat is not finite"]
    failures = _violations(figures, limits)
    if not failures and limits.room:
        close = _violations(figures, limits.with_room())
        failures = [f"{failure}, the limit with room" for failure in close]
    return failures


def _violations(figures: GateFigures, limits: GateLimits) -> list[str]:
    failures = []
    if figures.frames < MINIMUM_FRAMES:
        failures.append(f"compared on {figures.frames} frames, needs {MINIMUM_FRAMES}")
    if not figures.cosine >= limits.cosine:
        failures.append(f"cosine {figures.cosine:.5f} is below {limits.cosine:.5g}")
    if figures.max_abs is None or not figures.max_abs <= limits.max_abs:
        failures.append(f"max |d| {figures.max_abs} is above {limits.max_abs:.3g}")
    if figures.mask_iou is not None and not figures.mask_iou >= limits.mask_iou:
        failures.append(f"mask IoU {figures.mask_iou:.3f} is below {limits.mask_iou:.3g}")
    if figures.argmax_shift is not None and not figures.argmax_shift <= limits.argmax_shift:
        failures.append(
            f"peak shift {figures.argmax_shift:.1f} px is above {limits.argmax_shift:.3g} px"
        )
    return failures


def _cosine(expected: NDArray[np.float32], got: NDArray[np.float32]) -> float:
    one, other = expected.ravel().astype(np.float64), got.ravel().astype(np.float64)
    product = float(np.linalg.norm(one) * np.linalg.norm(other))
    if product == 0.0:  # both empty of heat agree; one of them does not
        return float(not one.any() and not other.any())
    return float(one @ other) / product


def _overlap(one: NDArray[np.bool_], other: NDArray[np.bool_]) -> float:
    union = np.count_nonzero(one | other)
    return np.count_nonzero(one & other) / union if union else 1.0


def _distance(one: NDArray[np.float32], other: NDArray[np.float32]) -> float:
    """Way from peak to peak in px; 0 where the other's peak is about as hot in the first map.

    Where two places are equally good, either answer is right.
    """
    here = np.unravel_index(int(one.argmax()), one.shape)
    there = np.unravel_index(int(other.argmax()), other.shape)
    if one[here] - one[there] <= _TIE * (one[here] - one.min()):
        return 0.0
    return float(np.hypot(float(here[0] - there[0]), float(here[1] - there[1])))


PACKAGED = Path(__file__).parent / "pictures"

_WINDOWS = ((0.0, 0.0, 1.0), (0.0, 0.0, 0.75), (0.25, 0.25, 0.75), (0.1, 0.3, 0.6), (0.4, 0.1, 0.6))
"""Left, top and side of crops, as shares of the picture; the first is the picture itself."""


@dataclass(frozen=True)
class Frames:
    """Pictures, split so that nothing is gated on what it was calibrated on.

    Attributes:
        gate: at least `MINIMUM_FRAMES` (H, W, 3) uint8 RGB images.
        calibration: other pictures or other crops, likewise.
        source: folder they come from.
        fingerprint: sha256 of the files, hexadecimal.
    """

    gate: tuple[NDArray[np.uint8], ...]
    calibration: tuple[NDArray[np.uint8], ...]
    source: str
    fingerprint: str


def read_frames(folder: Path | None = None) -> Frames:
    """Read the pictures of a folder and cut them into frames.

    Pictures alternate between gate and calibration; of each, crops and their mirror images
    are taken until there are enough.

    Args:
        folder: folder that directly holds 8 or more image files; None: pictures of the package.

    Raises:
        InvalidImageError: the folder holds too few pictures, or one cannot be read.
    """
    place = PACKAGED if folder is None else folder
    files = (
        sorted(path for path in place.iterdir() if is_image_file(path)) if place.is_dir() else []
    )
    if len(files) < 8:
        raise InvalidImageError(
            f"folder {str(place)!r} holds {len(files)} image files, the gate needs 8 or more: "
            "give a folder with pictures of the place where the model will work"
        )
    digest = hashlib.sha256()
    for file in files:
        digest.update(file.read_bytes())
    pictures = [read_rgb(file) for file in files[:64]]
    return Frames(
        gate=_crops(pictures[::2], MINIMUM_FRAMES),
        calibration=_crops(pictures[1::2], 2 * MINIMUM_FRAMES),
        source=str(place) if folder else "package",
        fingerprint=digest.hexdigest(),
    )


def network_inputs(
    frames: Sequence[NDArray[np.uint8]], config: PreprocessConfig, height: int, width: int
) -> list[NDArray[np.float32]]:
    """Turn frames into network inputs of one size, whatever their own aspect ratio.

    Args:
        frames: (H, W, 3) uint8 RGB.
        config: preprocessing whose mean and std hold.
        height: px of the network input.
        width: px of the network input.

    Returns:
        One (1, 3, h, w) float32, normalised, a frame: its largest middle part of the
        input's aspect ratio.
    """
    mean = np.asarray(config.mean, np.float32) * 255.0
    std = np.asarray(config.std, np.float32) * 255.0
    inputs = []
    for frame in frames:
        resized = resize_image(_middle(frame, width / height), height, width)
        normalised = (resized.astype(np.float32) - mean) / std
        inputs.append(np.ascontiguousarray(normalised.transpose(2, 0, 1)[None]))
    return inputs


def _crops(pictures: Sequence[NDArray[np.uint8]], wanted: int) -> tuple[NDArray[np.uint8], ...]:
    crops: list[NDArray[np.uint8]] = []
    for left, top, side in _WINDOWS:
        for mirrored in (False, True):
            if len(crops) >= wanted:
                return tuple(crops[:wanted])
            for picture in pictures:
                rows, columns = picture.shape[:2]
                crop = picture[
                    int(top * rows) : max(1, int((top + side) * rows)),
                    int(left * columns) : max(1, int((left + side) * columns)),
                ]
                crops.append(crop[:, ::-1] if mirrored else crop)
    return tuple(crops[:wanted])


def _middle(image: NDArray[np.uint8], aspect: float) -> NDArray[np.uint8]:
    rows, columns = image.shape[:2]
    wanted_columns = max(1, min(columns, round(rows * aspect)))
    wanted_rows = max(1, min(rows, round(columns / aspect)))
    left, top = (columns - wanted_columns) // 2, (rows - wanted_rows) // 2
    return np.ascontiguousarray(image[top : top + wanted_rows, left : left + wanted_columns])
