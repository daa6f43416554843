"""The subscription to the camera, which is there only while images are of use."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable
from typing import Any, Protocol

from rclpy.node import Node
from rclpy.qos import DurabilityPolicy, QoSProfile
from rclpy.subscription import Subscription
from sensor_msgs.msg import CompressedImage, Image

from affordance_grounding_core.errors import TeachingError
from affordance_grounding_ros.common import qos
from affordance_grounding_ros.health.clocks import ClockWatch
from affordance_grounding_ros.health.watchdogs import joined
from affordance_grounding_ros.images.compressed import compressed_topic
from affordance_grounding_ros.images.reader import ImageReader

KEPT = 8


class RecentImages:
    """Keeps references to the last images. Safe between threads.

    Args:
        clock: seconds that never go back.
    """

    FRESH = 1.0
    """Seconds after its arrival that an image counts as what the camera sees now."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._images: deque[tuple[float, Image | CompressedImage]] = deque(maxlen=KEPT)

    def add(self, message: Image | CompressedImage) -> None:
        """Keep an image."""
        with self._lock:
            self._images.append((self._clock(), message))

    def clear(self) -> None:
        """Forget all images."""
        with self._lock:
            self._images.clear()

    def find(self, sec: int, nanosec: int) -> Image | CompressedImage | None:
        """Find the image of a stamp, or the newest where the stamp is zero.

        Args:
            sec: seconds of the stamp.
            nanosec: likewise.

        Returns:
            The image; None where the newest is wanted and none is fresh.

        Raises:
            TeachingError: no kept image has the stamp.
        """
        with self._lock:
            images = list(self._images)
        if (sec, nanosec) == (0, 0):
            fresh = images and self._clock() - images[-1][0] <= self.FRESH
            return images[-1][1] if fresh else None
        for _, message in reversed(images):
            stamp = message.header.stamp
            if (stamp.sec, stamp.nanosec) == (sec, nanosec):
                return message
        raise TeachingError(
            f"no image with stamp {sec}.{nanosec:09d} is among the last {len(images)} received "
            f"(at most {KEPT} are kept, while there is a goal); mark a newer one, or leave the "
            "stamp zero for the newest"
        )


