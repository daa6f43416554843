"""Runtime request of a user: a name of the table of runtimes, a precision, a store."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from affordance_grounding_core.errors import RuntimeUnavailableError

AUTO = "auto"
"""Name of the choice among the runtimes."""


@dataclass(frozen=True)
class RuntimeRow:
    """One runtime.

    Attributes:
        name: name by which users ask for the runtime.
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

PRECISIONS = ("auto", "fp32", "fp16", "bf16", "int8")
"""Names of precisions; "auto" is the lowest that keeps answers the same to the eye."""


@dataclass(frozen=True)
class RuntimeRequest:
    """What shall run a network.

    Attributes:
        runtime: one of `RUNTIMES`.
        precision: one of `PRECISIONS`.
        frames: folder of images of the place where the model will work; they calibrate int8
            and are what the gate compares on. None: the pictures of the package.
        store: folder of engines; None: the user's cache.
        fall_back: whether a runtime that is missing, fails to build or fails the gate is
            replaced by the next best. Otherwise that is an error.
        patience: frames of one size that "auto" answers with PyTorch before an engine for that
            size is built, if there is none yet. Building takes longer than a few frames;
            `warm_up` builds at once.
        wait: whether frames wait until their engine is loaded or built. Otherwise PyTorch
            answers them, and the engine is built beside the answers.
    """

    runtime: str = "auto"
    precision: str = "auto"
    frames: Path | None = None
    store: Path | None = None
    fall_back: bool = True
    patience: int = 30
    wait: bool = False

    def __post_init__(self) -> None:
        if self.runtime not in RUNTIMES:
            raise RuntimeUnavailableError(
                f"runtime {self.runtime!r} is not available; expected one of {list(RUNTIMES)}, "
                "optionally followed by a precision, such as 'openvino-int8'"
            )
        if self.precision not in PRECISIONS:
            raise RuntimeUnavailableError(
                f"precision {self.precision!r} is not available; expected one of {list(PRECISIONS)}"
            )
        if self.patience < 0:
            raise ValueError(f"patience must not be negative, got {self.patience}")

    @property
    def waits(self) -> bool:
        """Whether frames wait for their engine: asked for, or since nothing else may answer."""
        return self.wait or not self.fall_back


def parse_runtime(text: str, precision: str | None = None) -> tuple[str, str]:
    """Split "openvino-int8" into runtime and precision.

    Args:
        text: a runtime, or a runtime, a hyphen and a precision.
        precision: asked for separately; None where it was not.

    Returns:
        Runtime and precision; whether there are such is checked by `RuntimeRequest`.

    Raises:
        RuntimeUnavailableError: two precisions that differ.
    """
    # A name may hold a hyphen of its own: "tensorrt-rtx-fp16".
    names = [name for name in RUNTIMES if text == name or text.startswith(f"{name}-")]
    runtime = max(names, key=len) if names else text.partition("-")[0]
    suffix = text.removeprefix(runtime).removeprefix("-")
    if suffix and precision not in (None, "auto", suffix):
        raise RuntimeUnavailableError(
            f"runtime {text!r} asks for precision {suffix!r}, but {precision!r} was asked for as "
            "well; give one of them"
        )
    return runtime, suffix or precision or "auto"


def _find(place: str) -> Callable[..., Any]:
    module, _, name = place.partition(":")
    found: Callable[..., Any] = vars(
        importlib.import_module(f"affordance_grounding_core.runtimes.{module}")
    )[name]
    return found
