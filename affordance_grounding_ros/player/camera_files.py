"""Calibrations and depth images in files, in the forms other ROS tools write."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import yaml
from numpy.typing import NDArray
from sensor_msgs.msg import CameraInfo

from affordance_grounding_core.errors import AffordanceGroundingError
from affordance_grounding_core.images import read_bytes

_SIZES = {
    "camera_matrix": (3, 3),
    "rectification_matrix": (3, 3),
    "projection_matrix": (3, 4),
}


class CameraFileError(AffordanceGroundingError, ValueError):
    """A calibration or depth file that cannot be used."""


def read_calibration(path: Path) -> CameraInfo:
    """Read a calibration as camera_calibration and camera_info_manager write it.

    Args:
        path: YAML file.

    Returns:
        The calibration, its header left empty.

    Raises:
        CameraFileError: the file is missing or does not hold a calibration.
    """
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
        return CameraInfo(
            height=_side(content, "image_height"),
            width=_side(content, "image_width"),
            distortion_model=str(content["distortion_model"]),
            d=_numbers(content["distortion_coefficients"]),
            k=_matrix(content, "camera_matrix"),
            r=_matrix(content, "rectification_matrix"),
            p=_matrix(content, "projection_matrix"),
        )
    except OSError as error:
        raise CameraFileError(
            f"calibration {str(path)!r} cannot be read: {error.strerror or error}; check the path"
        ) from error
    except (yaml.YAMLError, KeyError, TypeError, ValueError, AssertionError) as error:
        raise CameraFileError(
            f"calibration {str(path)!r} is not one ({type(error).__name__}: {error}); expected "
            "the YAML file of camera_calibration, with image_width, image_height, camera_matrix, "
            "distortion_model, distortion_coefficients, rectification_matrix, projection_matrix"
        ) from error


def write_calibration(path: Path, info: CameraInfo, name: str) -> None:
    """Write a calibration as camera_calibration does.

    Args:
        path: path of the YAML file.
        info: calibration; header, binning and region are left out.
        name: name of the camera.
    """
    content = {
        "image_width": int(info.width),
        "image_height": int(info.height),
        "camera_name": name,
        "camera_matrix": _entry(info.k, 3, 3),
        "distortion_model": info.distortion_model,
        "distortion_coefficients": _entry(info.d, 1, len(info.d)),
        "rectification_matrix": _entry(info.r, 3, 3),
        "projection_matrix": _entry(info.p, 3, 4),
    }
    path.write_text(yaml.safe_dump(content, sort_keys=False), encoding="utf-8")


def read_depth(path: Path) -> NDArray[np.uint16]:
    """Read a depth image.

    Args:
        path: PNG or TIFF with one channel of 16 bits, in millimetres; 0: no measurement.

    Returns:
        (H, W) uint16.

    Raises:
        InvalidImageError: the file is missing or empty.
        CameraFileError: it is not such an image.
    """
    data = np.frombuffer(read_bytes(path), np.uint8)
    values = cv2.imdecode(data, cv2.IMREAD_UNCHANGED)
    if values is None or values.ndim != 2 or values.dtype != np.uint16:
        got = "no image" if values is None else f"shape {values.shape} of {values.dtype}"
        raise CameraFileError(
            f"depth {str(path)!r} holds {got}; expected one channel of 16 bits, in millimetres "
            "with 0 for no measurement (REP 118): convert it, or check the path"
        )
    return np.asarray(values, np.uint16)


def write_depth(path: Path, metres: NDArray[np.floating[Any]]) -> None:
    """Write a depth image in millimetres.

    Args:
        path: path of the PNG file.
        metres: (H, W); what is not finite, not above 0 or beyond 65.535 m becomes 0.

    Raises:
        CameraFileError: the file cannot be written.
    """
    with np.errstate(invalid="ignore"):
        millimetres = np.rint(metres * 1000.0)
        usable = np.isfinite(millimetres) & (millimetres > 0.0) & (millimetres <= 65535.0)
    if not cv2.imwrite(str(path), np.where(usable, millimetres, 0.0).astype(np.uint16)):
        raise CameraFileError(f"cannot write {path}; is there disk space?")


def _entry(values: Sequence[float], rows: int, columns: int) -> dict[str, Any]:
    return {"rows": rows, "cols": columns, "data": [float(value) for value in values]}


def _numbers(entry: Any) -> list[float]:
    return [float(value) for value in entry["data"]]


def _side(content: Any, name: str) -> int:
    side = int(content[name])
    if not 1 <= side < 2**31:
        raise ValueError(f"{name} is {side}, expected a number of pixels")
    return side


def _matrix(content: Any, name: str) -> list[float]:
    values, (rows, columns) = _numbers(content[name]), _SIZES[name]
    if len(values) != rows * columns:
        raise ValueError(f"{name} holds {len(values)} numbers, expected {rows} x {columns}")
    return values
