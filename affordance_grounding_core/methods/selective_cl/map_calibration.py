"""The maps of a trained head for some actions, plain and calibrated by affinity."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

import torch

AffinityCalibration = Literal["raw", "binarised", "off"]
"""How affinity enters the answer."""


@dataclass(frozen=True)
class MapConfig:
    """How class maps are calibrated by the affinity of the object.

    Attributes:
        calibration: "raw" multiplies by the min-maxed affinity, as the released code does;
            "binarised" keeps the class map where that affinity exceeds `threshold`, as the
            paper writes (section 3.5); "off" leaves the class map as it is.
        threshold: of the binarised affinity, in [0, 1).
    """

    calibration: AffinityCalibration = "raw"
    threshold: float = 0.6

    def __post_init__(self) -> None:
        if self.calibration not in get_args(AffinityCalibration):
            raise ValueError(
                f"calibration must be one of {list(get_args(AffinityCalibration))}, got "
                f"{self.calibration!r}"
            )
        if not 0.0 <= self.threshold < 1.0:
            raise ValueError(
                "threshold of the affinity must lie in [0, 1), for a min-maxed map never exceeds "
                f"1; got {self.threshold}"
            )


def calibrate_maps(
    class_maps: torch.Tensor, affinity: torch.Tensor, config: MapConfig
) -> torch.Tensor:
    """Let affinity say where the object is.

    Args:
        class_maps: (..., h, w) float, of any sign and scale.
        affinity: (..., h, w) float in [0, 1], min-maxed; not looked at where calibration is off.
        config: how.

    Returns:
        (..., h, w) float.
    """
    if config.calibration == "off":
        return class_maps
    if config.calibration == "binarised":
        affinity = (affinity > config.threshold).to(class_maps.dtype)
    return class_maps * affinity
