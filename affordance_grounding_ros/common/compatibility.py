"""Everything that differs between ROS 2 distributions, Humble to Lyrical, in one place."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import rclpy
from rclpy.node import Node
from rclpy.parameter import Parameter
from rclpy.subscription import Subscription

try:
    from rclpy.clock_type import ClockType
    from rclpy.event_handler import PublisherEventCallbacks, SubscriptionEventCallbacks
except ImportError:  # Humble
    from rclpy.clock import ClockType  # type: ignore[attr-defined,unused-ignore]
    from rclpy.qos_event import PublisherEventCallbacks, SubscriptionEventCallbacks

try:
    from rclpy.exceptions import InvalidHandle
except ImportError:  # Before Kilted
    from rclpy.handle import InvalidHandle  # type: ignore[import-not-found,no-redef,unused-ignore]

__all__ = [
    "ClockType",
    "InvalidHandle",
    "callback_with_timestamp",
    "keep_parameter_types",
    "publisher_events",
    "shut_down_ros",
    "subscription_events",
    "values_given_at_start",
]


def subscription_events(
    incompatible_qos: Callable[[Any], None] | None,
) -> SubscriptionEventCallbacks:
    """Middleware events of a subscription.

    Args:
        incompatible_qos: called when a publisher offers less than the subscription asks for;
            None where such publishers are expected and served by another subscription.
    """
    return SubscriptionEventCallbacks(
        incompatible_qos=incompatible_qos, use_default_callbacks=incompatible_qos is not None
    )


def publisher_events(incompatible_qos: Callable[[Any], None]) -> PublisherEventCallbacks:
    """Middleware events of a publisher.

    Args:
        incompatible_qos: called when a subscription asks for more than the publisher offers.
    """
    return PublisherEventCallbacks(incompatible_qos=incompatible_qos)


def values_given_at_start(node: Node) -> dict[str, Any]:
    """Parameter values a node was started with, by name, whether it declares them or not.

    rclpy has no public way to ask for them, and drops a misspelled name without a word.
    """
    overrides = getattr(node, "_parameter_overrides", {})
    return {name: parameter.value for name, parameter in overrides.items()}


def keep_parameter_types(node: Node, bring: Callable[[str, object], object]) -> None:
    """Bring values to the types of their parameters before they are checked and stored.

    Humble has no such step: there a whole number that is set makes an integer of a double.

    Args:
        node: node whose parameters they are.
        bring: gives a value of the parameter's type for a name and a value, or the value itself.
    """

    def brought(changes: list[Parameter[Any]]) -> list[Parameter[Any]]:
        return [Parameter(one.name, value=bring(one.name, one.value)) for one in changes]

    if hasattr(Node, "add_pre_set_parameters_callback"):
        node.add_pre_set_parameters_callback(brought)


def callback_with_timestamp(callback: Callable[[Any, int], None]) -> Callable[..., None]:
    """Make a callback for `create_subscription` from one that wants to know when a message left.

    Args:
        callback: called with the message and the time its publisher sent it, in nanoseconds; 0
            on Humble, whose rclpy does not tell.
    """
    if hasattr(Subscription, "CallbackType"):
        # The number of arguments is looked at, so no default may stand in for the second one.
        return lambda message, information: callback(message, information["source_timestamp"])
    return lambda message: callback(message, 0)  # Humble


def shut_down_ros() -> None:
    """Shut the default context down, unless a signal has done so already."""
    if rclpy.ok():
        rclpy.shutdown()
