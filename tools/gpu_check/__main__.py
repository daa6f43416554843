"""`make gpu-check`: what only a GPU can tell, in one run and one JSON file.

Every model and precision of every runtime that is installed is built, passes or fails the gate,
and is timed beside PyTorch and the published path; then PyTorch runs for a minute. Where
only PyTorch is installed, the networks with random weights run on it alone. It ends on time: what
there was no time for is listed as not run. Without a GPU it says so in one sentence.
"""

from __future__ import annotations

import argparse
import contextlib
import importlib
import importlib.util
import json
import logging
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import torch

MODELS = ("default", "selective-cl-random", "plsp-random")
NEEDED = ("cv2", "filelock", "onnx", "open_clip", "safetensors", "timm", "tqdm", "typer", "yaml")
"""Modules that the package imports; its networks run without them."""

NO_GPU = "PyTorch sees no NVIDIA GPU on this machine: there is nothing to check here"
DEVICE = "cuda"
_RUNS = 100
_log = logging.getLogger("gpu_check")


class Clock:
    """Says whether there is time for more.

    Args:
        seconds: the whole check may take.
    """

    def __init__(self, seconds: float) -> None:
        self._end = time.monotonic() + seconds

    @property
    def left(self) -> float:
        """Seconds until the check has to end."""
        return self._end - time.monotonic()


def main(arguments: list[str] | None = None) -> int:
    """Run the check; the exit code is 0 also where there is no GPU."""
    parser = argparse.ArgumentParser(prog="gpu-check", description=str(__doc__).split("\n")[0])
    parser.add_argument("--output", type=Path, default=Path("gpu_check.json"))
    parser.add_argument("--seconds", type=float, default=440.0, help="time for all of it")
    options = parser.parse_args(arguments)
    if not torch.cuda.is_available():
        print(NO_GPU)
        return 0
    logging.basicConfig(format="%(message)s", level=logging.INFO)
    clock = Clock(options.seconds)
    missing = [name for name in NEEDED if importlib.util.find_spec(name) is None]
    content: dict[str, Any] = {"machine": machine(), "missing": missing, "rows": [], "not_run": []}
    for model in MODELS:
        try:
            check_model(model, content, clock, alone=bool(missing))
        except Exception as error:  # the other models are worth a line, too
            _log.exception("%s", model)
            content["not_run"].append({"work": model, "reason": f"{type(error).__name__}: {error}"})
        options.output.write_text(json.dumps(content, indent=1, allow_nan=False))
    print(f"{len(content['rows'])} rows in {options.output}")
    return 0


def machine() -> dict[str, Any]:
    """Name of the GPU, and the versions that count."""
    properties = torch.cuda.get_device_properties(0)
    return {
        "gpu": properties.name,
        "compute_capability": f"{properties.major}.{properties.minor}",
        "memory_gb": round(properties.total_memory / 1e9, 1),
        "torch": torch.__version__,
        "cuda": torch.version.cuda,
        "installed": {
            name: importlib.util.find_spec(name) is not None
            for name in ("onnxruntime", "tensorrt", "tensorrt_rtx", "torch_tensorrt", "triton")
        },
    }


def check_model(model: str, content: dict[str, Any], clock: Clock, *, alone: bool) -> None:
    """Check one model.

    Args:
        model: one of `MODELS`.
        content: of the JSON file; takes the rows.
        clock: of the check.
        alone: whether PyTorch is the only library there.
    """
    if alone and model == "default":
        content["not_run"].append({"work": model, "reason": "its weights need safetensors"})
        return
    with _stand_ins(NEEDED) if alone else contextlib.nullcontext():
        grounder = importlib.import_module("affordance_grounding_core.loading").load_grounder(
            model, "eager"
        )
        held: list[Any] = []
        grounder.use_runtime(lambda eager: held.append(eager) or eager)
        reference = held[0]
        check_torch(model, reference, len(grounder.actions), content, clock)
        if not alone:
            check_runtimes(model, grounder, reference, content, clock)
        grounder.close()
    torch.cuda.empty_cache()


def check_torch(
    model: str, reference: Any, vocabulary: int, content: dict[str, Any], clock: Clock
) -> None:
    """Time PyTorch in each precision, as it is, compiled, and as a CUDA graph."""
    graph = importlib.import_module("affordance_grounding_core.runtimes.graph")
    actions = graph.actions_per_run(reference.network, vocabulary)
    shape = graph.GraphInput(224, 224, actions, vocabulary)
    inputs = [value.to(DEVICE) for value in shape.example()]
    with torch.inference_mode():
        expected = reference.network(inputs[0], torch.arange(actions, device=DEVICE)).float()
    for precision in ("fp32", "bf16", "fp16"):
        static = graph.StaticNetwork(reference.network, shape, precision).to(DEVICE)
        ways: dict[str, Callable[[], Callable[..., Any]]] = {
            "eager": lambda one=static: one,
            "eager-graph": lambda one=static: _captured(one, inputs),
            "compile": lambda one=static: torch.compile(one),
        }
        for name, make in ways.items():
            _row(content, clock, model, f"{name}-{precision}", make, inputs, expected)


