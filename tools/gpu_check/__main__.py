"""`make gpu-check`: what only a GPU can tell, in one run and one JSON file.

Every model and precision of every runtime that is installed is built, passes or fails the gate,
and is timed beside PyTorch and the published path; then PyTorch runs for a minute. Where
only PyTorch is installed, a transformer of ViT-B's size stands in for the networks. It ends on
time: what there was no time for is listed as not run. Without a GPU it says so in one sentence.
"""

from __future__ import annotations

import argparse
import importlib
import importlib.util
import json
import logging
import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch

MODELS = ("default", "selective-cl-random", "plsp-random")
NEEDED = ("cv2", "filelock", "onnx", "open_clip", "safetensors", "timm", "tqdm", "typer", "yaml")
"""Modules that the package imports."""

STAND_IN = "stand-in-vit-b"
KINDS = {"fp32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}

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
    for model in MODELS if not missing else (STAND_IN,):
        try:
            if missing:
                check_stand_in(content, clock)
            else:
                check_model(model, content, clock)
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


def check_model(model: str, content: dict[str, Any], clock: Clock) -> None:
    """Check one model of the package.

    Args:
        model: one of `MODELS`.
        content: of the JSON file; takes the rows.
        clock: of the check.
    """
    loading = importlib.import_module("affordance_grounding_core.loading")
    grounder = loading.load_grounder(model, "eager")
    held: list[Any] = []

    def hold(eager: Any) -> Any:
        held.append(eager)
        return eager

    grounder.use_runtime(hold)
    check_stages(model, grounder, held[0], content)
    check_networks(model, held[0], len(grounder.actions), content, clock)
    check_runtimes(model, grounder, held[0], content, clock)
    grounder.close()
    torch.cuda.empty_cache()


def check_stages(model: str, grounder: Any, reference: Any, content: dict[str, Any]) -> None:
    """Time an image of 640 x 480 px to its heat, resized on the processor and on the GPU.

    Args:
        model: name for the rows.
        grounder: of the model; keeps its runtime.
        reference: its network in PyTorch.
        content: of the JSON file; takes the rows.
    """
    eager = importlib.import_module("affordance_grounding_core.runtimes.eager")
    graphs = importlib.import_module("affordance_grounding_core.inference.device_graphs")
    plain = graphs.DeviceGraphs(torch.device("cpu"))  # records nothing
    ways = {
        "on the processor": {"stages_on_device": False},
        "on the device": {"stages_on_device": True, "graphs": plain},
        "on the device, as CUDA graphs": {"stages_on_device": True},
    }
    image = np.random.default_rng(0).integers(0, 256, (480, 640, 3), np.uint8)
    expected: Any = None
    for way, options in ways.items():
        runtime = eager.EagerRuntime(reference.network, DEVICE, **options)
        call = partial(runtime.image_maps, image, grounder.preprocess, [0])
        expected = call().values if expected is None else expected
        times = _milliseconds(call)
        content["rows"].append(
            {
                "model": model,
                "runtime": f"eager-fp32, image to heat, resized {way}",
                "p50_ms": round(float(np.percentile(times, 50)), 3),
                "p95_ms": round(float(np.percentile(times, 95)), 3),
                "max_error": float(np.abs(call().values - expected).max()),
            }
        )
        _log.info("%s: %s", model, content["rows"][-1])


def check_networks(
    model: str, reference: Any, vocabulary: int, content: dict[str, Any], clock: Clock
) -> None:
    """Time a model's network on PyTorch alone."""
    graph = importlib.import_module("affordance_grounding_core.runtimes.graph")
    actions = graph.actions_per_run(reference.network, vocabulary)
    shape = graph.GraphInput(224, 224, actions, vocabulary)
    inputs = [value.to(DEVICE) for value in shape.example()]

    def make(precision: str) -> Callable[..., Any]:
        network: Callable[..., Any] = graph.StaticNetwork(reference.network, shape, precision).to(
            DEVICE
        )
        return network

    check_torch(model, make, inputs, content, clock)


def check_stand_in(content: dict[str, Any], clock: Clock) -> None:
    """Time a plain transformer of ViT-B's size, where the package's libraries are missing."""
    tokens = torch.randn(1, 197, 768, generator=torch.Generator().manual_seed(0)).to(DEVICE)

    def make(precision: str) -> Callable[..., Any]:
        torch.manual_seed(0)
        layer = torch.nn.TransformerEncoderLayer(768, 12, 3072, batch_first=True, norm_first=True)
        stack = torch.nn.TransformerEncoder(layer, 12, enable_nested_tensor=False)
        return _Cast(stack.eval().to(DEVICE), KINDS[precision])

    check_torch(STAND_IN, make, [tokens], content, clock)


class _Cast(torch.nn.Module):
    """A network in a precision, with float32 at both ends."""

    def __init__(self, network: torch.nn.Module, kind: torch.dtype) -> None:
        super().__init__()
        self._network, self._kind = network.to(kind), kind

    def forward(self, values: torch.Tensor) -> torch.Tensor:
        answer: torch.Tensor = self._network(values.to(self._kind))
        return answer.float()


def check_torch(
    model: str,
    make: Callable[[str], Callable[..., Any]],
    inputs: list[torch.Tensor],
    content: dict[str, Any],
    clock: Clock,
) -> None:
    """Time a network on PyTorch in each precision: as it is and compiled, each as a CUDA graph too.

    Args:
        model: name for the rows.
        make: makes the network in a precision.
        inputs: of the network.
        content: of the JSON file; takes the rows.
        clock: of the check.
    """
    with torch.inference_mode():
        expected = make("fp32")(*inputs)
    for precision in KINDS:
        network = make(precision)
        ways: dict[str, Callable[[], Callable[..., Any]]] = {
            "eager": partial(_as_it_is, network),
            "eager-graph": partial(_captured, network, inputs),
            "compile": partial(torch.compile, network),
            "compile-graph": partial(_captured_once_compiled, network, inputs),
        }
        for name, way in ways.items():
            _row(content, clock, model, f"{name}-{precision}", way, inputs, expected)


def check_runtimes(
    model: str, grounder: Any, reference: Any, content: dict[str, Any], clock: Clock
) -> None:
    """Build, gate and time every runtime that is installed, beside the published path; soak."""
    benchmark = importlib.import_module("affordance_grounding_core.benchmark.inference")
    measure = importlib.import_module("affordance_grounding_core.benchmark.machine")
    rates = measure.Rates(DEVICE)
    for candidate in benchmark.all_candidates(("tensorrt", "tensorrt-rtx", "onnx", "compile")):
        if clock.left < 60.0:
            content["not_run"].append({"work": model, "runtime": candidate.name, "reason": "time"})
            continue
        torch.cuda.reset_peak_memory_stats()
        for row in benchmark.measure_inference(grounder, [candidate], rates, rounds=_RUNS):
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


def _as_it_is(network: Callable[..., Any]) -> Callable[..., Any]:
    return network


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


def _captured_once_compiled(
    network: Callable[..., Any], inputs: list[torch.Tensor]
) -> Callable[..., Any]:
    return _captured(torch.compile(network), inputs)


def _captured(network: Callable[..., Any], inputs: list[torch.Tensor]) -> Callable[..., Any]:
    """Record a network as a CUDA graph on fixed buffers."""
    stream = torch.cuda.Stream()  # type: ignore[no-untyped-call]
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


if __name__ == "__main__":
    sys.exit(main())
