"""The subscriptions to depth and calibration, and what they give for an image."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

from rclpy.node import Node
from rclpy.subscription import Subscription
from sensor_msgs.msg import CameraInfo, Image

from affordance_grounding_ros.common import qos
from affordance_grounding_ros.depth.camera_model import DepthError, camera_model
from affordance_grounding_ros.depth.grasp_pose import GraspConfig
from affordance_grounding_ros.depth.image import DepthImage, check_same_frame, depth_in_metres
from affordance_grounding_ros.depth.stamp_matching import Claim, StampMatcher
from affordance_grounding_ros.depth.transforms import FrameLookup, RigidTransform
from affordance_grounding_ros.depth.view import DepthView

DEPTH_TOPIC = "depth"
CALIBRATION_TOPIC = "camera_info"

_SILENCE = 2.0
"""Seconds without depth after which it is no longer waited for."""


class DepthSettings(Protocol):
    """The parameters that matter here; the parameter table says more about each."""

    @property
    def depth_registered(self) -> bool:
        """Whether depth is registered to the image although its header names another frame."""
        ...

    @property
    def depth_slop(self) -> float:
        """Seconds between an image and its depth at most."""
        ...

    @property
    def depth_wait(self) -> float:
        """Seconds after an image's arrival that its depth is waited for."""
        ...

    @property
    def depth_maximum(self) -> float:
        """Metres beyond which depth does not count."""
        ...

    @property
    def image_rectified(self) -> bool:
        """Whether P of the calibration holds, rather than K and D."""
        ...

    @property
    def grasp_contact_offset(self) -> float:
        """Metres from a planner's pose along its z to where the gripper touches."""
        ...

    @property
    def target_frame(self) -> str:
        """Frame of the poses; empty for the camera's own."""
        ...


@dataclass(frozen=True)
class DepthClaim:
    """Depth and calibration that belong to one image, as far as they have arrived.

    Attributes:
        depth: claim on the message of the depth topic.
        calibration: claim on the message of the calibration topic.
    """

    depth: Claim[Image]
    calibration: Claim[CameraInfo]


class DepthInput:
    """Finds the depth and the calibration that belong to an image.

    Depth must be registered to the image: seen by the same camera, in the same frame. A message
    of the image's own stamp is taken where there is one, else the nearest within `depth_slop`.
    A calibration does not age: the one nearest in time is taken, however far.

    Args:
        node: node that subscribes.
        settings: gives the parameters of now.
        frames: knows where frames lie, closed by whoever made it; None without a target frame.
    """

    def __init__(
        self,
        node: Node,
        settings: Callable[[], DepthSettings],
        frames: FrameLookup | None = None,
    ) -> None:
        self._node = node
        self._settings = settings
        self._lock = threading.RLock()
        self._subscriptions: list[Subscription[Any]] = []
        self._depths: StampMatcher[Image] = StampMatcher()
        self._calibrations: StampMatcher[CameraInfo] = StampMatcher()
        self._frames = frames

    def open(self) -> None:
        """Subscribe, unless that is done already.

        Raises:
            ValueError: a `qos_overrides` parameter that is not acceptable.
        """
        with self._lock:
            if self._subscriptions:
                return
            for kind, topic, matcher in (
                (Image, DEPTH_TOPIC, self._depths),
                (CameraInfo, CALIBRATION_TOPIC, self._calibrations),
            ):
                self._subscriptions.append(
                    qos.create_subscription(
                        self._node, kind, topic, _adder(matcher), qos.depth_input()
                    )
                )

    def close(self) -> None:
        """Unsubscribe, and let no image wait any longer."""
        with self._lock:
            subscriptions, self._subscriptions = self._subscriptions, []
            for subscription in subscriptions:
                self._node.destroy_subscription(subscription)
            self._depths.clear()
            self._calibrations.clear()

    def release(self) -> None:
        """Unsubscribe for good."""
        self.close()

    def claim(self, header: Any) -> DepthClaim:
        """Begin to collect what belongs to an image; never waits.

        Args:
            header: header of the image.
        """
        stamp = _nanoseconds(header.stamp)
        return DepthClaim(self._depths.claim(stamp), self._calibrations.claim(stamp))

    def view(self, claim: DepthClaim, header: Any, width: int, height: int) -> DepthView:
        """Put an image's depth, calibration and target frame together.

        Waits for what has not arrived, for at most the parameter `depth_wait`.

        Args:
            claim: claim of the image.
            header: header of the image.
            width: width of the image, px.
            height: height of the image, px.

        Raises:
            DepthError: something is missing, late or does not belong to the image.
        """
        settings = self._settings()
        depth = self._matching_depth(claim, settings)
        calibration = claim.calibration.nearest or claim.calibration.wait(settings.depth_wait)
        if calibration is None:
            raise DepthError("time", self._silence(CALIBRATION_TOPIC))
        info = calibration[1]
        frames = (header.frame_id, depth.header.frame_id, info.header.frame_id)
        check_same_frame(*frames, registered=settings.depth_registered)
        camera = camera_model(info, width, height, rectified=settings.image_rectified)
        return DepthView(
            depth=DepthImage(depth_in_metres(depth), width, height),
            camera=camera,
            frame_id=settings.target_frame or header.frame_id,
            transform=self._transform(header, settings),
            config=GraspConfig(maximum_depth=settings.depth_maximum),
        )

    def _matching_depth(self, claim: DepthClaim, settings: DepthSettings) -> Image:
        if not claim.depth.stamp:
            raise DepthError(
                "time",
                "the image carries no stamp; depth is matched by stamps: let the camera's driver "
                "stamp its images",
            )
        # Where no depth is sent at all, waiting for it would only slow the images down.
        silent = self._depths.silence > _SILENCE
        found = claim.depth.wait(0.0 if silent else settings.depth_wait)
        if found is None:
            raise DepthError("time", self._silence(DEPTH_TOPIC))
        offset, message = found
        if abs(offset) > settings.depth_slop * 1e9:
            raise DepthError(
                "time",
                f"no depth within {1000 * settings.depth_slop:g} ms of the image: the nearest on "
                f"'{self._node.resolve_topic_name(DEPTH_TOPIC)}' was taken "
                f"{abs(offset) / 1e6:.0f} ms {'after' if offset > 0 else 'before'} it; let the "
                "driver synchronise its streams, raise 'depth_wait' if depth arrives late, or "
                "'depth_slop' if it may be older",
            )
        return message

    def _transform(self, header: Any, settings: DepthSettings) -> RigidTransform | None:
        target = settings.target_frame
        if not target or self._frames is None or target == header.frame_id.lstrip("/"):
            return None
        try:
            return self._frames.find(target, header.frame_id, header.stamp, settings.depth_wait)
        except DepthError as error:
            raise DepthError(
                error.kind, f"{error}, which 'target_frame' needs at the image's stamp"
            ) from error

    def _silence(self, topic: str) -> str:
        name = self._node.resolve_topic_name(topic)
        publishers = self._node.get_publishers_info_by_topic(name)
        who = qos.described_endpoints(publishers) if publishers else "none"
        return (
            f"nothing has arrived on '{name}' for the image; publishers found: {who}; start the "
            f"camera's depth, or remap '{topic}' to its topic, and check its quality of service"
        )


def _adder(matcher: StampMatcher[Any]) -> Callable[[Any], None]:
    def add(message: Any) -> None:
        matcher.add(_nanoseconds(message.header.stamp), message)

    return add


def _nanoseconds(stamp: Any) -> int:
    return int(stamp.sec) * 10**9 + int(stamp.nanosec)
