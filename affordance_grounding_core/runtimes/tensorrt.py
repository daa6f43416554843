"""TensorRT by torch-tensorrt, on an NVIDIA GPU or a Jetson.

The only module that imports torch_tensorrt: the import has side effects and fails without a GPU
or NVIDIA's libraries. Engines are built on the device they run on.

Two generations differ. In recent versions networks are strongly typed: the precision lies in casts
of the graph alone, `enabled_precisions` and `use_explicit_typing` are gone, and `compile` swallows
keywords it does not know, which has made "fp16" engines that compute in fp32. On a Jetson with
JetPack 6.2 (torch_tensorrt 2.8, TensorRT 10.3) `use_explicit_typing=True` asks for the same. So
keywords follow the signature that is installed, and are checked against it.
"""

from __future__ import annotations

import contextlib
import importlib
import importlib.metadata
import inspect
import logging
import threading
import time
from collections.abc import Callable, Collection, Iterator, Mapping
from pathlib import Path
from typing import Any

import torch

from affordance_grounding_core.errors import ExportError, RuntimeUnavailableError
from affordance_grounding_core.runtimes.base import Candidate, Work
from affordance_grounding_core.runtimes.eager import (
    TorchEngine,
    half_precisions,
    require_precision,
    torch_environment,
)
from affordance_grounding_core.runtimes.graph import export_network

_ENGINE = "model.ep"
_DEVICE = "cuda"
_WARM_UP_RUNS = 5

DECOMPOSED = "decomposed"
"""Variant in which attention is plain matrix products and a softmax, not one fused operator."""

_RUNGS = (("fp16", ""), ("fp16", DECOMPOSED), ("bf16", ""), ("fp32", ""))
"""The ladder: each next is slower, or closer to float32. TF32 is off in all of them."""


def compile_options(precision: str, variant: str, known: Collection[str]) -> dict[str, Any]:
    """Keywords for torch-tensorrt's `dynamo.compile`, beside the program and its inputs.

    Args:
        precision: precision of the graph; TensorRT is not told, the graph's casts say it.
        variant: "" or `DECOMPOSED`.
        known: names of the parameters this version has. What older versions lack and do not
            need is left out; what they lack and need is kept, for `check_keywords` to refuse.
    """
    options: dict[str, Any] = {
        # All of the graph or an error: a part left to PyTorch would be slow without a word.
        "require_full_compilation": True,
        "min_block_size": 1,
        "disable_tf32": True,
        "use_fp32_acc": precision == "fp16",
        # Its key lacks GPU, version and weights, and it unpickles from a shared folder.
        "cache_built_engines": False,
        "reuse_cached_engines": False,
    }
    if "attn_bias_is_causal" in known:  # rewrites attention with a mask to causal attention
        options["attn_bias_is_causal"] = False
    if "decompose_attention" in known or variant == DECOMPOSED:
        options["decompose_attention"] = variant == DECOMPOSED
    if "use_explicit_typing" in known:
        options["use_explicit_typing"] = True
    return options


