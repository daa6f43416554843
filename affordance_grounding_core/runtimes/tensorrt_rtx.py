"""TensorRT for RTX: desktop and laptop GPUs of NVIDIA, from PyPI alone.

The only module that imports tensorrt_rtx. Its builder needs no GPU: it makes an engine of an ONNX
graph for the compute capabilities that are named, so that engines can be built ahead. The runtime
compiles the kernels on the GPU at the first load and keeps them in a cache of the user's.
"""

from __future__ import annotations

import hashlib
import importlib
import importlib.util
import logging
import os
import re
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from affordance_grounding_core.errors import ExportError, RuntimeUnavailableError
from affordance_grounding_core.files import cache_directory
from affordance_grounding_core.runtimes.base import Candidate, Work
from affordance_grounding_core.runtimes.eager import require_precision, torch_environment
from affordance_grounding_core.runtimes.graph import write_onnx
from affordance_grounding_core.runtimes.tensorrt import driver_version, installed_torch_tensorrt

_log = logging.getLogger(__name__)

_ENGINE = "model.engine"
_DEVICE = "cuda"
_WARM_UP_RUNS = 5

CAPABILITIES = ("7.5", "8.0", "8.6", "8.9", "12.0", "12.1")
"""Compute capabilities it builds for: Turing, Ampere, Ada and Blackwell, not Hopper, not Jetson."""

_DESKTOP = ("7.5", "8.6", "8.9", "12.0", "12.1")
_INSTALL = "pip install 'affordance-grounding-core[tensorrt-rtx]'"
_INSTALL_OTHER = "pip install 'affordance-grounding-core[tensorrt]'"


def precisions_of(capability: str) -> tuple[str, ...]:
    """Precisions in the order in which they are tried.

    Args:
        capability: one of `CAPABILITIES`. On Turing the builder refuses bf16; fp32, which some
            of its versions refuse, is not offered there.

    Raises:
        RuntimeUnavailableError: another one.
    """
    if capability not in CAPABILITIES:
        raise RuntimeUnavailableError(
            f"TensorRT for RTX builds for compute capabilities {list(CAPABILITIES)}, not "
            f"{capability!r}; for other GPUs of NVIDIA: {_INSTALL_OTHER}"
        )
    return ("fp16",) if capability == "7.5" else ("fp16", "bf16", "fp32")


def candidates_for(capability: str, precision: str) -> tuple[Candidate, ...]:
    """Candidates for a compute capability and a precision, and those below it.

    Raises:
        RuntimeUnavailableError: the library does not build for it, or not in that precision.
    """
    known = precisions_of(capability)
    if capability == "7.5" and precision == "fp32":
        raise RuntimeUnavailableError(
            "runtime 'tensorrt-rtx' is not offered in fp32 on Turing (compute capability 7.5); "
            "ask for tensorrt-rtx-fp16, or eager-fp32"
        )
    if precision != "auto":
        require_precision(
            "tensorrt-rtx", precision, known, f"GPU (compute capability {capability})"
        )
    first = 0 if precision == "auto" else known.index(precision)
    variant = f"sm{capability.replace('.', '')}"
    return tuple(Candidate("tensorrt-rtx", name, variant) for name in known[first:])


def choose_flavours() -> tuple[str, ...]:
    """Flavours of TensorRT to try on this GPU, by what is installed and what the GPU is.

    Raises:
        RuntimeUnavailableError: there is no GPU, or no flavour for it is installed.
    """
    capability = gpu_capability("tensorrt")
    installed = {
        "tensorrt-rtx": _has("tensorrt_rtx") and capability in CAPABILITIES,
        "tensorrt": installed_torch_tensorrt() is not None,
    }
    order = ("tensorrt-rtx", "tensorrt") if capability in _DESKTOP else ("tensorrt", "tensorrt-rtx")
    names = tuple(name for name in order if installed[name])
    if not names:
        fitting = _INSTALL if capability in CAPABILITIES else _INSTALL_OTHER
        raise RuntimeUnavailableError(
            f"runtime 'tensorrt' is not installed for this GPU ({torch.cuda.get_device_name()}, "
            f"compute capability {capability}): {fitting}"
        )
    _log.info("TensorRT on compute capability %s: %s", capability, ", then ".join(names))
    return names


