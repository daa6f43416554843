"""Watchdogs over what the node cannot see by itself: a hanging model, neighbours, publishers."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import suppress
from typing import Any, Protocol

from rclpy.node import Node
from rclpy.qos import QoSProfile
from rclpy.subscription import Subscription

from affordance_grounding_ros.common import qos
from affordance_grounding_ros.common.compatibility import InvalidHandle
from affordance_grounding_ros.health.figures import FrameCounter


class CameraTopic(Protocol):
    """Whatever subscribes to the camera."""

    @property
    def topic(self) -> str:
        """Full name of the image topic."""
        ...


class PublisherWatch:
    """Notices publishers that no subscription of a node can hear, as long as they are there.

    The middleware tells once that a publisher is incompatible and never that it has gone, so the
    ROS graph is looked at instead.

    Args:
        node: node whose subscriptions are looked after.
        images: subscribes to the camera.
        counter: counts the images that arrive.
        clock: seconds that never go back.
    """

    HEARD = 5.0
    """Seconds after an image in which no camera is missed: one that is heard is enough."""

    def __init__(
        self,
        node: Node,
        images: CameraTopic,
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


class InferenceWatch:
    """Notices that the model has been at one image for too long, and that it is back."""

    def __init__(self) -> None:
        self._problem = ""

    @property
    def problem(self) -> str:
        """The present problem; empty while images are answered in time."""
        return self._problem

    def check(self, busy: float, timeout: float) -> tuple[str, str]:
        """Look how long the model has been at work.

        Args:
            busy: seconds since the image at work was begun; 0 while there is none.
            timeout: seconds that are too long; 0: none are.

        Returns:
            An error when it has just become too long, and a note when that has just ended; empty
            otherwise.
        """
        hangs = 0.0 < timeout <= busy
        if hangs == bool(self._problem):
            return "", ""
        if not hangs:
            self._problem = ""
            return "", "the model answers again"
        self._problem = (
            f"the model has been at work on one image for more than {timeout:g} s (parameter "
            "'inference_timeout'); nothing is published meanwhile, and it goes on with the newest "
            "image by itself when the model answers. It may be preparing itself for images of "
            "another size; if it does not answer at all, look at the load of this machine and at "
            "its GPU, and start the node again"
        )
        return self._problem, ""


class NameWatch:
    """Notices another node of the same name, which would answer to the same goals.

    Args:
        node: node whose name is looked for.
        patience: seconds that another one must be seen before it counts. One that was killed
            stays listed for up to 20 s with the default middleware, and one that takes over from
            it must not be called a second one.
        clock: seconds that never go back.
    """

    PATIENCE = 25.0

    def __init__(
        self,
        node: Node,
        patience: float | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._node = node
        self._patience = self.PATIENCE if patience is None else patience
        self._clock = clock
        self._since: float | None = None
        self._warning = ""

    @property
    def warning(self) -> str:
        """The present problem; empty while the name is this node's alone."""
        return self._warning

    def check(self) -> str:
        """Look for nodes of this name.

        Returns:
            A warning when another one has just been seen for long enough, empty otherwise.
        """
        listed = self._node.get_node_names_and_namespaces()
        own = (self._node.get_name(), self._node.get_namespace())
        count = sum((name, namespace) == own for name, namespace in listed)
        if count < 2:
            self._since, self._warning = None, ""
            return ""
        now = self._clock()
        if self._since is None:
            self._since = now
        if self._warning or now - self._since < self._patience:
            return ""
        self._warning = (
            f"{count} nodes are called '{self._node.get_fully_qualified_name()}'; each of them "
            "answers to every goal and publishes on the same topics. End all but one, or give "
            "them other names: `--ros-args -r __node:=NAME`, or a namespace"
        )
        return self._warning


class GraphWatch:
    """Notices what other nodes do that keeps this one from its work.

    Args:
        node: node that is looked after.
        images: subscribes to its camera.
        counter: counts the images that arrive.
    """

    def __init__(self, node: Node, images: CameraTopic, counter: FrameCounter) -> None:
        self._names = NameWatch(node)
        self._publishers = PublisherWatch(node, images, counter)

    @property
    def warning(self) -> str:
        """The present problem; empty while nothing is."""
        return joined(self._publishers.warning, self._names.warning)

    def check(self) -> str:
        """Look at the nodes and topics that are there.

        Returns:
            A warning that has just become due and was not logged, empty otherwise. Publishers
            that cannot be heard are logged when the middleware tells of them.
        """
        self._publishers.check()
        return self._names.check()


def joined(*warnings: str) -> str:
    """One line of several warnings, the first of them first; those that are empty are left out."""
    return "; ".join(filter(None, warnings))
