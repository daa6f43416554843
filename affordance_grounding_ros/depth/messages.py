"""Messages about where regions lie in space: poses, points and markers."""

from __future__ import annotations

import array
import sys
from collections.abc import Sequence
from typing import Any

import numpy as np
from geometry_msgs.msg import Point, Pose, PoseArray, Quaternion, Vector3
from numpy.typing import NDArray
from rclpy.duration import Duration
from sensor_msgs.msg import PointCloud2, PointField
from std_msgs.msg import ColorRGBA, Header
from visualization_msgs.msg import Marker, MarkerArray

from affordance_grounding_core.inference.result import GroundingResult
from affordance_grounding_ros.depth.grasp_pose import Grasp
from affordance_grounding_ros.depth.rotations import rotation_of
from affordance_grounding_ros.depth.view import POINT_FIELDS
from affordance_grounding_ros.msg import ScoredGrasps

_APPROACH = 0.10
"""Length of the arrow that shows the approach, metres."""

_THICKNESS = 0.005
_LETTERS = 0.025
"""Height of the label's capital letters, metres."""

_LIFETIME = 10.0
"""Seconds a marker stays when nothing follows it: longer than a slow model takes for an image,
short enough that nobody grasps by it."""


def pose_message(grasp: Grasp) -> Pose:
    """Make a pose.

    Args:
        grasp: grasp in the frame of the message it goes into.
    """
    return Pose(
        position=_point(grasp.position),
        orientation=Quaternion(**dict(zip("xyzw", map(float, grasp.quaternion), strict=True))),
    )


def pose_array(header: Header, grasps: Sequence[Grasp | None]) -> PoseArray:
    """Make a PoseArray of the grasps there are, best region first.

    Args:
        header: stamp of the image, frame of the grasps.
        grasps: one for each region.
    """
    return PoseArray(header=header, poses=[pose_message(grasp) for grasp in grasps if grasp])


def scored_grasps(
    header: Header, result: GroundingResult, grasps: Sequence[Grasp | None]
) -> ScoredGrasps:
    """Make the message of the grasps there are and of their regions' scores, the best first.

    Args:
        header: stamp of the image, frame of the grasps.
        result: the grounder's result.
        grasps: one for each region.
    """
    kept = [
        (region, grasp)
        for region, grasp in zip(result.regions, grasps, strict=True)
        if grasp is not None
    ]
    return ScoredGrasps(
        header=header,
        action=result.action,
        poses=[pose_message(grasp) for _, grasp in kept],
        scores=[float(region.score) for region, _ in kept],
        widths=[float(grasp.width) for _, grasp in kept],
    )


def cloud_message(header: Header, cloud: NDArray[np.float32]) -> PointCloud2:
    """Make an organised PointCloud2.

    Args:
        header: stamp of the image, frame of the points.
        cloud: (H, W, 5) float32, the `POINT_FIELDS` of `depth_view`.
    """
    # Any other sequence of bytes is copied value by value by the message's setter.
    data = array.array("B")
    data.frombytes(np.ascontiguousarray(cloud).reshape(-1).view(np.uint8).data)
    point_bytes = 4 * len(POINT_FIELDS)
    message = PointCloud2(
        header=header,
        height=cloud.shape[0],
        width=cloud.shape[1],
        # RViz and PCL expect the packed colour to be called a float.
        fields=[
            PointField(name=name, offset=4 * index, datatype=PointField.FLOAT32, count=1)
            for index, name in enumerate(POINT_FIELDS)
        ],
        is_bigendian=sys.byteorder == "big",
        point_step=point_bytes,
        row_step=point_bytes * cloud.shape[1],
        is_dense=False,
    )
    message.data = data  # The constructor would copy it once more.
    return message


def markers(header: Header, result: GroundingResult, grasps: Sequence[Grasp | None]) -> MarkerArray:
    """Make the markers of an image's regions; those of the image before go.

    Args:
        header: stamp of the image, frame of the grasps.
        result: the grounder's result.
        grasps: one for each region; a region without one has no place in space, and no marker.
    """
    made = [Marker(header=header, action=Marker.DELETEALL)]
    for number, (region, grasp) in enumerate(zip(result.regions, grasps, strict=True)):
        if grasp is not None:
            label = f"{result.action} {region.score:.2f}"
            made += _markers_of_region(header, number, label, region.score, grasp)
    return MarkerArray(markers=made)


def no_markers(header: Header) -> MarkerArray:
    """Make the message that takes all markers away.

    Args:
        header: any stamp and frame.
    """
    return MarkerArray(markers=[Marker(header=header, action=Marker.DELETEALL)])


def _markers_of_region(
    header: Header, number: int, label: str, score: float, grasp: Grasp
) -> list[Marker]:
    pose = pose_message(grasp)
    before = grasp.position - rotation_of(grasp.quaternion)[:, 2] * _APPROACH
    above = Pose(position=_point(before), orientation=Quaternion(w=1.0))
    size = Vector3(x=max(grasp.length, _THICKNESS), y=max(grasp.width, _THICKNESS), z=_THICKNESS)
    colour = {"r": 1.0 - score, "g": float(score), "b": 0.2}
    common: dict[str, Any] = {
        "header": header,
        "id": number,
        "action": Marker.ADD,
        "lifetime": Duration(seconds=_LIFETIME).to_msg(),
    }
    return [
        Marker(
            **common,
            ns="region",
            type=Marker.CUBE,
            pose=pose,
            scale=size,
            color=ColorRGBA(**colour, a=0.5),
        ),
        Marker(
            **common,
            ns="approach",
            type=Marker.ARROW,
            pose=Pose(orientation=Quaternion(w=1.0)),
            points=[_point(before), _point(grasp.position)],
            # Of an arrow between two points: breadth of shaft and head, length of the head.
            scale=Vector3(x=0.008, y=0.016, z=0.03),
            color=ColorRGBA(**colour, a=1.0),
        ),
        Marker(
            **common,
            ns="label",
            type=Marker.TEXT_VIEW_FACING,
            pose=above,
            scale=Vector3(z=_LETTERS),
            color=ColorRGBA(r=1.0, g=1.0, b=1.0, a=1.0),
            text=label,
        ),
    ]


def _point(position: NDArray[np.float64]) -> Point:
    x, y, z = (float(value) for value in position)
    return Point(x=x, y=y, z=z)
