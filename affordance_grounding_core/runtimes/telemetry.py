"""Keeps libraries from reporting to their makers: nothing is sent, and no identity is written."""

from __future__ import annotations

import importlib
import os
import sys

ONNX_RUNTIME_SWITCH = "ORT_DISABLE_TELEMETRY"
"""Environment variable that ONNX Runtime reads when it is imported."""


def refuse_reports() -> None:
    """Switch off usage reports of ONNX Runtime, OpenVINO and NNCF; call it before their import.

    ONNX Runtime writes an identity of the device and a queue of events into the home as soon as it
    is imported, unless its variable is set; `disable_telemetry_events` comes too late. A value that
    the user has set stays.

    OpenVINO and NNCF do without the package that sends for them; where somebody imported that
    before, it sends nothing.
    """
    os.environ.setdefault(ONNX_RUNTIME_SWITCH, "1")
    if "openvino_telemetry" not in sys.modules:
        sys.modules["openvino_telemetry"] = None  # type: ignore[assignment]
    if sys.modules["openvino_telemetry"] is not None:
        sender = importlib.import_module("openvino_telemetry.utils.sender")
        sender.TelemetrySender.send = _send_nothing


def _send_nothing(*_: object, **__: object) -> None:
    """Stand in for the method that sends a report."""
