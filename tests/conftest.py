"""Holds for all tests: libraries under test report nothing about this machine to their makers."""

from __future__ import annotations

# PyTorch's compiler needs setuptools' distutils, and refuses where another came first.
import setuptools  # noqa: F401

from affordance_grounding_core.runtimes.telemetry import refuse_reports

refuse_reports()
