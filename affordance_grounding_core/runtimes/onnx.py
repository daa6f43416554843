"""ONNX Runtime on a processor or, with its CUDA provider, on a GPU.

The only module that imports onnxruntime.
"""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from affordance_grounding_core.errors import ExportError, RuntimeUnavailableError
from affordance_grounding_core.runtimes.base import Candidate, Work
from affordance_grounding_core.runtimes.eager import require_precision
from affordance_grounding_core.runtimes.graph import write_onnx
from affordance_grounding_core.runtimes.telemetry import refuse_reports

_MODEL = "model.onnx"

PROVIDERS = ("CUDAExecutionProvider", "CPUExecutionProvider")
"""Execution providers that are used, the best first. ONNX Runtime's TensorRT provider builds
its engine at every start and computes in TF32; the runtime 'tensorrt' does neither."""


class OnnxBackend:
    """Engines of ONNX Runtime."""

    name = "onnx"

    @property
    def device(self) -> str:
        """The device of the best provider."""
        return "cuda" if self._providers()[0].startswith("CUDA") else "cpu"

    def ladder(self, precision: str) -> tuple[Candidate, ...]:
        """Candidates for a precision; on a GPU "auto" is fp16."""
        on_gpu = self.device == "cuda"
        known = ("fp16", "fp32") if on_gpu else ("fp32",)
        if precision != "auto":
            require_precision(self.name, precision, known, self.device)
        lower = known[known.index(precision) :] if precision != "auto" else known
        return tuple(Candidate(self.name, name) for name in lower)

    def environment(self) -> Mapping[str, str]:
        """Versions and device an engine depends on."""
        return {
            "onnxruntime": str(import_onnxruntime().__version__),
            "providers": ", ".join(self._providers()),
        }

    def options(self, candidate: Candidate) -> Mapping[str, Any]:
        """No options."""
        return {}

    def machine(self) -> Mapping[str, str]:
        """Nothing: the environment names the machine."""
        return {}

    def build(self, work: Work, folder: Path) -> None:
        """Write the graph as ONNX."""
        import_onnxruntime()
        work.report("exporting the graph to ONNX")
        write_onnx(work.network, work.shape, folder / _MODEL, work.candidate.precision)

    def load(self, work: Work, folder: Path) -> OnnxEngine:
        """Open a session on the stored graph."""
        onnxruntime = import_onnxruntime()
        options = onnxruntime.SessionOptions()
        options.log_severity_level = 3
        try:
            session = onnxruntime.InferenceSession(
                str(folder / _MODEL), options, providers=self._providers()
            )
        except Exception as error:
            raise ExportError(f"ONNX Runtime cannot load {folder / _MODEL} ({error})") from error
        return OnnxEngine(session, work.candidate.precision, answers_all=work.shape.answers_all)

    def _providers(self) -> list[str]:
        there = import_onnxruntime().get_available_providers()
        return [name for name in PROVIDERS if name in there]


class OnnxEngine:
    """A session.

    Args:
        session: session of ONNX Runtime that runs the graph.
        precision: precision named in the description.
        answers_all: whether pixels are its only input.
    """

    def __init__(self, session: Any, precision: str, *, answers_all: bool) -> None:
        self._session: Any = session
        self._names = [entry.name for entry in session.get_inputs()]
        self._provider = str(session.get_providers()[0])
        self._precision = precision
        self._answers_all = answers_all

    @property
    def description(self) -> str:
        """Runtime, the provider that is really used, and precision."""
        provider = self._provider.removesuffix("ExecutionProvider").lower()
        return f"onnx-{provider}-{self._precision}"

    def run(self, pixels: NDArray[np.float32], actions: NDArray[np.int64]) -> NDArray[np.float32]:
        """Compute heat; see `Engine`."""
        values = [pixels] if self._answers_all else [pixels, actions]
        (heat,) = self._session.run(None, dict(zip(self._names, values, strict=True)))
        return np.asarray(heat, np.float32)

    def close(self) -> None:
        """Free memory."""
        self._session = None


def import_onnxruntime() -> Any:
    """Import ONNX Runtime.

    Raises:
        RuntimeUnavailableError: it is not installed or does not work here.
    """
    refuse_reports()
    try:
        return importlib.import_module("onnxruntime")
    except Exception as error:
        raise RuntimeUnavailableError(
            f"runtime 'onnx' is not installed ({type(error).__name__}: {error}); install it with "
            "pip install 'affordance-grounding-core[onnx]'"
        ) from error
