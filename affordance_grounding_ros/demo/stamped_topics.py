"""Collects what several topics say about the same image."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Mapping
from typing import Any

from rclpy.node import Node

from affordance_grounding_ros.common import qos


class StampedTopics:
    """Keeps the messages of topics by their stamps, the last ones only.

    Args:
        node: that subscribes.
        topics: message classes by topic.
        capacity: stamps that are kept.
    """

    def __init__(self, node: Node, topics: Mapping[str, Any], capacity: int = 40) -> None:
        self._capacity = capacity
        self._messages: OrderedDict[int, dict[str, Any]] = OrderedDict()
        for topic, kind in topics.items():
            node.create_subscription(kind, topic, self._keeper(topic), qos.output())

    def at(self, stamp: Any) -> dict[str, Any]:
        """What has arrived about an image.

        Args:
            stamp: of the image, a builtin_interfaces/Time.

        Returns:
            Messages by topic.
        """
        return dict(self._messages.get(nanoseconds(stamp), {}))

    def clear(self) -> None:
        """Forget all messages."""
        self._messages.clear()

    def _keeper(self, topic: str) -> Callable[[Any], None]:
        def keep(message: Any) -> None:
            stamp = nanoseconds(stamp_of(message))
            self._messages.setdefault(stamp, {})[topic] = message
            while len(self._messages) > self._capacity:
                self._messages.popitem(last=False)

        return keep


def stamp_of(message: Any) -> Any:
    """Stamp of a message, or of its first marker.

    Args:
        message: with a header, or a MarkerArray that is not empty.
    """
    return (message.header if hasattr(message, "header") else message.markers[0].header).stamp


def nanoseconds(stamp: Any) -> int:
    """A stamp as one number."""
    return int(stamp.sec) * 10**9 + int(stamp.nanosec)
