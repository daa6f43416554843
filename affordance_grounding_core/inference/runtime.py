"""Contract of the runtimes of a grounder, and their report on what answers."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from affordance_grounding_core.images.arrays import RgbImage
from affordance_grounding_core.inference.preprocess import ImageGeometry, Preprocess


@dataclass(frozen=True)
class GateFigures:
    """How the answers of a runtime compare with those of PyTorch in float32.

    Attributes:
        frames: compared.
        maps: compared, over all frames and actions.
        finite: whether every value of the candidate is finite.
        cosine: cosine of the worst frame, see `GateLimits`; 0 where a value is not finite.
        mean_cosine: mean cosine of the frames.
        max_abs: largest difference, see `GateLimits`; None where a value is not finite.
        mask_iou: overlap of masks, see `GateLimits`; None where no map has a contrast.
        argmax_shift: way of peaks, see `GateLimits`; None where no map has a contrast.
        contrasted_maps: maps with a contrast, on which masks and peaks are compared.
    """

    frames: int
    maps: int
    finite: bool
    cosine: float
    mean_cosine: float
    max_abs: float | None
    mask_iou: float | None
    argmax_shift: float | None
    contrasted_maps: int

    def as_dict(self) -> dict[str, Any]:
        """Return plain values for JSON."""
        return asdict(self)

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> GateFigures:
        """Read what `as_dict` returned.

        Raises:
            KeyError: a figure is missing.
        """
        return cls(**{field.name: values[field.name] for field in fields(cls)})

    def __str__(self) -> str:
        """Return one line for people."""
        if not self.finite:
            return f"values that are not finite in {self.frames} frames"
        parts = [
            f"{self.frames} frames",
            f"cosine {self.cosine:.5f}",
            f"max |d| {self.max_abs:.2g}",
        ]
        if self.mask_iou is not None:
            parts += [f"mask IoU {self.mask_iou:.3f}", f"peak shift {self.argmax_shift:.1f} px"]
        return ", ".join(parts)


@dataclass(frozen=True)
class RuntimeReport:
    """What answers frames of one size, and why.

    Attributes:
        description: runtime, device and precision.
        asked: runtime and precision that were asked for.
        degraded: whether the runtime and precision that should have answered do not, because a
            build or gate failed.
        gate: figures of the numeric gate; None for the reference itself.
        fingerprint: fingerprint of the engine, hexadecimal; empty for the reference.
        folder: folder of the engine; None for the reference.
        rejected: one sentence a candidate that was tried or looked for in vain.
        building: what is built beside the answers and how far it is; empty if nothing is.
    """

    description: str
    asked: str
    degraded: bool
    gate: GateFigures | None
    fingerprint: str
    folder: Path | None
    rejected: tuple[str, ...]
    building: str = ""

    def as_dict(self) -> dict[str, Any]:
        """Return plain values for JSON."""
        return {
            "description": self.description,
            "asked": self.asked,
            "degraded": self.degraded,
            "gate": self.gate.as_dict() if self.gate else None,
            "fingerprint": self.fingerprint,
            "folder": str(self.folder) if self.folder else None,
            "rejected": list(self.rejected),
            "building": self.building,
        }


@dataclass(frozen=True)
class ImageMaps:
    """A network's answer in the pixels of the image.

    Attributes:
        values: (N, H, W) float32 in [0, 1]: the heat of all actions, then their part masks where
            the network draws masks.
        is_finite: whether every value that the network gave is finite.
    """

    values: NDArray[np.float32]
    is_finite: bool

    @classmethod
    def of(
        cls, answer: NDArray[np.float32], geometry: ImageGeometry, preprocess: Preprocess
    ) -> ImageMaps:
        """Bring an answer back to the image, on the processor.

        Args:
            answer: (N, rows, columns) float32, as `HeatRuntime.run` returns it.
            geometry: where the image lies in the network input.
            preprocess: preprocessing of the model.
        """
        maps = np.stack([preprocess.heat_to_image(one, geometry) for one in answer])
        return cls(maps, bool(np.isfinite(answer).all()))


class HeatRuntime(ABC):
    """Runs a network on one image; the rest of a grounder is the same for all."""

    @property
    @abstractmethod
    def description(self) -> str:
        """Runtime, device and precision, for example "eager-cpu-fp32"."""

    @abstractmethod
    def run(self, pixels: NDArray[np.float32], actions: Sequence[int]) -> NDArray[np.float32]:
        """Compute the heat of some actions; the backbone runs once for all of them.

        Args:
            pixels: (3, h, w) float32, normalised as the model's `Preprocess` does.
            actions: K indices into the vocabulary.

        Returns:
            (K, rows, columns) float32 in [0, 1]. Where the network draws part masks,
            (2 K, rows, columns): the heat of all actions first, then their part masks.
        """

    def image_maps(
        self, image: RgbImage, preprocess: Preprocess, actions: Sequence[int]
    ) -> ImageMaps:
        """Compute the heat of some actions in the pixels of an image.

        Args:
            image: as the camera or a file gave it.
            preprocess: preprocessing of the model.
            actions: K indices into the vocabulary.
        """
        pixels, geometry = preprocess(image)
        return ImageMaps.of(self.run(pixels, actions), geometry, preprocess)

    @abstractmethod
    def close(self) -> None:
        """Free the memory of the model."""

    def evaluation_maps(
        self, pixels: NDArray[np.float32], actions: Sequence[int]
    ) -> dict[str, NDArray[np.float32]]:
        """Compute the maps that the method's paper scores; see `Grounder.evaluation_maps`.

        Args:
            pixels: (3, h, w) float32, normalised.
            actions: K indices into the vocabulary.

        Returns:
            (K, rows, columns) float32 by name; empty where this runtime cannot give them.
        """
        return {}

    @property
    def report(self) -> RuntimeReport | None:
        """What answers, and why; None where the network runs as it is."""
        return None

    def prepare(self, height: int, width: int, *, wait: bool = True) -> RuntimeReport | None:
        """Load or build what one input size needs.

        Args:
            height: px of the network input.
            width: px of the network input.
            wait: whether what has to be built is built now; otherwise that begins, and frames
                are answered meanwhile.

        Returns:
            What will answer, and why; None where the network runs as it is.
        """
        return self.report
