"""Figures for monitors, on `/diagnostics` once a second: rates, durations, and how it stands."""

from __future__ import annotations

import math

from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus, KeyValue
from rclpy.node import Node

from affordance_grounding_core.inference.grounder import Grounder
from affordance_grounding_ros.common import qos
from affordance_grounding_ros.common.problem_log import one_line
from affordance_grounding_ros.health.figures import FrameFigures, Percentiles
from affordance_grounding_ros.health.state import NodeStatus

GATE_NOT_RUN = "not run"
"""Text about the numeric gate where nothing but the reference, plain PyTorch, runs."""


def engine_values(grounder: Grounder | None) -> dict[str, str]:
    """Runtime of the network and its comparison with the reference, by name, as text.

    Args:
        grounder: the model that is loaded; None while there is none.
    """
    report = grounder.runtime_report if grounder else None
    return {
        "gate": str(report.gate) if report and report.gate else GATE_NOT_RUN if grounder else "",
        "engine": report.fingerprint if report else "",
        "runtime_asked": report.asked if report else "",
        "runtime_rejected": one_line("; ".join(report.rejected)) if report else "",
        "runtime_building": one_line(report.building) if report else "",
    }


def component_name(node: Node) -> str:
    """Name of a node in diagnostics."""
    return f"{node.get_fully_qualified_name().lstrip('/')}: affordance grounding"


class DiagnosticsPublisher:
    """Publishes a DiagnosticArray with one entry, the grounder.

    Args:
        node: node that publishes.
    """

    def __init__(self, node: Node) -> None:
        self._node = node
        self._name = component_name(node)
        self._publisher = qos.create_publisher(
            node, DiagnosticArray, "/diagnostics", qos.diagnostics()
        )

    def publish(self, status: NodeStatus, figures: FrameFigures, engine: dict[str, str]) -> None:
        """Publish the figures of the second that has passed.

        Args:
            status: what the node is doing now.
            figures: figures of the images.
            engine: what `engine_values` returned.
        """
        message = DiagnosticArray()
        message.header.stamp = self._node.get_clock().now().to_msg()
        message.status = [diagnostic_status(self._name, status, figures, engine)]
        self._publisher.publish(message)


def diagnostic_status(
    name: str, status: NodeStatus, figures: FrameFigures, engine: dict[str, str]
) -> DiagnosticStatus:
    """Make the entry of one grounder.

    Its level is STALE while the node is not active by intention: the figures are old then.

    Args:
        name: name of the component.
        status: what the node is doing now.
        figures: figures of the images.
        engine: what `engine_values` returned.
    """
    received, processed = figures.rates()
    level: bytes = bytes([status.level])
    if level == DiagnosticStatus.OK and status.state != "active":
        level = DiagnosticStatus.STALE
    values = {
        **status.values,
        "precision": precision_of(status.runtime),
        **engine,
        "input_rate_hz": f"{received:.1f}",
        "output_rate_hz": f"{processed:.1f}",
        **_milliseconds("inference", figures.inference.percentiles),
        **_milliseconds("overhead", figures.overhead.percentiles),
        **_milliseconds("overhead_cpu", figures.overhead_cpu.percentiles),
        **_milliseconds("latency", figures.latency.percentiles),
    }
    return DiagnosticStatus(
        level=level,
        name=name,
        message=status.summary,
        hardware_id=status.runtime,
        values=[KeyValue(key=key, value=value) for key, value in values.items()],
    )


def precision_of(runtime: str) -> str:
    """Precision of the network, as the description of a runtime ends: "eager-cpu-fp32"."""
    return runtime.rsplit("-", 1)[-1] if "-" in runtime else ""


def _milliseconds(name: str, percentiles: Percentiles) -> dict[str, str]:
    return {
        f"{name}_p50_ms": _one(percentiles.p50),
        f"{name}_p95_ms": _one(percentiles.p95),
        f"{name}_max_ms": _one(percentiles.maximum),
    }


def _one(seconds: float) -> str:
    return "" if math.isnan(seconds) else f"{seconds * 1e3:.2f}"
