"""Every quality of service the nodes use, by name, and what is logged when two sides differ."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from rclpy.callback_groups import ReentrantCallbackGroup
from rclpy.node import Node
from rclpy.publisher import Publisher
from rclpy.qos import (
    DurabilityPolicy,
    HistoryPolicy,
    QoSPolicyKind,
    QoSProfile,
    ReliabilityPolicy,
    qos_policy_name_from_kind,
)
from rclpy.qos_overriding_options import QoSOverridingOptions
from rclpy.service import Service
from rclpy.subscription import Subscription

from affordance_grounding_ros.common.compatibility import publisher_events, subscription_events
from affordance_grounding_ros.common.problem_log import ProblemLog


def _profile(
    depth: int, reliability: ReliabilityPolicy, durability: DurabilityPolicy
) -> QoSProfile:
    return QoSProfile(
        history=HistoryPolicy.KEEP_LAST,
        depth=depth,
        reliability=reliability,
        durability=durability,
    )


def image_input() -> QoSProfile:
    """Camera images: best effort matches every camera; depth 1, because old frames are useless."""
    return _profile(1, ReliabilityPolicy.BEST_EFFORT, DurabilityPolicy.VOLATILE)


def image_latched() -> QoSProfile:
    """The image of a publisher that keeps its last one for nodes that start later."""
    return _profile(1, ReliabilityPolicy.RELIABLE, DurabilityPolicy.TRANSIENT_LOCAL)


def depth_input() -> QoSProfile:
    """Depth and calibrations: a few are kept, because one belongs to an image already at work."""
    return _profile(5, ReliabilityPolicy.BEST_EFFORT, DurabilityPolicy.VOLATILE)


def goal_latched() -> QoSProfile:
    """Goals of publishers that keep their last one for nodes that start later."""
    return _profile(1, ReliabilityPolicy.RELIABLE, DurabilityPolicy.TRANSIENT_LOCAL)


def goal_live() -> QoSProfile:
    """Goals of publishers that keep nothing, `ros2 topic pub` among them."""
    return _profile(1, ReliabilityPolicy.RELIABLE, DurabilityPolicy.VOLATILE)


def command() -> QoSProfile:
    """Commands to be followed once: nothing is kept for a node that starts later."""
    return _profile(8, ReliabilityPolicy.RELIABLE, DurabilityPolicy.VOLATILE)


def output() -> QoSProfile:
    """Results and pictures: reliable, because RViz and rqt subscribe reliably."""
    return _profile(5, ReliabilityPolicy.RELIABLE, DurabilityPolicy.VOLATILE)


def status() -> QoSProfile:
    """Status: whoever subscribes gets the last one at once."""
    return _profile(1, ReliabilityPolicy.RELIABLE, DurabilityPolicy.TRANSIENT_LOCAL)


def diagnostics() -> QoSProfile:
    """Diagnostics, as every aggregator of them subscribes."""
    return _profile(10, ReliabilityPolicy.RELIABLE, DurabilityPolicy.VOLATILE)


def camera_output() -> QoSProfile:
    """Images of the player: reliable, so that subscribers of both kinds match."""
    return _profile(1, ReliabilityPolicy.RELIABLE, DurabilityPolicy.VOLATILE)


def create_subscription(
    node: Node,
    message_type: Any,
    topic: str,
    callback: Callable[..., None],
    profile: QoSProfile,
    *,
    name: str | None = None,
    report_incompatible: bool = True,
) -> Subscription[Any]:
    """Subscribe with overridable quality of service and a log line for publishers that differ.

    Args:
        node: node that subscribes.
        message_type: class of the message.
        topic: relative, private ("~/...") or absolute name.
        callback: takes a message, and where it has a second argument, rclpy's information on it.
        profile: asked for, unless a `qos_overrides` parameter says otherwise.
        name: tells two subscriptions of one topic apart in the `qos_overrides` parameters.
        report_incompatible: False where publishers that differ are expected.
    """
    # A lambda: rclpy tells log lines apart by the place they come from.
    log = ProblemLog(lambda line: node.get_logger().error(line))

    def log_incompatible(event: Any) -> None:
        full_name, policy = node.resolve_topic_name(topic), policy_name(event.last_policy_kind)
        endpoints = node.get_publishers_info_by_topic(full_name)
        log.report(policy, unheard_publishers(node, full_name, [policy], profile, endpoints))

    return node.create_subscription(
        message_type,
        topic,
        callback,
        profile,
        event_callbacks=subscription_events(log_incompatible if report_incompatible else None),
        qos_overriding_options=_overridable(name),
    )


def create_publisher(
    node: Node, message_type: Any, topic: str, profile: QoSProfile
) -> Publisher[Any]:
    """Advertise with overridable quality of service and a log line for subscribers that differ.

    Args:
        node: node that publishes.
        message_type: class of the message.
        topic: relative, private ("~/...") or absolute name.
        profile: offered, unless a `qos_overrides` parameter says otherwise.
    """
    # A lambda: rclpy tells log lines apart by the place they come from.
    log = ProblemLog(lambda line: node.get_logger().error(line))

    def log_incompatible(event: Any) -> None:
        full_name = node.resolve_topic_name(topic)
        log.report(
            policy_name(event.last_policy_kind),
            f"subscribers of '{full_name}' hear nothing: this publisher's "
            f"{policy_name(event.last_policy_kind)} does not satisfy them; offered: "
            f"{describe(profile)}; asked for: "
            f"{described_endpoints(node.get_subscriptions_info_by_topic(full_name))}. Change the "
            f"subscriber, or set the parameter 'qos_overrides.{full_name}.publisher."
            f"{policy_name(event.last_policy_kind).lower()}'",
        )

    return node.create_publisher(
        message_type,
        topic,
        profile,
        event_callbacks=publisher_events(log_incompatible),
        qos_overriding_options=_overridable(None),
    )


def create_service(
    node: Node, service_type: Any, name: str, callback: Callable[[Any, Any], Any]
) -> Service[Any, Any]:
    """Offer a service whose callback may be a coroutine, which keeps nobody else from being served.

    Args:
        node: server's node.
        service_type: class of the service.
        name: relative, private ("~/...") or absolute name.
        callback: takes request and response, and gives the response.
    """
    # A coroutine that waits would keep the node's own group from all that it serves.
    group = ReentrantCallbackGroup()
    return node.create_service(service_type, name, callback, callback_group=group)


def unmet_policies(offered: QoSProfile, asked: QoSProfile) -> list[str]:
    """Policies in which a publisher offers less than a subscription of these nodes asks for.

    Args:
        offered: the publisher's quality of service.
        asked: what the subscription asks for, in reliability and durability only: nothing here asks
            for a deadline or for liveliness, nor can it be made to by a parameter.

    Returns:
        Names as of `policy_name`; empty where the subscription hears the publisher.
    """
    unmet = []
    if (offered.reliability, asked.reliability) == (
        ReliabilityPolicy.BEST_EFFORT,
        ReliabilityPolicy.RELIABLE,
    ):
        unmet.append("RELIABILITY")
    if (offered.durability, asked.durability) == (
        DurabilityPolicy.VOLATILE,
        DurabilityPolicy.TRANSIENT_LOCAL,
    ):
        unmet.append("DURABILITY")
    return unmet


def unheard_publishers(
    node: Node, topic: str, policies: list[str], asked: QoSProfile, endpoints: list[Any]
) -> str:
    """Say that publishers cannot be heard, why, and what can be done about it.

    Args:
        node: node that subscribes.
        topic: full name.
        policies: names of the policies that are not satisfied, of `policy_name`.
        asked: the subscription's quality of service.
        endpoints: what is known of the publishers.
    """
    satisfy = "does not satisfy" if len(policies) == 1 else "do not satisfy"
    names = [f"qos_overrides.{topic}.subscription.{policy.lower()}" for policy in policies]
    quoted = " and ".join(f"'{name}'" for name in names if node.has_parameter(name))
    return (
        f"publishers on '{topic}' cannot be heard: their {' and '.join(policies)} {satisfy} this "
        f"subscription, which asks for {describe(asked)}; offered: "
        f"{described_endpoints(endpoints)}. Change the publisher"
        + (f", or set the parameter {quoted}" if quoted else "")
    )


def describe(profile: QoSProfile) -> str:
    """Reliability and durability of a profile in words."""
    reliability = profile.reliability.name.lower().replace("_", " ")
    durability = profile.durability.name.lower().replace("_", " ")
    return f"{reliability}, {durability}"


def described_endpoints(endpoints: list[Any]) -> str:
    """Nodes behind publishers or subscriptions, each with its quality of service in words."""
    named = [
        f"{endpoint.node_namespace.rstrip('/')}/{endpoint.node_name} "
        f"({describe(endpoint.qos_profile)})"
        for endpoint in endpoints
    ]
    return ", ".join(named) or "none"


def policy_name(kind: Any) -> str:
    """Name of a quality of service policy as the middleware numbers it: "RELIABILITY"."""
    name: str = qos_policy_name_from_kind(kind)
    return name.rsplit(".", 1)[-1].removesuffix("_QOS_POLICY")


def _overridable(name: str | None) -> QoSOverridingOptions:
    return QoSOverridingOptions(
        policy_kinds=(
            QoSPolicyKind.HISTORY,
            QoSPolicyKind.DEPTH,
            QoSPolicyKind.RELIABILITY,
            QoSPolicyKind.DURABILITY,
        ),
        entity_id=name,
    )
