"""Contracts of the runtimes: a backend makes engines, an engine runs a network."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import torch
from numpy.typing import NDArray

from affordance_grounding_core.inference.network import GroundingNetwork
from affordance_grounding_core.runtimes.graph import GraphInput

Pixels = NDArray[np.float32]


class Engine(Protocol):
    """A network that is ready to run on one input shape."""

    @property
    def description(self) -> str:
        """Runtime, device and precision, for example "openvino-cpu-bf16"."""
        ...

    def run(self, pixels: NDArray[np.float32], actions: NDArray[np.int64]) -> NDArray[np.float32]:
        """Compute heat.

        Args:
            pixels: (1, 3, h, w) float32, normalised; of the engine's shape.
            actions: (K,) indices; an engine that answers all actions ignores them.

        Returns:
            (K, rows, columns) float32; all actions' where the engine answers all.
        """
        ...

    def close(self) -> None:
        """Free memory."""
        ...


class TensorEngine(ABC):
    """An `Engine` whose input and answer can stay on its device."""

    @property
    @abstractmethod
    def device(self) -> torch.device:
        """Device of its tensors."""

    @abstractmethod
    def run_tensor(self, pixels: torch.Tensor, actions: torch.Tensor) -> torch.Tensor:
        """Compute heat; see `Engine.run`.

        Args:
            pixels: (1, 3, h, w) float32 on the device.
            actions: (K,) int64 on the device.

        Returns:
            (K, rows, columns) float32 on the device, of the caller's own.
        """

    def run(self, pixels: NDArray[np.float32], actions: NDArray[np.int64]) -> NDArray[np.float32]:
        """Compute heat; see `Engine`."""
        with torch.inference_mode():
            inputs = [torch.from_numpy(value).to(self.device) for value in (pixels, actions)]
            return np.asarray(self.run_tensor(*inputs).cpu().numpy(), np.float32)


@dataclass(frozen=True)
class Candidate:
    """One way to run a network.

    Attributes:
        runtime: name of the backend.
        precision: one of `PRECISIONS` but "auto".
        variant: name of a variant, where a backend has several; empty for the usual.
    """

    runtime: str
    precision: str
    variant: str = ""

    @property
    def name(self) -> str:
        """For example "openvino-int8"."""
        return "-".join(part for part in (self.runtime, self.precision, self.variant) if part)


@dataclass(frozen=True)
class Work:
    """A network and the shape an engine is wanted for.

    Attributes:
        network: network that the engine computes.
        shape: the input shape of the engine.
        candidate: how it shall run.
        calibration: returns (1, 3, h, w) inputs of real pictures, for quantisation.
        report: takes one line for people at a time, during long builds.
    """

    network: GroundingNetwork
    shape: GraphInput
    candidate: Candidate
    calibration: Callable[[], Sequence[NDArray[np.float32]]] = field(default=lambda: ())
    report: Callable[[str], None] = field(default=lambda line: None)


class Backend(Protocol):
    """Makes engines of one kind."""

    name: str

    @property
    def device(self) -> str:
        """The device it runs on, for example "cpu" or "cuda"."""
        ...

    def ladder(self, precision: str) -> tuple[Candidate, ...]:
        """Candidates for a precision, the best first; "auto" leaves the choice to the backend.

        Raises:
            RuntimeUnavailableError: the library is missing or broken, or the device does not
                have the precision; the message names the fix.
        """
        ...

    def environment(self) -> Mapping[str, str]:
        """Versions of libraries and drivers and the name of the device an engine depends on."""
        ...

    def options(self, candidate: Candidate) -> Mapping[str, Any]:
        """Build options of a candidate, as plain values."""
        ...

    def machine(self) -> Mapping[str, str]:
        """What an engine's gate depends on beside `environment`, where engines travel.

        Empty where an engine answers only on the machine it was built on.
        """
        ...

    def build(self, work: Work, folder: Path) -> None:
        """Build an engine into an empty folder; may write nothing where `load` needs nothing.

        Raises:
            ExportError: the network cannot be turned into an engine.
        """
        ...

    def load(self, work: Work, folder: Path) -> Engine:
        """Load an engine that `build` wrote.

        Raises:
            ExportError: the files are no engine of this runtime.
        """
        ...
