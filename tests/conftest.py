"""Holds for all tests: processes share the cores, and libraries report nothing to their makers."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator

import hypothesis
import pytest

# PyTorch's compiler needs setuptools' distutils, and refuses where another came first.
import setuptools  # noqa: F401

from affordance_grounding_core.runtimes.telemetry import refuse_reports

refuse_reports()

# A busy machine takes a second for what a quiet one does in ten milliseconds: that is no failure.
# The same examples in every run of the same tests, so that a failure speaks of what was changed
# (hypothesis takes numbers from the modules that are loaded, too);
# --hypothesis-profile=explore looks for others.
hypothesis.settings.register_profile("explore", deadline=None)
hypothesis.settings.register_profile("any machine", deadline=None, derandomize=True)
hypothesis.settings.load_profile("any machine")

# Test processes beside each other share the cores; PyTorch reads this when it is imported.
_PROCESSES = int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", "1"))
if _PROCESSES > 1:
    os.environ.setdefault("OMP_NUM_THREADS", str(max(1, (os.cpu_count() or 1) // _PROCESSES)))


@pytest.fixture(autouse=True)
def level_of_own_log() -> Iterator[None]:
    """A command that shows its progress in the log leaves the next test none the louder."""
    own = logging.getLogger("affordance_grounding_core")
    before = own.level
    yield
    own.setLevel(before)
