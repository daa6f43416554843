"""Images of a camera's size come through between processes, to a best-effort subscription."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest
from rclpy.context import Context
from ros_support import Client
from sensor_msgs.msg import Image

from affordance_grounding_core.images import write_png
from affordance_grounding_ros.client.node_process import NodeProcess
from affordance_grounding_ros.common import qos

pytestmark = [
    pytest.mark.skipif(
        not {"FASTDDS_DEFAULT_PROFILES_FILE", "FASTRTPS_DEFAULT_PROFILES_FILE"} & {*os.environ},
        reason="config/fastdds.xml is not in use; run through tools/setup/with_environment.bash",
    ),
    pytest.mark.skipif(
        os.environ.get("ROS_DISTRO") == "humble", reason="Humble reads the profile from elsewhere"
    ),
]


def test_images_larger_than_the_default_shared_memory_arrive(
    context: Context, tmp_path: Path
) -> None:
    for number in range(60):
        write_png(tmp_path / f"{number:02}.png", np.full((720, 1280, 3), number, np.uint8))
    client = Client(context)
    seen: list[int] = []
    client.node.create_subscription(
        Image, "image", lambda image: seen.append(image.data[0]), qos.image_input()
    )
    arguments = ["--ros-args", "-p", f"path:='{tmp_path}'", "-p", "rate:=5.0"]
    with NodeProcess("affordance_grounding_ros.player.image_player", arguments, tmp_path / "log"):
        client.wait(lambda: len(seen) >= 15, "images")
    client.executor.shutdown()
    client.node.destroy_node()
    sent = (seen[-1] - seen[0]) % 60 + 1
    assert len(seen) / sent > 0.7, f"{len(seen)} of {sent} images came through"