class ImageWatch:
    """Times the silence between images.

    Args:
        clock: seconds that never go back.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._since = clock()
        self._warning = ""

    @property
    def warning(self) -> str:
        """The present problem; empty while images arrive."""
        return self._warning

    @property
    def silence(self) -> float:
        """Seconds since the last image, or since it is waited for."""
        return self._clock() - self._since

    def restart(self) -> None:
        """Time from now on, as if an image had just arrived."""
        self._since = self._clock()
        self._warning = ""

    def arrived(self) -> bool:
        """Note an image.

        Returns:
            Whether it ends a silence that was warned about.
        """
        ended = bool(self._warning)
        self.restart()
        return ended

    def check(self, timeout: float, topic: str, publishers: Callable[[], str]) -> str:
        """Look whether the silence has become too long.

        Args:
            timeout: seconds of silence that are too long; 0: none are.
            topic: full name of the image topic.
            publishers: describes the publishers found on it; empty if there are none.

        Returns:
            A warning when the silence has just become too long, empty otherwise.
        """
        silence = self.silence
        if timeout <= 0.0:
            self._warning = ""
        if self._warning or timeout <= 0.0 or silence < timeout:
            return ""
        found = publishers()
        who = (
            f"publishers found: {found}; check that they run, and their quality of service"
            if found
            else "no publisher found; start the camera, or remap 'image' to its topic "
            "(`--ros-args -r image:=/camera/image_raw`), and check ROS_DOMAIN_ID"
        )
        self._warning = f"no image on '{topic}' for {timeout:g} s; {who}"
        return self._warning


TOPIC = "image"


class Companion(Protocol):
    """Subscriptions that are of use while images are."""

    def open(self) -> None:
        """Subscribe, unless that is done already."""
        ...

    def close(self) -> None:
        """Unsubscribe."""
        ...


class ImageInput:
    """Subscribes to images while there is a goal, and notices when none come.

    Receiving images of a camera costs a tenth of a core, so without a goal the subscription is
    given up; not before an image has come, though, so that a silent camera is noticed while
    there is still time to look after it. Safe between threads.

    Args:
        node: node that subscribes.
        take: called with each image, and must not raise.
        clock: seconds that never go back.

    Attributes:
        clocks: compares the images' stamps with the node's clock.
        reader: makes colours of the images.
    """

    LINGER = 3.0
    """Seconds without a goal after which the subscription is given up: a stream of goals and stops
    must not make a stream of subscriptions."""

    STILL = 1.0
    """Seconds without an image after which the last one is asked for again at a new goal."""

    def __init__(
        self,
        node: Node,
        take: Callable[[Image | CompressedImage], None],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._node = node
        self._take = take
        self._clock = clock
        self._lock = threading.RLock()
        self._subscription: Subscription[Any] | None = None
        self._latched: Subscription[Any] | None = None
        self._watch = ImageWatch(clock)
        self._heard = False
        self._only_kept = False
        self._needed_at = clock()
        self._compressed = False
        self._companion: Companion | None = None
        self.clocks = ClockWatch(node, clock)
        self.reader = self._make_reader()

    def use(self, transport: str, companion: Companion | None) -> None:
        """Decide how images come, from the next time they are subscribed to.

        Args:
            transport: "raw" or "compressed".
            companion: opened and closed with the images; None where there is nothing to.
        """
        self.close()
        with self._lock:
            self._compressed = transport == "compressed"
            self._companion = companion
            self.reader = self._make_reader()

    @property
    def is_open(self) -> bool:
        """Whether images are subscribed to."""
        return self._subscription is not None

    @property
    def topic(self) -> str:
        """Full name of the image topic."""
        name: str = self._node.resolve_topic_name(TOPIC)
        return compressed_topic(name) if self._compressed else name

    @property
    def warning(self) -> str:
        """The camera's present problem; empty while images arrive or are not needed."""
        return joined(self._watch.warning, self.clocks.warning)

    def open(self) -> None:
        """Subscribe, unless that is done already; the silence is timed from now on.

        Raises:
            ValueError: a `qos_overrides` parameter that is not acceptable.
        """
        with self._lock:
            self._needed_at = self._clock()
            if self._subscription is None:
                self._watch.restart()
                self._heard = self._only_kept = False
                if self._companion:
                    self._companion.open()
                self._subscription = self._subscribe(self._on_image, qos.image_input())
            self._listen_for_latched()

    def ask_again(self) -> None:
        """Get the image again that a publisher keeps, where it is the only one there is.

        A photograph that was published once is wanted for every new goal.
        """
        with self._lock:
            if self._subscription is not None and self._watch.silence > self.STILL:
                self._heard = False
                self._drop_latched()
                self._listen_for_latched()

    def close(self) -> None:
        """Unsubscribe."""
        with self._lock:
            subscription, self._subscription = self._subscription, None
            if subscription is not None:
                self._node.destroy_subscription(subscription)
            self._drop_latched()
            if self._companion:
                self._companion.close()
            self._watch.restart()

    def check(self, *, needed: bool, timeout: float) -> str:
        """Give the subscription up where it is of no use; look whether the camera is silent.

        Args:
            needed: whether there is a goal.
            timeout: seconds of silence that are too long; 0: none are.

        Returns:
            A warning when the silence has just become too long, empty otherwise.
        """
        with self._lock:
            if self._subscription is None:
                return ""
            if needed:
                self._needed_at = self._clock()
            elif self._heard and self._clock() - self._needed_at >= self.LINGER:
                self.close()
                return ""
            if self._heard:
                self._drop_latched()
            else:
                self._listen_for_latched()
            # A photograph that was published once is followed by silence.
            patience = 0.0 if self._only_kept else timeout
            silent = self._watch.check(patience, self.topic, self._publishers)
            return joined(silent, self.clocks.check())

    def _subscribe(
        self,
        callback: Callable[[Any], None],
        profile: QoSProfile,
        *,
        name: str | None = None,
        report_incompatible: bool = True,
    ) -> Subscription[Any]:
        return qos.create_subscription(
            self._node,
            CompressedImage if self._compressed else Image,
            self.topic if self._compressed else TOPIC,
            callback,
            profile,
            name=name,
            report_incompatible=report_incompatible,
        )

    def _listen_for_latched(self) -> None:
        """Subscribes a second time where a publisher keeps its last image for those who come later.

        Only until an image has come, and only where there is such a publisher: every other one
        would log that this subscription asks for too much.
        """
        if self._heard or self._latched is not None:
            return
        publishers = self._node.get_publishers_info_by_topic(self.topic)
        durabilities = [one.qos_profile.durability for one in publishers]
        if DurabilityPolicy.TRANSIENT_LOCAL in durabilities:
            self._latched = self._subscribe(
                self._on_latched, qos.image_latched(), name="latched", report_incompatible=False
            )

    def _drop_latched(self) -> None:
        latched, self._latched = self._latched, None
        if latched is not None:
            self._node.destroy_subscription(latched)

    def _on_latched(self, message: Image | CompressedImage) -> None:
        if not self._heard:
            self._on_image(message)
            self._only_kept = True

    def _on_image(self, message: Image | CompressedImage) -> None:
        self._heard = True
        self._only_kept = False
        self.clocks.arrived(message.header.stamp)
        if self._watch.arrived():
            self._node.get_logger().info("images arrive again")
        self._take(message)

    def _make_reader(self) -> ImageReader:
        return ImageReader(lambda line: self._node.get_logger().warning(line))

    def _publishers(self) -> str:
        endpoints = self._node.get_publishers_info_by_topic(self.topic)
        return qos.described_endpoints(endpoints) if endpoints else ""
