"""The demo's camera with depth: the left view of a stereo pair whose disparity was measured.

"Motorcycle" of the Middlebury Stereo Datasets 2014 (D. Scharstein, H. Hirschmueller, Y. Kitajima,
G. Krathwohl, N. Nesic, X. Wang, P. Westling: High-resolution stereo datasets with
subpixel-accurate ground truth, GCPR 2014), as scikit-image ships it: a quarter of the resolution,
with the calibration for that size in the documentation of `skimage.data.stereo_motorcycle`.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sensor_msgs.msg import CameraInfo

from affordance_grounding_core.errors import AffordanceGroundingError
from affordance_grounding_ros.depth.camera_model import ideal_camera_info
from affordance_grounding_ros.player.camera_files import write_calibration, write_depth

IMAGE = "motorcycle_left.png"
DISPARITY = "motorcycle_disp.npz"


@dataclass(frozen=True)
class StereoCalibration:
    """Calibration of a rectified stereo pair.

    Attributes:
        focal: px, of both views.
        center_x: px, of the left view.
        center_y: px, of both views.
        center_difference: px, column of the right view's axis less that of the left one's.
        baseline: metres between the two views.
    """

    focal: float
    center_x: float
    center_y: float
    center_difference: float
    baseline: float

    def depth(self, disparity: NDArray[np.floating[Any]]) -> NDArray[np.float32]:
        """Depth of the left view.

        Args:
            disparity: (H, W) px; infinite or NaN where it is not known.

        Returns:
            (H, W) float32, metres; NaN where it is not known.
        """
        with np.errstate(divide="ignore", invalid="ignore"):
            metres = self.focal * self.baseline / (disparity + self.center_difference)
        known = np.isfinite(disparity) & np.isfinite(metres) & (metres > 0.0)
        return np.where(known, metres, np.nan).astype(np.float32)

    def camera_info(self, height: int, width: int) -> CameraInfo:
        """Calibration of the left view as ROS has it.

        Args:
            height: px.
            width: px.
        """
        return ideal_camera_info(height, width, self.focal, self.center_x, self.center_y)


MOTORCYCLE = StereoCalibration(994.978, 311.193, 254.877, 31.086, 0.193001)
"""For the pictures scikit-image ships, 741 x 500 px."""


def write_camera_files(disparity: Path, folder: Path) -> tuple[Path, Path]:
    """Turn the disparity into the files a camera player reads.

    Args:
        disparity: the .npz file of scikit-image.
        folder: existing folder for the files.

    Returns:
        Depth image and calibration.

    Raises:
        AffordanceGroundingError: the disparity cannot be read or a file cannot be written.
    """
    try:
        with np.load(disparity, allow_pickle=False) as arrays:
            values = np.asarray(arrays["arr_0"], np.float64)
    except (OSError, KeyError, ValueError) as error:
        raise AffordanceGroundingError(
            f"disparity {str(disparity)!r} cannot be read ({error}); install scikit-image again "
            "(`pip install --force-reinstall scikit-image`)"
        ) from error
    depth, calibration = folder / "motorcycle_depth.png", folder / "motorcycle_calibration.yaml"
    write_depth(depth, MOTORCYCLE.depth(values))
    try:
        write_calibration(calibration, MOTORCYCLE.camera_info(*values.shape), "motorcycle_left")
    except OSError as error:
        raise AffordanceGroundingError(f"cannot write {calibration}: {error}") from error
    return depth, calibration
