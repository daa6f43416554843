"""Launch tests run where launch_testing is installed; elsewhere they are skipped, and say so."""

from __future__ import annotations

import os

import pytest
from launch_support import DEADLINE
from ros_domain import enter_own_domain

enter_own_domain()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    here = os.path.dirname(__file__)
    for item in items:
        if str(item.path).startswith(here):
            # Several things are waited for, each up to the deadline of these tests.
            item.add_marker(pytest.mark.timeout(4 * DEADLINE))


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "launch_test: run by launch_testing's plugin for pytest")