def gpu_capability(runtime: str) -> str:
    """Compute capability of the GPU, for example "8.6".

    Raises:
        RuntimeUnavailableError: PyTorch sees no GPU.
    """
    if not torch.cuda.is_available():
        raise RuntimeUnavailableError(
            f"runtime {runtime!r} needs an NVIDIA GPU and PyTorch sees none; install the driver "
            "and a PyTorch with CUDA, or choose another runtime, for example 'openvino'"
        )
    major, minor = torch.cuda.get_device_capability()
    return f"{major}.{minor}"


class TensorrtRtxBackend:
    """Engines of TensorRT for RTX."""

    name = "tensorrt-rtx"
    device = _DEVICE

    def ladder(self, precision: str) -> tuple[Candidate, ...]:
        """Candidates for this GPU."""
        capability = gpu_capability(self.name)
        import_tensorrt_rtx()
        return candidates_for(capability, precision)

    def environment(self) -> Mapping[str, str]:
        """Versions an engine depends on; the compute capability is its variant."""
        return {"tensorrt_rtx": str(import_tensorrt_rtx().__version__)}

    def options(self, candidate: Candidate) -> Mapping[str, Any]:
        """Build options of a candidate."""
        return {"tf32": False, "strongly_typed": True}

    def machine(self) -> Mapping[str, str]:
        """The GPU and its driver: engines travel, judgements do not."""
        return torch_environment(_DEVICE) | {"driver": driver_version()}

    def build(self, work: Work, folder: Path) -> None:
        """Make an engine of the ONNX graph for the candidate's compute capability; needs no GPU."""
        import_tensorrt_rtx()
        work.report("exporting the graph to ONNX")
        with tempfile.TemporaryDirectory(prefix="affordance_grounding_onnx_") as scratch:
            file = Path(scratch) / "model.onnx"
            write_onnx(work.network, work.shape, file, work.candidate.precision)
            content = file.read_bytes()
        work.report(f"building for {work.candidate.variant}")
        (folder / _ENGINE).write_bytes(build_engine(content, work.candidate.variant))

    def load(self, work: Work, folder: Path) -> RtxEngine:
        """Load the engine on this GPU; its kernels are compiled, or come from the user's cache."""
        return RtxEngine(folder / _ENGINE, work)


def build_engine(model: bytes, *variants: str) -> bytes:
    """Build an engine of an ONNX graph, on any machine.

    Args:
        model: the ONNX file; its types are the engine's.
        variants: compute capabilities that the engine is for, one or more, as "sm86".

    Raises:
        ExportError: TensorRT has no operator of that kind, or refuses the graph; the message
            holds its words.
    """
    library = import_tensorrt_rtx()
    log = _Log()
    builder = library.Builder(log.logger)
    typed = 1 << int(library.NetworkDefinitionCreationFlag.STRONGLY_TYPED)
    network = builder.create_network(typed)
    parser = library.OnnxParser(network, log.logger)
    if not parser.parse(model):
        raise ExportError(f"TensorRT for RTX cannot read the graph: {_parser_errors(parser)}")
    config = builder.create_builder_config()
    config.clear_flag(library.BuilderFlag.TF32)
    config.num_compute_capabilities = len(variants)
    for place, variant in enumerate(variants):
        capability = library.ComputeCapability.__members__[variant.upper()]
        config.set_compute_capability(capability, place)
    engine = builder.build_serialized_network(network, config)
    if engine is None:
        raise ExportError(
            f"TensorRT for RTX cannot build for {', '.join(variants)}: "
            f"{log.first_error or 'no reason given'}"
        )
    return bytes(engine)


def _parser_errors(parser: Any) -> str:
    errors = [parser.get_error(place) for place in range(parser.num_errors)]
    return "; ".join(
        f"operator {error.node_operator()!r} ({error.code().name.lower()})" for error in errors
    )


class _Log:
    """Takes what TensorRT says: errors for our messages, the rest for debugging."""

    def __init__(self) -> None:
        library = import_tensorrt_rtx()
        errors: list[str] = []
        bad = (library.ILogger.ERROR, library.ILogger.INTERNAL_ERROR)

        class Logger(library.ILogger):  # type: ignore[misc,name-defined]
            def log(self, severity: Any, message: str) -> None:
                if severity in bad:
                    errors.append(message)
                _log.debug("TensorRT: %s", message)

        self.logger: Any = Logger()
        self._errors = errors

    @property
    def first_error(self) -> str:
        """The first error: those after it follow from it."""
        return self._errors[0] if self._errors else ""


