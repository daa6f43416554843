"""A node that answers every image at once: what the middleware and Python cost without a grounder.

    python -m affordance_grounding_ros.measure.echo_node

The node's benchmark measures it beside the grounder, whose name and topics it has. Its results have
the grounder's sizes and say nothing.
"""

from __future__ import annotations

import sys
from collections.abc import Callable

import numpy as np
from rclpy.node import Node
from sensor_msgs.msg import Image

from affordance_grounding_core.inference.image_memory import keep_freed_memory
from affordance_grounding_ros.common import qos
from affordance_grounding_ros.common.process import ClosableNode, fatal, run_node, spin
from affordance_grounding_ros.health.status import NodeStatus, StatusPublisher
from affordance_grounding_ros.images.conversions import array_to_image
from affordance_grounding_ros.msg import AffordanceResult

NAME = "grounder"


class EchoNode(Node):
    """Subscribes, converts nothing, publishes a result of the image's size."""

    def __init__(self) -> None:
        super().__init__(NAME)
        self._results = qos.create_publisher(self, AffordanceResult, "~/result", qos.output())
        self._status = StatusPublisher(self)
        qos.create_subscription(self, Image, "image", self._on_image, qos.image_input())
        self._status.publish(NodeStatus(state="active", model="echo", vocabulary=("hold",)))

    def close(self) -> None:
        """Nothing is held."""

    def _on_image(self, message: Image) -> None:
        size = (message.height, message.width)
        heat, mask = np.zeros(size, np.float32), np.zeros(size, np.uint8)
        self._results.publish(
            AffordanceResult(
                header=message.header,
                heatmap=array_to_image(heat, "32FC1", message.header),
                mask=array_to_image(mask, "mono8", message.header),
            )
        )


def main(args: list[str] | None = None) -> int:
    """Run the node until it is interrupted.

    Args:
        args: command line, the process's own where None.

    Returns:
        Exit code: 0 after SIGINT and SIGTERM.
    """

    def run(made: Callable[[ClosableNode], None]) -> None:
        keep_freed_memory()
        node = EchoNode()
        made(node)
        spin(node, lambda error: fatal(NAME, str(error)))

    return run_node(NAME, run, args)


if __name__ == "__main__":
    sys.exit(main())
