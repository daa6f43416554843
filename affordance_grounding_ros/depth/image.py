"""From a depth message to metres along the optical axis, for the pixels of another image."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from affordance_grounding_core.actions.vocabulary import abbreviate
from affordance_grounding_ros.depth.camera_model import DepthError
from affordance_grounding_ros.images.conversions import image_to_array
from affordance_grounding_ros.images.layouts import ImageMessageError

UNITS = {"16UC1": 0.001, "mono16": 0.001, "32FC1": 1.0}
"""Metres of one count, by encoding (REP 118); drivers call millimetres "mono16" as well."""


@dataclass(frozen=True)
class DepthImage:
    """Depth that is registered to an image: the same camera, the same field of view.

    Attributes:
        metres: (h, w) float32, distance along the optical axis; NaN where there is none. Its
            size may differ from the image's by a common factor.
        width: width of the image it is for, px.
        height: height of the image it is for, px.
    """

    metres: NDArray[np.float32]
    width: int
    height: int

    def __post_init__(self) -> None:
        rows, columns = self.metres.shape
        # Half a pixel of rounding on either side is not another shape.
        if abs(self.width * rows - self.height * columns) > max(self.width, self.height):
            raise DepthError(
                "size",
                f"depth is {columns} x {rows} px, the image {self.width} x {self.height} px; "
                "expected the same size or the same proportions: remap 'depth' to the topic "
                "that is registered to the image (aligned_depth_to_color, depth_registered)",
            )

    def at(self, columns: NDArray[np.int64], rows: NDArray[np.int64]) -> NDArray[np.float32]:
        """Depth at pixels of the image, that of the nearest measurement.

        Depth is never averaged: halfway between an object and the wall there is nothing.

        Args:
            columns: any shape, in [0, width), px.
            rows: the same shape, in [0, height), px.

        Returns:
            The same shape, metres; NaN where there is none.
        """
        available = self.metres.shape
        if available != (self.height, self.width):
            # The centre of pixel i lies at (i + 1/2) / n of the image's side.
            rows = (2 * rows + 1) * available[0] // (2 * self.height)
            columns = (2 * columns + 1) * available[1] // (2 * self.width)
        return np.asarray(self.metres[rows, columns], np.float32)


def depth_in_metres(message: Any) -> NDArray[np.float32]:
    """Read a depth message.

    Args:
        message: sensor_msgs/Image in "16UC1" or "mono16" (millimetres, 0: no measurement) or
            "32FC1" (metres; 0, NaN, infinite or negative: no measurement).

    Returns:
        (H, W) float32 in metres, above 0; NaN where there is no measurement.

    Raises:
        DepthError: another encoding, or sizes that contradict each other.
    """
    unit = UNITS.get(message.encoding)
    if unit is None:
        raise DepthError(
            "encoding",
            f"depth encoding {abbreviate(message.encoding)} is not depth; expected one of "
            f"{', '.join(UNITS)}: remap 'depth' to the depth topic of the camera",
        )
    try:
        values = image_to_array(message)
    except ImageMessageError as error:
        raise DepthError("size", f"depth refused: {error}") from error
    with np.errstate(invalid="ignore"):
        metres = values * np.float32(unit)
        valid = np.isfinite(metres) & (metres > 0.0)
    return np.where(valid, metres, np.float32(np.nan))


def check_same_frame(
    image_frame: str, depth_frame: str, calibration_frame: str, *, registered: bool = False
) -> None:
    """Refuse depth or a calibration that belong to another camera than the image.

    Args:
        image_frame: frame_id of the image.
        depth_frame: frame_id of the depth.
        calibration_frame: frame_id of the camera_info.
        registered: whether the depth is known to be registered to the image, whatever its header
            says.

    Raises:
        DepthError: names the frames and the fix.
    """
    for name, frame, fix in (
        (
            "depth",
            depth_frame,
            "remap 'depth' to the topic that is registered to the image "
            "(aligned_depth_to_color, depth_registered), or run depth_image_proc's register node; "
            "where it is registered and only its header says otherwise, set the parameter "
            "'depth_registered' to true",
        ),
        ("camera_info", calibration_frame, "remap 'camera_info' to the image's own"),
    ):
        if registered and name == "depth":
            continue
        # tf2 knows no leading slash; a few drivers still send one.
        if frame.lstrip("/") != image_frame.lstrip("/"):
            raise DepthError(
                "frame",
                f"{name} is in frame {abbreviate(frame)}, the image in "
                f"{abbreviate(image_frame)}; expected the same frame: {fix}",
            )
