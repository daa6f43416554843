"""What the launch tests share: a camera and commander in the test's process, and who runs what."""

from __future__ import annotations

import importlib.util
import os
import signal
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

HAS_LAUNCH_TESTING = importlib.util.find_spec("launch_testing") is not None
WITHOUT_LAUNCH_TESTING = (
    "launch_testing is not installed; it comes with a ROS 2 distribution, not with PyPI"
)
LAUNCH_FILES = Path(__file__).parents[2] / "launch"
DEADLINE = 600.0
"""Seconds until something that must happen has failed to; a model is loaded meanwhile."""


_FILES = tempfile.TemporaryDirectory(prefix="affordance_grounding_launch_")
"""Folder of what launch files are given; launch tests have no fixtures while they are described."""


def given_file(name: str, content: bytes) -> str:
    """Path of a file with this content, which is gone when the tests are over."""
    path = Path(_FILES.name) / name
    path.write_bytes(content)
    return str(path)


def weights_are_here() -> bool:
    """Whether the default model can be loaded without fetching anything."""
    from affordance_grounding_core.backbones.table import DINOV2_VITS14
    from affordance_grounding_core.files import cache_directory

    return (cache_directory() / f"{DINOV2_VITS14.name}.safetensors").is_file()


def patient_shutdown() -> list[Any]:
    """Lets processes take their time to end: launch kills them after ten seconds otherwise.

    Whether they end cleanly is asked, not how fast a loaded machine lets them.
    """
    from launch.actions import SetLaunchConfiguration

    names = ("sigterm_timeout", "sigkill_timeout")
    return [SetLaunchConfiguration(name, f"{DEADLINE:g}") for name in names]


class Observer:
    """A camera, a commander and a listener of one grounder."""

    def __init__(self, namespace: str, image_topic: str, name: str = "grounder") -> None:
        import rclpy
        from sensor_msgs.msg import Image

        from affordance_grounding_ros.common import qos
        from affordance_grounding_ros.msg import ActionGoal, AffordanceResult, GrounderStatus

        self._rclpy = rclpy
        self.context = rclpy.Context()
        rclpy.init(context=self.context)
        self.node = rclpy.create_node("observer", namespace=namespace, context=self.context)
        self._executor = rclpy.executors.SingleThreadedExecutor(context=self.context)
        self._executor.add_node(self.node)
        self._images = self.node.create_publisher(Image, image_topic, qos.camera_output())
        self.goals = self.node.create_publisher(ActionGoal, f"{name}/goal", qos.goal_latched())
        self.results: list[Any] = []
        self.statuses: list[Any] = []
        subscribe = self.node.create_subscription
        subscribe(AffordanceResult, f"{name}/result", self.results.append, qos.output())
        subscribe(GrounderStatus, f"{name}/status", self.statuses.append, qos.status())

    def close(self) -> None:
        self._executor.shutdown()
        self.node.destroy_node()
        self._rclpy.shutdown(context=self.context)

    def show(self) -> None:
        """Publish a grey image with the stamp of now."""
        import numpy as np
        from std_msgs.msg import Header

        from affordance_grounding_ros.images.conversions import array_to_image

        header = Header(stamp=self.node.get_clock().now().to_msg(), frame_id="camera")
        self._images.publish(array_to_image(np.full((48, 64, 3), 127, np.uint8), "rgb8", header))

    def status(self) -> Any:
        """The last GrounderStatus; an empty one before the first."""
        from affordance_grounding_ros.msg import GrounderStatus

        return self.statuses[-1] if self.statuses else GrounderStatus()

    def wait(
        self, condition: Callable[[], Any], what: str, each: Callable[[], object] = int
    ) -> Any:
        deadline = time.monotonic() + DEADLINE
        while not (value := condition()):
            assert time.monotonic() < deadline, f"waited for {what}; status: {self.status()}"
            each()
            self._executor.spin_once(timeout_sec=0.1)
        return value


def processes_of(namespace: str) -> list[int]:
    """Numbers of the grounder's processes in a namespace, of this test run only."""
    domain = f"ROS_DOMAIN_ID={os.environ['ROS_DOMAIN_ID']}".encode()
    found = []
    for folder in Path("/proc").iterdir():
        if not folder.name.isdigit():
            continue
        try:
            words = (folder / "cmdline").read_bytes().split(b"\0")
            variables = (folder / "environ").read_bytes().split(b"\0")
        except OSError:
            continue  # It has just ended.
        is_grounder = any(word.endswith(b"grounder_node") for word in words)
        if is_grounder and f"__ns:=/{namespace}".encode() in words and domain in variables:
            found.append(int(folder.name))
    return found


def kill(process: int) -> None:
    """End a process without a chance to clean up, as the kernel does when memory runs out."""
    os.kill(process, signal.SIGKILL)
