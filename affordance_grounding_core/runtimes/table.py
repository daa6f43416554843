"""The runtimes there are: one row each, from which everything else is derived."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

AUTO = "auto"
"""Name of the choice among the runtimes."""


@dataclass(frozen=True)
class RuntimeRow:
    """One runtime.

    Attributes:
        name: by which users ask for it.
        backend: module below `runtimes` and class, imported only where it is asked.
        tried_on: device on which "auto" tries it, "cpu" or "cuda"; in the order of the rows.
        flavours: module and function that say which rows stand behind this name on this
            machine, the best first; empty: this one alone.
    """

    name: str
    backend: str
    tried_on: str = ""
    flavours: str = ""

    def make_backend(self) -> Any:
        """Make the backend; see `Backend`."""
        return _find(self.backend)()

    def choose_flavours(self) -> tuple[str, ...]:
        """Names of the rows to try for this name.

        Raises:
            RuntimeUnavailableError: none of them can run here; one sentence says why.
        """
        names: tuple[str, ...] = _find(self.flavours)() if self.flavours else (self.name,)
        return names


ROWS = (
    RuntimeRow("eager", "eager:EagerBackend"),
    RuntimeRow("tensorrt", "tensorrt:TensorrtBackend", "cuda", "tensorrt_rtx:choose_flavours"),
    RuntimeRow("tensorrt-rtx", "tensorrt_rtx:TensorrtRtxBackend"),
    RuntimeRow("compile", "eager:CompiledBackend", "cuda"),
    RuntimeRow("openvino", "openvino:OpenvinoBackend", "cpu"),
    RuntimeRow("onnx", "onnx:OnnxBackend", "cpu"),
)
"""All runtimes. What "auto" tries on a processor was measured once, on vision transformers:
OpenVINO leads on x86 with and without bf16, ONNX Runtime follows."""

RUNTIMES = (AUTO, *(row.name for row in ROWS))
"""Names that can be asked for."""


def _find(place: str) -> Callable[..., Any]:
    module, _, name = place.partition(":")
    found: Callable[..., Any] = vars(
        importlib.import_module(f"affordance_grounding_core.runtimes.{module}")
    )[name]
    return found
