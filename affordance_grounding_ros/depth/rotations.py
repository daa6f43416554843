"""Quaternions, in the order of geometry_msgs: x, y, z, w."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def quaternion_of(rotation: NDArray[np.float64]) -> NDArray[np.float64]:
    """Quaternion of a rotation matrix.

    It is the eigenvector of a symmetric matrix made of the rotation (Bar-Itzhack 2000), which
    is exact for every rotation and forgives matrices that are orthogonal only nearly.

    Args:
        rotation: (3, 3), columns are the axes.

    Returns:
        (4,) x y z w, of length 1, w not negative.
    """
    (xx, xy, xz), (yx, yy, yz), (zx, zy, zz) = rotation
    symmetric = (
        np.array(
            [
                [xx - yy - zz, yx + xy, zx + xz, zy - yz],
                [yx + xy, yy - xx - zz, zy + yz, xz - zx],
                [zx + xz, zy + yz, zz - xx - yy, yx - xy],
                [zy - yz, xz - zx, yx - xy, xx + yy + zz],
            ]
        )
        / 3.0
    )
    quaternion: NDArray[np.float64] = np.linalg.eigh(symmetric)[1][:, -1]
    return -quaternion if quaternion[3] < 0.0 else quaternion


def rotation_of(quaternion: NDArray[np.float64]) -> NDArray[np.float64]:
    """Rotation matrix of a quaternion.

    Args:
        quaternion: (4,) x y z w, of any length above 0.

    Returns:
        (3, 3), columns are the axes.
    """
    x, y, z, w = quaternion / np.linalg.norm(quaternion)
    return np.array(
        [
            [1 - 2 * (y * y + z * z), 2 * (x * y - z * w), 2 * (x * z + y * w)],
            [2 * (x * y + z * w), 1 - 2 * (x * x + z * z), 2 * (y * z - x * w)],
            [2 * (x * z - y * w), 2 * (y * z + x * w), 1 - 2 * (x * x + y * y)],
        ]
    )


def product(left: NDArray[np.float64], right: NDArray[np.float64]) -> NDArray[np.float64]:
    """Rotate by `right`, then by `left`.

    Args:
        left: (4,) x y z w.
        right: (4,) x y z w.

    Returns:
        (4,) x y z w, of length 1, w not negative.
    """
    vector = left[3] * right[:3] + right[3] * left[:3] + np.cross(left[:3], right[:3])
    scalar = left[3] * right[3] - float(left[:3] @ right[:3])
    quaternion = np.append(vector, scalar)
    quaternion /= np.linalg.norm(quaternion)
    return -quaternion if quaternion[3] < 0.0 else quaternion
