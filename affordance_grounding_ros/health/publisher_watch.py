"""Watches for publishers whose quality of service keeps this node from hearing them."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from rclpy.node import Node
from rclpy.qos import QoSProfile
from rclpy.subscription import Subscription

from affordance_grounding_ros.common import qos
from affordance_grounding_ros.common.compatibility import InvalidHandle
from affordance_grounding_ros.health.figures import FrameCounter
from affordance_grounding_ros.node.image_input import ImageInput


class PublisherWatch:
    """Notices publishers that no subscription of a node can hear, as long as they are there.

    The middleware tells once that a publisher is incompatible and never that it has gone, so the
    ROS graph is looked at instead.

    Args:
        node: whose subscriptions are looked after.
        images: subscribes to the camera.
        counter: counts the images that arrive.
        clock: seconds that never go back.
    """

    HEARD = 5.0
    """Seconds after an image in which no camera is missed: one that is heard is enough."""

    def __init__(
        self,
        node: Node,
        images: ImageInput,
        counter: FrameCounter,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._node = node
        self._images = images
        self._counter = counter
        self._clock = clock
        self._received = 0
        self._heard_at = -float("inf")
        self._warning = ""

    @property
    def warning(self) -> str:
        """Who cannot be heard now, and why; empty while everybody can."""
        return self._warning

    def check(self) -> None:
        """Look at the publishers on every topic that is subscribed to."""
        now, received = self._clock(), self._counter.counts.received
        if received > self._received:
            self._heard_at = now
        self._received = received
        heard = self._images.topic if now - self._heard_at < self.HEARD else ""
        found = (
            self._complaint(topic, subscriptions)
            for topic, subscriptions in self._subscriptions().items()
            if topic != heard
        )
        self._warning = "; ".join(filter(None, found))

    def _subscriptions(self) -> dict[str, list[Subscription[Any]]]:
        by_topic: dict[str, list[Subscription[Any]]] = {}
        for subscription in list(self._node.subscriptions):
            with suppress(InvalidHandle):  # Another thread has just given it up.
                by_topic.setdefault(subscription.topic_name, []).append(subscription)
        return by_topic

    def _complaint(self, topic: str, subscriptions: list[Subscription[Any]]) -> str:
        profiles = [subscription.qos_profile for subscription in subscriptions]
        endpoints, asked, policies = [], profiles[0], dict[str, None]()
        for endpoint in self._node.get_publishers_info_by_topic(topic):
            nearest = min(profiles, key=lambda profile: len(_unmet(endpoint, profile)))
            if unmet := _unmet(endpoint, nearest):
                endpoints.append(endpoint)
                asked = nearest
                policies.update(dict.fromkeys(unmet))
        if not endpoints:
            return ""
        return qos.unheard_publishers(self._node, topic, list(policies), asked, endpoints)


def _unmet(endpoint: Any, asked: QoSProfile) -> list[str]:
    return qos.unmet_policies(endpoint.qos_profile, asked)
