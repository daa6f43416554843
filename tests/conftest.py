"""Holds for all tests: libraries under test report nothing about this machine to their makers."""

from __future__ import annotations

from affordance_grounding_core.runtimes.telemetry import refuse_reports

refuse_reports()
