"""PyTorch's own compiler, ahead of time: the engine is a package of machine code."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import _inductor as inductor

from affordance_grounding_core.errors import ExportError, RuntimeUnavailableError
from affordance_grounding_core.runtimes.base import Candidate, Work
from affordance_grounding_core.runtimes.eager import (
    TorchEngine,
    default_device,
    half_precisions,
    require_precision,
    torch_environment,
)
from affordance_grounding_core.runtimes.graph import export_network

_PACKAGE = "model.pt2"


class CompiledBackend:
    """Engines of PyTorch's ahead-of-time compiler."""

    name = "compile"

    @property
    def device(self) -> str:
        """The device networks run on."""
        return default_device()

    def ladder(self, precision: str) -> tuple[Candidate, ...]:
        """Candidates for a precision; "auto" is 16 bits where the device has them."""
        if self.device == "cpu" and not (shutil.which("g++") or shutil.which("clang++")):
            raise RuntimeUnavailableError(
                "runtime 'compile' needs a C++ compiler on PATH and found neither g++ nor clang++; "
                "on Debian or Ubuntu: sudo apt install g++"
            )
        known = (*half_precisions(self.device), "fp32")
        if precision != "auto":
            require_precision(self.name, precision, known, self.device)
        lower = known[known.index(precision) :] if precision != "auto" else known
        return tuple(Candidate(self.name, name) for name in lower)

    def environment(self) -> Mapping[str, str]:
        """Versions and device an engine depends on."""
        return torch_environment(self.device)

    def options(self, candidate: Candidate) -> Mapping[str, Any]:
        """Options of the compiler."""
        return {"freezing": True}

    def machine(self) -> Mapping[str, str]:
        """Nothing: the environment names the machine."""
        return {}

    def build(self, work: Work, folder: Path) -> None:
        """Compile the exported graph."""
        work.report("exporting the graph")
        graph = export_network(work.network.to(self.device), work.shape, work.candidate.precision)
        work.report(f"compiling {graph.calls} operators; this takes a minute or more")
        try:
            with torch.no_grad():
                inductor.aoti_compile_and_package(
                    graph.program,
                    package_path=str(folder / _PACKAGE),
                    inductor_configs=dict(self.options(work.candidate)),
                )
        except Exception as error:
            raise ExportError(f"PyTorch's compiler failed ({error})") from error

    def load(self, work: Work, folder: Path) -> TorchEngine:
        """Load the package."""
        try:
            model = inductor.aoti_load_package(str(folder / _PACKAGE))
        except Exception as error:
            raise ExportError(f"PyTorch cannot load {folder / _PACKAGE} ({error})") from error
        return TorchEngine(
            model,
            f"compile-{self.device}-{work.candidate.precision}",
            self.device,
            answers_all=work.shape.answers_all,
        )
