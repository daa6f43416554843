"""From the camera's frame to another one, by TF at the image's stamp.

tf2_ros comes with a ROS 2 distribution only; this module alone imports it, where a target frame
is asked for.
"""

from __future__ import annotations

import importlib
from dataclasses import dataclass, replace
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray
from rclpy.duration import Duration
from rclpy.node import Node
from rclpy.time import Time

from affordance_grounding_core.actions.vocabulary import abbreviate
from affordance_grounding_ros.depth.camera_model import DepthError
from affordance_grounding_ros.depth.grasp_pose import Grasp
from affordance_grounding_ros.depth.rotations import product, rotation_of


@dataclass(frozen=True)
class RigidTransform:
    """Pose of one coordinate frame in another.

    Attributes:
        translation: (3,) float64, metres.
        quaternion: (4,) float64, x y z w.
    """

    translation: NDArray[np.float64]
    quaternion: NDArray[np.float64]

    def points(self, points: NDArray[np.floating[Any]]) -> NDArray[np.float64]:
        """Move points.

        Args:
            points: (..., 3) metres.
        """
        moved: NDArray[np.float64] = points @ rotation_of(self.quaternion).T + self.translation
        return moved

    def grasp(self, grasp: Grasp) -> Grasp:
        """Move a grasp."""
        return replace(
            grasp,
            position=self.points(grasp.position),
            quaternion=product(self.quaternion, grasp.quaternion),
        )


class FrameLookup(Protocol):
    """Knows where frames lie."""

    def find(self, target: str, source: str, stamp: Any, timeout: float) -> RigidTransform:
        """Look up the pose of a coordinate frame in another at a time.

        Args:
            target: frame that is wanted.
            source: frame that is given.
            stamp: a builtin_interfaces/Time; zero for the newest that is known.
            timeout: seconds to wait for transforms that are on their way.

        Raises:
            DepthError: TF does not know.
        """
        ...

    def close(self) -> None:
        """Stop listening."""
        ...


def why_no_tf() -> str:
    """Why TF cannot be used here; empty where it can."""
    try:
        importlib.import_module("tf2_ros")
    except Exception as error:  # A build against another Python raises more than ImportError.
        return (
            f"tf2_ros does not import here ({type(error).__name__}: {error}); it comes with a "
            "ROS 2 distribution (`sudo apt install ros-$ROS_DISTRO-tf2-ros-py`, and source its "
            "setup file)"
        )
    return ""


class TfLookup:
    """Listens to TF.

    Args:
        node: node that listens.
        parameter: name of the parameter that needs it, for the message.

    Raises:
        DepthError: tf2_ros is not installed.
    """

    def __init__(self, node: Node, parameter: str) -> None:
        if reason := why_no_tf():
            raise DepthError("transform", f"parameter '{parameter}' needs TF: {reason}")
        tf2_ros = importlib.import_module("tf2_ros")
        self._node = node
        # With the node, so that its clock's jumps clear the buffer, as when a bag starts over.
        self._buffer: Any = tf2_ros.Buffer(node=node)
        self._listener: Any = tf2_ros.TransformListener(self._buffer, node)

    def find(self, target: str, source: str, stamp: Any, timeout: float) -> RigidTransform:
        """See `FrameLookup`; must not be called by the thread that spins the node."""
        try:
            # tf2 refuses the leading slash that a few drivers still send.
            found = self._buffer.lookup_transform(
                target, source.lstrip("/"), Time.from_msg(stamp), Duration(seconds=timeout)
            ).transform
        except Exception as error:  # tf2's exceptions share no base below Exception.
            raise DepthError(
                "transform",
                f"there is no transform from {abbreviate(source)} to {abbreviate(target)} "
                f"({type(error).__name__}: {error})",
            ) from error
        moved, turned = found.translation, found.rotation
        return RigidTransform(
            np.array([moved.x, moved.y, moved.z]),
            np.array([turned.x, turned.y, turned.z, turned.w]),
        )

    def close(self) -> None:
        """Stop listening, and take away the service that the buffer has made on the node."""
        self._listener.unregister()
        service = getattr(self._buffer, "srv", None)
        if service is not None:
            self._node.destroy_service(service)