class TensorrtBackend:
    """Engines of TensorRT."""

    name = "tensorrt"
    device = _DEVICE

    def ladder(self, precision: str) -> tuple[Candidate, ...]:
        """Candidates for a precision, and those below it."""
        if not torch.cuda.is_available():
            raise RuntimeUnavailableError(
                "runtime 'tensorrt' needs an NVIDIA GPU and PyTorch sees none; install the driver "
                "and a PyTorch with CUDA, or choose another runtime, for example 'openvino'"
            )
        library = import_torch_tensorrt()
        known = (*half_precisions(_DEVICE), "fp32")
        if precision != "auto":
            require_precision(self.name, precision, known, "GPU")
        names = [name for name, _ in _RUNGS]
        first = 0 if precision == "auto" else names.index(precision)
        can_decompose = "decompose_attention" in parameters(library.dynamo.compile)
        return tuple(
            Candidate(self.name, name, variant)
            for name, variant in _RUNGS[first:]
            if name in known and (can_decompose or not variant)
        )

    def environment(self) -> Mapping[str, str]:
        """Versions and device an engine depends on."""
        library = import_torch_tensorrt()
        tensorrt = importlib.import_module("tensorrt")
        return torch_environment(_DEVICE) | {
            "torch_tensorrt": str(library.__version__),
            "tensorrt": str(tensorrt.__version__),
            "driver": driver_version(),
        }

    def options(self, candidate: Candidate) -> Mapping[str, Any]:
        """Build options of a candidate."""
        known = parameters(import_torch_tensorrt().dynamo.compile)
        return compile_options(candidate.precision, candidate.variant, known)

    def machine(self) -> Mapping[str, str]:
        """Nothing: the environment names the machine."""
        return {}

    def build(self, work: Work, folder: Path) -> None:
        """Compile the exported graph for this GPU and write it."""
        library = import_torch_tensorrt()
        options = dict(self.options(work.candidate))
        check_keywords(parameters(library.dynamo.compile), {"arg_inputs", *options})
        check_keywords(parameters(library.save), {"arg_inputs"})
        work.report("exporting the graph")
        network = work.network.to(_DEVICE)
        graph = export_network(network, work.shape, work.candidate.precision)
        inputs = tuple(value.to(_DEVICE) for value in work.shape.example())
        work.report(f"compiling {graph.calls} operators for TensorRT; this takes minutes")
        try:
            with _progress(work.report):
                # The program as it was exported: run_decompositions() would take attention apart.
                module = library.dynamo.compile(graph.program, arg_inputs=inputs, **options)
                library.save(module, str(folder / _ENGINE), arg_inputs=inputs)
        except torch.OutOfMemoryError:
            raise
        except Exception as error:
            raise ExportError(f"TensorRT cannot build the engine ({error})") from error
        finally:
            torch.cuda.empty_cache()

    def load(self, work: Work, folder: Path) -> TorchEngine:
        """Load the engine and run it until TensorRT has settled on its buffers."""
        import_torch_tensorrt()  # registers the operators the stored program calls
        try:
            module = torch.export.load(folder / _ENGINE).module()
        except Exception as error:
            raise ExportError(f"TensorRT cannot load {folder / _ENGINE} ({error})") from error
        inputs = tuple(value.to(_DEVICE) for value in work.shape.example())
        with torch.inference_mode():
            for _ in range(_WARM_UP_RUNS):
                module(*inputs)
        torch.cuda.synchronize()
        suffix = f"-{work.candidate.variant}" if work.candidate.variant else ""
        return TorchEngine(
            module,
            f"tensorrt-{_DEVICE}-{work.candidate.precision}{suffix}",
            _DEVICE,
            answers_all=work.shape.answers_all,
        )


def import_torch_tensorrt() -> Any:
    """Import torch_tensorrt.

    Raises:
        RuntimeUnavailableError: it is not installed or does not work here, whatever the reason.
    """
    try:
        logging.getLogger("torch_tensorrt").setLevel(logging.ERROR)
        library = importlib.import_module("torch_tensorrt")
        library.dynamo.compile  # noqa: B018 - half-imported where NVIDIA's libraries are missing
    except (Exception, SystemExit) as error:
        raise RuntimeUnavailableError(
            f"runtime 'tensorrt' does not work here ({type(error).__name__}: {error}); install "
            "torch-tensorrt for the PyTorch that is installed: "
            "pip install 'affordance-grounding-core[tensorrt]'; on a Jetson, NVIDIA's wheel for "
            "its JetPack"
        ) from error
    return library


def parameters(function: Callable[..., Any]) -> frozenset[str]:
    """Names of the parameters of a function, without what `**kwargs` would swallow."""
    return frozenset(
        name
        for name, parameter in inspect.signature(function).parameters.items()
        if parameter.kind is not inspect.Parameter.VAR_KEYWORD
    )


def check_keywords(known: Collection[str], keywords: Collection[str]) -> None:
    """Refuse keywords that torch-tensorrt would swallow.

    Args:
        known: names of the function's parameters.
        keywords: names of the keywords that will be passed.

    Raises:
        ExportError: a keyword is no parameter of the function.
    """
    unknown = sorted(set(keywords) - set(known))
    if unknown:
        raise ExportError(
            f"this version of torch_tensorrt does not know the options {unknown} and would ignore "
            "them; install a version this package names (pip install "
            "'affordance-grounding-core[tensorrt]')"
        )


@contextlib.contextmanager
def _progress(report: Callable[[str], None], seconds: float = 30.0) -> Iterator[None]:
    """Report every half minute that a build is still under way."""
    started = time.monotonic()
    done = threading.Event()

    def speak() -> None:
        while not done.wait(seconds):
            report(f"still building, {time.monotonic() - started:.0f} s")

    thread = threading.Thread(target=speak, name="build progress", daemon=True)
    thread.start()
    try:
        yield
    finally:
        done.set()
        thread.join()


def installed_torch_tensorrt() -> str | None:
    """Version of the torch-tensorrt that runs TensorRT itself; None where it is missing.

    The distribution torch-tensorrt-rtx brings a module of the same name for another library.
    """
    try:
        return importlib.metadata.version("torch-tensorrt")
    except importlib.metadata.PackageNotFoundError:
        return None


def driver_version() -> str:
    """Line by which the driver names itself."""
    version = Path("/proc/driver/nvidia/version")
    try:
        return version.read_text(encoding="utf-8").splitlines()[0].strip()
    except (OSError, IndexError):  # a Jetson before JetPack 7 has no such file
        return "unknown"
