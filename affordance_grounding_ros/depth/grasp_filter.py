"""Grasps of any planner, kept where their contact lies in a region: `~/grasp_candidates`."""

from __future__ import annotations

import math
import threading
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from geometry_msgs.msg import PoseArray
from numpy.typing import NDArray
from rclpy.node import Node
from rclpy.subscription import Subscription

from affordance_grounding_core.actions.vocabulary import abbreviate
from affordance_grounding_core.inference.result import Box, GroundingResult
from affordance_grounding_ros.common import qos
from affordance_grounding_ros.depth.camera_model import CameraModel
from affordance_grounding_ros.depth.input import DepthSettings
from affordance_grounding_ros.depth.rotations import rotation_of
from affordance_grounding_ros.depth.transforms import RigidTransform
from affordance_grounding_ros.depth.view import DepthView
from affordance_grounding_ros.msg import ScoredGrasps

KEPT_RESULTS = 8
"""Results that candidates may refer to by their stamp."""

MOST_CANDIDATES = 10_000
"""Candidates in one message."""


@dataclass(frozen=True)
class SeenRegions:
    """The part of a result that the filter keeps.

    Attributes:
        stamp: stamp of the image, ns.
        action: action that was grounded.
        camera: camera that took the image.
        camera_frame: frame of the camera.
        frame: frame of the result's poses.
        transform: pose of the camera in that frame; None if it is the camera's own.
        regions: box of each region, and heat of its pixels, (box height, box width) float32, NaN
            beside them.
    """

    stamp: int
    action: str
    camera: CameraModel
    camera_frame: str
    frame: str
    transform: RigidTransform | None
    regions: tuple[tuple[Box, NDArray[np.float32]], ...]

    def in_camera(self, points: NDArray[np.float64], frame: str) -> NDArray[np.float64] | None:
        """Bring points to the camera's frame.

        Args:
            points: (N, 3) metres.
            frame: theirs.

        Returns:
            (N, 3) metres; None where the frame is neither the camera's nor the result's.
        """
        if frame == self.camera_frame:
            return points
        if frame != self.frame or self.transform is None:
            return None
        turned: NDArray[np.float64] = points - self.transform.translation
        return np.asarray(turned @ rotation_of(self.transform.quaternion), np.float64)

    def heat_at(
        self, columns: NDArray[np.float64], rows: NDArray[np.float64]
    ) -> NDArray[np.float64]:
        """Heat of the regions at pixels.

        Args:
            columns: (N,) px; NaN for beside the image.
            rows: (N,) px.

        Returns:
            (N,) heat in [0, 1]; NaN outside all regions.
        """
        heat = np.full(columns.shape, np.nan)
        x, y = np.floor(columns + 0.5), np.floor(rows + 0.5)
        for box, values in self.regions:
            left, top = x - box.x, y - box.y
            within = (left >= 0) & (left < box.width) & (top >= 0) & (top < box.height)
            found = values[top[within].astype(np.int64), left[within].astype(np.int64)]
            heat[within] = np.fmax(heat[within], found)
        return heat


def seen_regions(header: Any, result: GroundingResult, view: DepthView) -> SeenRegions:
    """Take from a result what the filter needs.

    Args:
        header: header of the image.
        result: the grounder's result for the image.
        view: the image in three dimensions.
    """
    regions = []
    for region in result.regions:
        box = region.box
        heat = result.heatmap[box.y : box.y + box.height, box.x : box.x + box.width]
        regions.append((box, np.where(region.mask, heat, np.nan).astype(np.float32)))
    return SeenRegions(
        stamp=_nanoseconds(header.stamp),
        action=result.action,
        camera=view.camera,
        camera_frame=header.frame_id.lstrip("/"),
        frame=view.frame_id.lstrip("/"),
        transform=view.transform,
        regions=tuple(regions),
    )