def check_runtimes(
    model: str, grounder: Any, reference: Any, content: dict[str, Any], clock: Clock
) -> None:
    """Build, gate and time every runtime that is installed, beside the published path; soak."""
    benchmark = importlib.import_module("affordance_grounding_core.benchmark.inference")
    measure = importlib.import_module("affordance_grounding_core.benchmark.machine")
    limits = measure.measure_machine(DEVICE)
    for candidate in benchmark.all_candidates(("tensorrt", "tensorrt-rtx", "onnx", "compile")):
        if clock.left < 60.0:
            content["not_run"].append({"work": model, "runtime": candidate.name, "reason": "time"})
            continue
        torch.cuda.reset_peak_memory_stats()
        for row in benchmark.measure_inference(grounder, [candidate], limits, rounds=_RUNS):
            peak = round(torch.cuda.max_memory_allocated() / 1e6, 1)
            content["rows"].append({"model": model, **vars(row), "gpu_memory_mb": peak})
    if clock.left > 75.0:
        content.setdefault("soak", []).append(soak(model, reference, 60.0))


def soak(model: str, reference: Any, seconds: float) -> dict[str, Any]:
    """Run PyTorch for a while; memory that grows is seen."""
    pixels = np.zeros((3, 224, 224), np.float32)
    reference.run(pixels, [0])
    before, frames, end = torch.cuda.memory_allocated(), 0, time.monotonic() + seconds
    while time.monotonic() < end:
        reference.run(pixels, [0])
        frames += 1
    grown = torch.cuda.memory_allocated() - before
    return {"model": model, "seconds": seconds, "frames": frames, "grown_mb": grown / 1e6}


def _row(
    content: dict[str, Any],
    clock: Clock,
    model: str,
    name: str,
    make: Callable[[], Callable[..., Any]],
    inputs: list[torch.Tensor],
    expected: torch.Tensor,
) -> None:
    """Time one way to run a network on PyTorch, and compare what it answers."""
    if clock.left < 30.0:
        content["not_run"].append({"work": model, "runtime": name, "reason": "time"})
        return
    torch.cuda.reset_peak_memory_stats()
    try:
        with torch.inference_mode():
            call = make()
            heat = call(*inputs)
            times = _milliseconds(lambda: call(*inputs))
    except Exception as error:
        content["not_run"].append({"work": model, "runtime": name, "reason": str(error)[:300]})
        return
    content["rows"].append(
        {
            "model": model,
            "runtime": name,
            "p50_ms": round(float(np.percentile(times, 50)), 3),
            "p95_ms": round(float(np.percentile(times, 95)), 3),
            "max_error": float((heat.float() - expected).abs().max()),
            "gpu_memory_mb": round(torch.cuda.max_memory_allocated() / 1e6, 1),
        }
    )
    _log.info("%s %s: %s", model, name, content["rows"][-1])


def _milliseconds(call: Callable[[], object]) -> list[float]:
    times = []
    for number in range(_RUNS + 10):
        torch.cuda.synchronize()
        started = time.perf_counter()
        call()
        torch.cuda.synchronize()
        if number >= 10:
            times.append((time.perf_counter() - started) * 1e3)
    return times


def _captured(network: Callable[..., Any], inputs: list[torch.Tensor]) -> Callable[..., Any]:
    """Record a network as a CUDA graph on fixed buffers."""
    stream = torch.cuda.Stream()
    stream.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(stream):
        for _ in range(3):
            network(*inputs)
    torch.cuda.current_stream().wait_stream(stream)
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        output = network(*inputs)

    def replay(*_: torch.Tensor) -> Any:
        graph.replay()
        return output

    return replay


@contextlib.contextmanager
def _stand_ins(names: tuple[str, ...]) -> Iterator[None]:
    """Let the package be imported without libraries that its networks do not run on."""

    class Empty(ModuleType):
        def __getattr__(self, name: str) -> int:
            if name.startswith("__"):
                raise AttributeError(name)
            return 0

    absent = [name for name in names if importlib.util.find_spec(name) is None]
    for name in absent:
        sys.modules[name] = Empty(name)
    try:
        yield
    finally:
        for name in absent:
            del sys.modules[name]


if __name__ == "__main__":
    sys.exit(main())
