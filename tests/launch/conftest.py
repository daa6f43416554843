"""Launch tests run where launch_testing is installed; elsewhere they are skipped, and say so."""

from __future__ import annotations

import os

import pytest

# Before rclpy starts: never in the domain of somebody's robot, nor of another test run.
os.environ["ROS_DOMAIN_ID"] = str(1 + os.getpid() % 100)
os.environ["ROS_AUTOMATIC_DISCOVERY_RANGE"] = "LOCALHOST"


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "launch_test: run by launch_testing's plugin for pytest")