def contacts_of(poses: Any, offset: float) -> NDArray[np.float64]:
    """Compute the contacts of grasps.

    Args:
        poses: N geometry_msgs/Pose, z along the approach.
        offset: metres along z from the pose to the contact.

    Returns:
        (N, 3) metres; NaN where a pose is not finite.
    """
    contacts = np.full((len(poses), 3), np.nan)
    for index, pose in enumerate(poses):
        position, turned = pose.position, pose.orientation
        contact = np.array([position.x, position.y, position.z])
        if offset:
            quaternion = np.array([turned.x, turned.y, turned.z, turned.w])
            if not np.isfinite(quaternion).all() or np.linalg.norm(quaternion) < 1e-6:
                continue
            contact = contact + offset * rotation_of(quaternion)[:, 2]
        if np.isfinite(contact).all():
            contacts[index] = contact
    return contacts


class GraspFilter:
    """Answers each message of candidates with those that hold a region, the hottest first.

    Args:
        node: node that subscribes and publishes.
        settings: gives the parameters of now.
        refuse: called with a kind and the reason where candidates cannot be placed in an image.
    """

    def __init__(
        self,
        node: Node,
        settings: Callable[[], DepthSettings],
        refuse: Callable[[str, str], None],
    ) -> None:
        self._node = node
        self._settings = settings
        self._refuse = refuse
        self._lock = threading.Lock()
        self._seen: deque[SeenRegions] = deque(maxlen=KEPT_RESULTS)
        self._subscription: Subscription[Any] | None = None
        self._chosen = qos.create_publisher(node, ScoredGrasps, "~/chosen_grasps", qos.output())

    def open(self) -> None:
        """Subscribe to candidates.

        Raises:
            ValueError: a `qos_overrides` parameter that is not acceptable.
        """
        if self._subscription is None:
            self._subscription = qos.create_subscription(
                self._node, PoseArray, "~/grasp_candidates", self._on_candidates, qos.command()
            )

    def close(self) -> None:
        """Unsubscribe and forget the results."""
        subscription, self._subscription = self._subscription, None
        if subscription is not None:
            self._node.destroy_subscription(subscription)
        with self._lock:
            self._seen.clear()

    def destroy(self) -> None:
        """Take the topics away."""
        self.close()
        self._node.destroy_publisher(self._chosen)

    def remember(self, header: Any, result: GroundingResult, view: DepthView) -> None:
        """Keep a result for candidates that come after it.

        Args:
            header: header of the image.
            result: the grounder's result for the image.
            view: the image in three dimensions.
        """
        seen = seen_regions(header, result, view)
        with self._lock:
            self._seen.append(seen)

    def _on_candidates(self, message: PoseArray) -> None:
        seen = self._result_of(_nanoseconds(message.header.stamp))
        if seen is None:
            self._refuse("candidates result", "no result with depth has been published yet")
            return
        if len(message.poses) > MOST_CANDIDATES:
            said = f"{len(message.poses)} candidates in one message; expected at most"
            self._refuse("candidates number", f"{said} {MOST_CANDIDATES}")
            return
        contacts = contacts_of(message.poses, self._settings().grasp_contact_offset)
        points = seen.in_camera(contacts, message.header.frame_id.lstrip("/"))
        if points is None:
            self._refuse(
                "candidates frame",
                f"candidates have frame {abbreviate(message.header.frame_id)}; expected the "
                f"camera's, {seen.camera_frame!r}, or that of the poses, {seen.frame!r} (parameter "
                "'target_frame')",
            )
            return
        heat = seen.heat_at(*seen.camera.pixels(points))
        order = np.argsort(-heat, kind="stable")
        chosen = order[: np.count_nonzero(~np.isnan(heat))]
        self._chosen.publish(
            ScoredGrasps(
                header=message.header,
                action=seen.action,
                poses=[message.poses[index] for index in chosen],
                scores=[float(heat[index]) for index in chosen],
                widths=[math.nan] * len(chosen),
            )
        )

    def _result_of(self, stamp: int) -> SeenRegions | None:
        """The result of a stamp where it is kept, else the newest."""
        with self._lock:
            kept = list(self._seen)
        if not kept:
            return None
        return next((one for one in reversed(kept) if one.stamp == stamp), kept[-1])


def _nanoseconds(stamp: Any) -> int:
    return int(stamp.sec) * 10**9 + int(stamp.nanosec)
