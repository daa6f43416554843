"""The ROS domain of a test process, so that several run beside each other."""

from __future__ import annotations

import functools
import os
import re

DOMAINS = 100
"""How many domains are used, from 1 on; higher ones can meet ports the system gives away."""


@functools.cache
def enter_own_domain() -> None:
    """Choose domain and range of this process and of the nodes it starts, before rclpy does.

    The domain is the environment's ROS_DOMAIN_ID, or one by the process's number where that is not
    set. Workers of one parallel run count on from there. Nodes are heard on this machine only.
    """
    worker = re.fullmatch(r"gw(\d+)", os.environ.get("PYTEST_XDIST_WORKER", ""))
    # All workers of a run have the same parent.
    number = os.getppid() if worker else os.getpid()
    first = int(os.environ.get("ROS_DOMAIN_ID") or number % DOMAINS + 1)
    offset = int(worker.group(1)) if worker else 0
    os.environ["ROS_DOMAIN_ID"] = str((first - 1 + offset) % DOMAINS + 1)
    os.environ["ROS_AUTOMATIC_DISCOVERY_RANGE"] = "LOCALHOST"
    os.environ.pop("ROS_LOCALHOST_ONLY", None)
    if os.environ.get("ROS_DISTRO") == "humble":  # Jazzy warns of it at every start.
        os.environ["ROS_LOCALHOST_ONLY"] = "1"
