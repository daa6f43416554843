"""A node that answers every image at once: what the middleware and Python cost without a grounder.

    python -m affordance_grounding_ros.measure.echo_node

The node's benchmark measures it beside the grounder, whose name and topics it has. Its results
say nothing but the image's size.
"""

from __future__ import annotations

import sys

from rclpy.node import Node
from sensor_msgs.msg import Image

from affordance_grounding_core.inference.image_memory import keep_freed_memory
from affordance_grounding_ros.common import qos
from affordance_grounding_ros.common.process import Host, fatal, run_node
from affordance_grounding_ros.health.figures import FrameFigures
from affordance_grounding_ros.health.state import NodeStatus
from affordance_grounding_ros.health.status import StatusPublisher
from affordance_grounding_ros.msg import AffordanceResult

NAME = "grounder"


class EchoNode(Node):
    """Subscribes, converts nothing, publishes an empty result for each image."""

    def __init__(self) -> None:
        super().__init__(NAME)
        self._results = qos.create_publisher(self, AffordanceResult, "~/result", qos.output())
        self._status = StatusPublisher(self)
        qos.create_subscription(self, Image, "image", self._on_image, qos.image_input())
        status = NodeStatus(state="active", model="echo", vocabulary=("hold",))
        self._status.publish(status, FrameFigures())

    def close(self) -> None:
        """Nothing is held."""

    def _on_image(self, message: Image) -> None:
        self._results.publish(
            AffordanceResult(
                header=message.header, image_height=message.height, image_width=message.width
            )
        )


def main(args: list[str] | None = None) -> int:
    """Run the node until it is interrupted.

    Args:
        args: command line, the process's own where None.

    Returns:
        Exit code: 0 after SIGINT and SIGTERM.
    """

    def run(host: Host) -> None:
        keep_freed_memory()
        node = host.make(EchoNode)
        host.spin(node, lambda error: fatal(NAME, str(error)))

    return run_node(NAME, run, args)


if __name__ == "__main__":
    sys.exit(main())
