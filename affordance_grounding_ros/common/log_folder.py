"""Finds a folder for ROS's log files, also for a user without a home."""

from __future__ import annotations

import os
from pathlib import Path

from affordance_grounding_core.files import reason_not_writable, temporary_directory

VARIABLE = "ROS_LOG_DIR"


def choose_log_folder() -> str:
    """Make sure that ROS can write its log; call it before ROS is started.

    Containers and units run as users whose home is missing or cannot be written, and ROS would
    refuse to start. Then $ROS_LOG_DIR is set to a folder for temporary files.

    Returns:
        A warning that says so; empty where the usual folder serves.
    """
    folder = _usual()
    problem = "this user has no home folder" if folder is None else reason_not_writable(folder)
    if problem is None:
        if "HOME" not in os.environ:  # ROS knows no other way to find the home.
            os.environ[VARIABLE] = str(folder)
        return ""
    spare = temporary_directory() / "ros_log"
    os.environ[VARIABLE] = str(spare)
    return (
        f"logs are kept in {spare} until the machine starts again ({problem}); set HOME or "
        f"{VARIABLE} to a folder that can be written"
    )


def _usual() -> Path | None:
    if named := os.environ.get(VARIABLE):
        return Path(named)
    if named := os.environ.get("ROS_HOME"):
        return Path(named) / "log"
    try:
        return Path.home() / ".ros" / "log"
    except RuntimeError:  # Neither $HOME nor an entry for this user.
        return None
