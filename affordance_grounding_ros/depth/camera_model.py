"""From pixels to viewing rays: what a sensor_msgs/CameraInfo says about a camera."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from sensor_msgs.msg import CameraInfo

from affordance_grounding_core.actions.vocabulary import abbreviate
from affordance_grounding_core.errors import AffordanceGroundingError


class DepthError(AffordanceGroundingError, ValueError):
    """Depth, a calibration or a transform that cannot be used for an image.

    The image is grounded all the same; its regions have no pose.

    Attributes:
        kind: what is wrong, from a small fixed set, so that a log can tell kinds apart:
            "calibration", "encoding", "size", "frame", "time" or "transform".
    """

    def __init__(self, kind: str, message: str) -> None:
        super().__init__(message)
        self.kind = kind


_COEFFICIENTS = {
    "plumb_bob": (4, 5),
    "rational_polynomial": (8, 12, 14),
    "equidistant": (4,),
}


@dataclass(frozen=True)
class CameraModel:
    """An ideal or distorted pinhole camera, for images of one size.

    Attributes:
        width: width of the images, px.
        height: height of the images, px.
        focal_x: px.
        focal_y: px.
        center_x: column of the optical axis, px; the centre of the top-left pixel is (0, 0).
        center_y: row of the optical axis, px.
        distortion_model: name in sensor_msgs/CameraInfo; empty for none.
        distortion: its coefficients; empty for none.
    """

    width: int
    height: int
    focal_x: float
    focal_y: float
    center_x: float
    center_y: float
    distortion_model: str = ""
    distortion: tuple[float, ...] = ()

    def __post_init__(self) -> None:
        numbers = (self.focal_x, self.focal_y, self.center_x, self.center_y, *self.distortion)
        if not np.isfinite(numbers).all() or self.focal_x <= 0.0 or self.focal_y <= 0.0:
            raise DepthError(
                "calibration",
                f"camera has focal lengths ({self.focal_x:g}, {self.focal_y:g}) px, centre "
                f"({self.center_x:g}, {self.center_y:g}) px and distortion "
                f"{list(self.distortion)}; expected finite numbers and focal lengths above 0: "
                "calibrate the camera, its camera_info says that it is not",
            )
        if self.distortion and len(self.distortion) not in _COEFFICIENTS.get(
            self.distortion_model, ()
        ):
            known = ", ".join(f"{name} {counts}" for name, counts in _COEFFICIENTS.items())
            raise DepthError(
                "calibration",
                f"distortion model {abbreviate(self.distortion_model)} with "
                f"{len(self.distortion)} coefficients is not supported; expected one of {known}: "
                "rectify image and depth (image_proc) and set 'image_rectified'",
            )

    def rays(self, columns: NDArray[Any], rows: NDArray[Any]) -> NDArray[np.float64]:
        """Viewing rays of pixels, in the camera's optical frame.

        Args:
            columns: any shape, px; need not be whole.
            rows: the same shape, px.

        Returns:
            (..., 3) float64 with z = 1, so that a ray times a depth is a point. NaN where the
            distortion cannot be inverted.
        """
        x = (np.asarray(columns, np.float64) - self.center_x) / self.focal_x
        y = (np.asarray(rows, np.float64) - self.center_y) / self.focal_y
        if any(self.distortion) and x.size:
            x, y = self._undistorted(x, y)
        return np.stack([x, y, np.ones_like(x)], axis=-1)

    def pixels(
        self, points: NDArray[np.float64]
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Project points into the image.

        Args:
            points: (N, 3) metres, in the camera's optical frame.

        Returns:
            Columns and rows, (N,) px each; NaN for what lies behind the camera, is not finite, or
            lies where the distortion cannot be inverted.
        """
        seen = np.isfinite(points).all(axis=-1)
        seen &= np.where(seen, points[:, 2], 0.0) > 1e-6
        ideal = np.full((len(points), 2), np.nan)
        ideal[seen] = points[seen, :2] / points[seen, 2:]
        x, y = ideal.T.copy()
        if any(self.distortion) and seen.any():
            x[seen], y[seen] = self._distorted(ideal[seen])
        columns = x * self.focal_x + self.center_x
        rows = y * self.focal_y + self.center_y
        # A polynomial folds what lies far outside the picture back into it.
        back = self.rays(columns[seen], rows[seen])[:, :2]
        wrong = ~(np.abs(back - ideal[seen]).max(axis=-1, initial=0.0) < 1e-3)
        columns[np.flatnonzero(seen)[wrong]] = np.nan
        rows[np.flatnonzero(seen)[wrong]] = np.nan
        return columns, rows

    def _distorted(
        self, ideal: NDArray[np.float64]
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        coefficients = np.asarray(self.distortion, np.float64)
        still = np.zeros(3)
        rays = np.concatenate([ideal, np.ones((len(ideal), 1))], axis=-1)[:, None, :]
        if self.distortion_model == "equidistant":
            seen, _ = cv2.fisheye.projectPoints(rays, still, still, np.eye(3), coefficients)
        else:
            seen, _ = cv2.projectPoints(rays, still, still, np.eye(3), coefficients)
        x, y = np.asarray(seen, np.float64).reshape(-1, 2).T
        return x, y

    def _undistorted(
        self, x: NDArray[np.float64], y: NDArray[np.float64]
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        seen = np.stack([x.ravel(), y.ravel()], axis=-1)[:, None, :]
        coefficients = np.asarray(self.distortion, np.float64)
        if self.distortion_model == "equidistant":
            ideal = cv2.fisheye.undistortPoints(seen, np.eye(3), coefficients)
        else:
            # OpenCV's own five rounds leave pixels of error with a wide lens.
            criteria = (cv2.TERM_CRITERIA_COUNT | cv2.TERM_CRITERIA_EPS, 40, 1e-10)
            ideal = cv2.undistortPointsIter(
                seen, np.eye(3), coefficients, np.eye(3), np.eye(3), criteria
            )
        points = np.asarray(ideal, np.float64).reshape(-1, 2)
        # OpenCV marks what it cannot invert with huge values.
        points[(np.abs(points) > 1e3).any(axis=1)] = np.nan
        return points[:, 0].reshape(x.shape), points[:, 1].reshape(y.shape)


def camera_model(info: Any, width: int, height: int, *, rectified: bool = False) -> CameraModel:
    """Read a calibration for images of a certain size.

    Binning and region of interest are taken into account as image_geometry does: the focal
    lengths are divided by the binning, the centre is moved by the region's corner before.

    Args:
        info: a sensor_msgs/CameraInfo.
        width: width of the image it is for, px.
        height: height of the image it is for, px.
        rectified: whether the image has been rectified; then P holds and there is no
            distortion, otherwise K and D hold.

    Raises:
        DepthError: an uncalibrated camera, another image size, or an unsupported distortion.
    """
    binning = (max(1, info.binning_x), max(1, info.binning_y))
    region = info.roi
    full = (region.width or info.width, region.height or info.height)
    expected = (full[0] // binning[0], full[1] // binning[1])
    matrix = _matrix(info.p, (3, 4)) if rectified else _matrix(info.k, (3, 3))
    if not matrix[0, 0] or not matrix[1, 1]:
        raise DepthError(
            "calibration",
            f"camera_info of frame {abbreviate(info.header.frame_id)} is not calibrated: "
            f"{'P' if rectified else 'K'} holds zeros; calibrate the camera, or remap "
            "'camera_info' to the topic that belongs to the image",
        )
    if expected != (width, height):
        raise DepthError(
            "size",
            f"camera_info is for images of {expected[0]} x {expected[1]} px (calibrated at "
            f"{info.width} x {info.height}, region {full[0]} x {full[1]}, binning {binning[0]} x "
            f"{binning[1]}), the image is {width} x {height} px: remap 'camera_info' to the topic "
            "that belongs to the image",
        )
    distorted = not rectified and any(info.d)
    return CameraModel(
        width=width,
        height=height,
        focal_x=matrix[0, 0] / binning[0],
        focal_y=matrix[1, 1] / binning[1],
        center_x=(matrix[0, 2] - region.x_offset) / binning[0],
        center_y=(matrix[1, 2] - region.y_offset) / binning[1],
        distortion_model=info.distortion_model if distorted else "",
        distortion=tuple(float(value) for value in info.d) if distorted else (),
    )


def ideal_camera_info(
    height: int, width: int, focal: float, center_x: float, center_y: float
) -> CameraInfo:
    """Calibration of an ideal camera: square pixels, no distortion; `camera_model` reads it.

    Args:
        height: height of its images, px.
        width: width of its images, px.
        focal: px.
        center_x: column of the optical axis, px.
        center_y: row of the optical axis, px.

    Returns:
        Without a header.
    """
    return CameraInfo(
        height=height,
        width=width,
        distortion_model="plumb_bob",
        d=[0.0] * 5,
        k=[focal, 0.0, center_x, 0.0, focal, center_y, 0.0, 0.0, 1.0],
        r=[1.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 1.0],
        p=[focal, 0.0, center_x, 0.0, 0.0, focal, center_y, 0.0, 0.0, 0.0, 1.0, 0.0],
    )


def _matrix(values: Sequence[float], shape: tuple[int, int]) -> NDArray[np.float64]:
    return np.asarray(values, np.float64).reshape(shape)
