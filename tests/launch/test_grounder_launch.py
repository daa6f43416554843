"""The launch files as a user starts them: demo.launch.py includes grounder.launch.py."""

from __future__ import annotations

import time
import unittest

import pytest
from launch_support import (
    DEADLINE,
    HAS_LAUNCH_TESTING,
    LAUNCH_FILES,
    WITHOUT_LAUNCH_TESTING,
    given_file,
    patient_shutdown,
)

pytestmark = pytest.mark.skipif(not HAS_LAUNCH_TESTING, reason=WITHOUT_LAUNCH_TESTING)

MISSING_MODEL = "/no/such/model"

if HAS_LAUNCH_TESTING:
    import launch_testing.actions
    import launch_testing.asserts
    import rclpy
    from launch.actions import IncludeLaunchDescription
    from launch.launch_description_sources import PythonLaunchDescriptionSource

    from launch import LaunchDescription


def write_photograph() -> str:
    import cv2
    import numpy as np

    written, content = cv2.imencode(".png", np.full((48, 64, 3), 127, np.uint8))
    assert written
    return given_file("grey.png", content.tobytes())


@pytest.mark.launch_test
def generate_test_description() -> LaunchDescription:
    """Start the demo with a model that does not exist, which needs neither weights nor time."""
    demo = IncludeLaunchDescription(
        PythonLaunchDescriptionSource(str(LAUNCH_FILES / "demo.launch.py")),
        launch_arguments={
            "path": write_photograph(),
            "rate": "20",
            "model": MISSING_MODEL,
            "image_topic": "eye/image",
            "namespace": "robot",
        }.items(),
    )
    return LaunchDescription([*patient_shutdown(), demo, launch_testing.actions.ReadyToTest()])


class TestRunning(unittest.TestCase):
    """What can be seen on the topics while the nodes run."""

    def setUp(self) -> None:
        rclpy.init()
        self.node = rclpy.create_node("observer", namespace="robot")

    def tearDown(self) -> None:
        self.node.destroy_node()
        rclpy.shutdown()

    def wait(self, received: list[object], what: str) -> None:
        deadline = time.monotonic() + DEADLINE
        while not received:
            assert time.monotonic() < deadline, f"waited for {what}"
            rclpy.spin_once(self.node, timeout_sec=0.1)

    def test_images_are_played_on_the_topic_asked_for(self) -> None:
        from sensor_msgs.msg import Image

        images: list[Image] = []
        self.node.create_subscription(Image, "eye/image", images.append, 1)
        self.wait(images, "an image")
        assert (images[0].height, images[0].width) == (48, 64)

    def test_the_status_says_that_the_model_is_missing(self) -> None:
        from affordance_grounding_ros.common import qos
        from affordance_grounding_ros.msg import GrounderStatus

        statuses: list[GrounderStatus] = []

        def keep_failed(message: GrounderStatus) -> None:
            if message.level == GrounderStatus.ERROR:
                statuses.append(message)

        self.node.create_subscription(GrounderStatus, "grounder/status", keep_failed, qos.status())
        self.wait(statuses, "the status")
        assert MISSING_MODEL in statuses[0].problem

    def test_the_log_names_the_model(self, proc_output: object) -> None:
        proc_output.assertWaitFor(f"cannot configure: model '{MISSING_MODEL}'", timeout=DEADLINE)


if HAS_LAUNCH_TESTING:

    @launch_testing.post_shutdown_test()
    class TestEnded(unittest.TestCase):
        """What is left when launch has ended the nodes."""

        def test_all_nodes_ended_cleanly(self, proc_info: object) -> None:
            launch_testing.asserts.assertExitCodes(proc_info, allowable_exit_codes=[0])

        def test_no_node_left_a_traceback(self, proc_output: object) -> None:
            for process in proc_output.processes():
                text = b"".join(event.text for event in proc_output[process]).decode()
                assert "Traceback" not in text
