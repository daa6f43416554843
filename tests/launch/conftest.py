"""Launch tests run where launch_testing is installed; elsewhere they are skipped, and say so."""

from __future__ import annotations

import pytest
from ros_domain import enter_own_domain

enter_own_domain()


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "launch_test: run by launch_testing's plugin for pytest")