class RtxEngine:
    """An engine on this GPU, with buffers of its own and, where allowed, as one CUDA graph.

    Args:
        file: of the engine.
        work: it was built for.

    Raises:
        ExportError: TensorRT does not take the engine here.
    """

    def __init__(self, file: Path, work: Work) -> None:
        library = import_tensorrt_rtx()
        self._log = _Log()
        self._work = work
        content = file.read_bytes()
        torch.cuda.init()  # type: ignore[no-untyped-call]
        engine = library.Runtime(self._log.logger).deserialize_cuda_engine(content)
        if engine is None:
            raise ExportError(f"TensorRT for RTX cannot load {file} ({self._log.first_error})")
        self._engine: Any = engine
        config = engine.create_runtime_config()
        config.cuda_graph_strategy = library.CudaGraphStrategy.WHOLE_GRAPH_CAPTURE
        cache = config.create_runtime_cache()
        kept = jit_cache_file(content)
        if kept.is_file() and not cache.deserialize(kept.read_bytes()):
            _log.info("compiled kernels in %s are of another GPU or driver", kept)
        config.set_runtime_cache(cache)
        self._context: Any = engine.create_execution_context(config)
        self._stream = torch.cuda.Stream()  # type: ignore[no-untyped-call]
        self._inputs = [value.to(_DEVICE) for value in work.shape.example()]
        names = ["pixels"] if work.shape.answers_all else ["pixels", "actions"]
        self._heat = torch.empty(
            tuple(engine.get_tensor_shape("heat")), dtype=torch.float32, device=_DEVICE
        )
        for name, value in zip((*names, "heat"), (*self._inputs, self._heat), strict=True):
            self._context.set_tensor_address(name, value.data_ptr())
        for _ in range(_WARM_UP_RUNS):
            self._execute()
        keep_jit_cache(kept, bytes(cache.serialize()))

    @property
    def description(self) -> str:
        """Runtime, device and precision."""
        return f"tensorrt-rtx-{_DEVICE}-{self._work.candidate.precision}"

    def run(self, pixels: NDArray[np.float32], actions: NDArray[np.int64]) -> NDArray[np.float32]:
        """Compute heat; see `Engine`."""
        values = [pixels] if self._work.shape.answers_all else [pixels, actions]
        for buffer, value in zip(self._inputs, values, strict=True):
            buffer.copy_(torch.from_numpy(value))
        self._execute()
        return np.asarray(self._heat.cpu().numpy(), np.float32)

    def close(self) -> None:
        """Free memory."""
        self._context = self._engine = None
        torch.cuda.empty_cache()

    def _execute(self) -> None:
        self._stream.wait_stream(torch.cuda.current_stream())  # inputs are copied on that one
        if not self._context.execute_async_v3(self._stream.cuda_stream):
            raise RuntimeError(f"TensorRT for RTX failed ({self._log.first_error})")
        self._stream.synchronize()


def jit_cache_file(engine: bytes) -> Path:
    """File in the user's cache that keeps the kernels compiled for an engine."""
    return cache_directory() / "jit" / f"{hashlib.sha256(engine).hexdigest()[:32]}.cache"


def keep_jit_cache(file: Path, content: bytes) -> None:
    """Write compiled kernels; where that cannot be, they are compiled at every start."""
    part = file.with_name(f"{file.name}.{os.getpid()}.part")
    try:
        file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        part.write_bytes(content)
        os.replace(part, file)
    except OSError as error:
        _log.warning("compiled kernels cannot be kept in %s (%s)", file, error)


def import_tensorrt_rtx() -> Any:
    """Import TensorRT for RTX.

    Raises:
        RuntimeUnavailableError: it is not installed or does not work here.
    """
    try:
        return importlib.import_module("tensorrt_rtx")
    except Exception as error:
        raise RuntimeUnavailableError(
            f"runtime 'tensorrt-rtx' is not installed ({type(error).__name__}: {error}); install "
            f"it with {_INSTALL}"
        ) from error


def parse_capability(text: str) -> str:
    """Read a compute capability: "8.6", also as "86" or "sm86".

    Raises:
        RuntimeUnavailableError: TensorRT for RTX does not build for it.
    """
    match = re.fullmatch(r"(?:sm_?)?(\d{1,2})\.?(\d)", text.strip().lower())
    capability = f"{match[1]}.{match[2]}" if match else text
    precisions_of(capability)
    return capability


def _has(module: str) -> bool:
    return importlib.util.find_spec(module) is not None
