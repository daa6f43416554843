"""Times one image through a model on every runtime, against the plain published path."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.flop_counter import FlopCounterMode

from affordance_grounding_core.backbones.clip import Clip, empty_clip
from affordance_grounding_core.backbones.dino import Dino
from affordance_grounding_core.benchmark.machine import Machine, Rates
from affordance_grounding_core.benchmark.measure import Timing, measure_in_turns, ratios
from affordance_grounding_core.benchmark.published_plsp import plain_network
from affordance_grounding_core.benchmark.published_selective_cl import (
    PublishedBackbones,
    PublishedInference,
)
from affordance_grounding_core.benchmark.report import Row
from affordance_grounding_core.errors import (
    AffordanceGroundingError,
    ExportError,
    RuntimeUnavailableError,
)
from affordance_grounding_core.inference.grounder import Grounder
from affordance_grounding_core.inference.heat_calibration import HeatCalibration
from affordance_grounding_core.inference.runtime import HeatRuntime
from affordance_grounding_core.loading import choose_runtime
from affordance_grounding_core.methods.plsp.encoders import ClipTokens
from affordance_grounding_core.methods.plsp.network import PlspHeatNetwork
from affordance_grounding_core.methods.selective_cl.network import SelectiveNetwork
from affordance_grounding_core.runtimes.base import Backend, Candidate
from affordance_grounding_core.runtimes.building.ladder import BACKENDS
from affordance_grounding_core.runtimes.eager import EagerRuntime
from affordance_grounding_core.runtimes.gate import network_inputs, read_frames
from affordance_grounding_core.runtimes.gated import GatedRuntime
from affordance_grounding_core.runtimes.request import RuntimeRequest, parse_runtime

PUBLISHED = "published-eager"
WORK = "inference"
INDEX = 0
"""Number of the action that is looked for: the first of the model's."""

_log = logging.getLogger(__name__)


def measure_inference(
    grounder: Grounder,
    candidates: Sequence[Candidate],
    rates: Rates,
    *,
    size: int = 224,
    rounds: int = 20,
    store: Path | None = None,
    show_progress: bool = False,
) -> list[Row]:
    """Time one action on one image, network input to heat.

    Args:
        grounder: grounder on plain PyTorch, as `load_grounder(name, "eager")` gives it.
        candidates: runtimes to time; PyTorch in float32 always is.
        rates: rates of the machine; measured again in every round.
        size: side of the network's square input in px, a multiple of the model's patch.
        rounds: timed runs of each.
        store: folder of engines; the user's cache if None.
        show_progress: whether to draw a progress bar.

    Returns:
        The published path first, PyTorch in float32 second. `max_error` is the largest
        difference of heat from PyTorch in float32 on the picture timed; `gate` is the word of
        the numeric gate. A candidate that cannot be built has a row without times where the
        reason stands in `gate`.

    Raises:
        RuntimeUnavailableError: the grounder does not run on plain PyTorch.
    """
    reference = eager_runtime(grounder)
    pixels = _input(grounder, size)
    works = {
        PUBLISHED: _Work(published_path(grounder, reference, pixels, INDEX), "reference", None),
        "eager-fp32": _Work(_bind(reference, pixels), "reference", 0.0),
    }
    failed: list[Row] = []
    for candidate in candidates:
        if candidate.name != "eager-fp32":
            try:
                works[candidate.name] = _work(grounder, reference, candidate, pixels, store)
            except AffordanceGroundingError as error:
                _log.warning("%s is left out: %s", candidate.name, error)
                failed.append(_failed(candidate, str(error)))
    calls = {name: work.call for name, work in works.items()}
    timings = measure_in_turns(
        calls, rounds, warm_up=2, before_round=rates.measure, show_progress=show_progress
    )
    machine = rates.machine()
    relative = ratios(timings, PUBLISHED)
    operations = count_operations(reference, pixels, INDEX)
    rows = [
        _row(name, works[name], timing, relative[name], machine, operations)
        for name, timing in timings.items()
    ]
    return rows + failed


@dataclass(frozen=True)
class _Work:
    """One way to run the model.

    Attributes:
        call: runs it once.
        gate: answer of the numeric gate.
        error: largest difference of heat from PyTorch in float32; None where none is told.
        memory: MB that its preparation took.
    """

    call: Callable[[], object]
    gate: str
    error: float | None
    memory: float = 0.0


def _work(
    grounder: Grounder,
    reference: EagerRuntime,
    candidate: Candidate,
    pixels: NDArray[np.float32],
    store: Path | None,
) -> _Work:
    """Build or load the engine of a candidate, and compare one answer with PyTorch's."""
    before = resident_megabytes()
    runtime, gate = _prepare(grounder, reference, candidate, pixels.shape[-1], store)
    memory = resident_megabytes() - before
    difference = np.abs(runtime.run(pixels, [INDEX]) - reference.run(pixels, [INDEX]))
    return _Work(_bind(runtime, pixels), gate, float(difference.max()), memory)


def _row(
    name: str, work: _Work, timing: Timing, ratio: float, machine: Machine, operations: float
) -> Row:
    runtime, precision = _split(name)
    limit = machine.roofline_milliseconds(operations, precision.partition("-")[0])
    measured = (timing.median, timing.p95, ratio)
    return Row(WORK, runtime, precision, *measured, work.error, work.gate, limit, work.memory)


def all_candidates(names: Sequence[str] = tuple(BACKENDS)) -> list[Candidate]:
    """Every runtime and precision that is installed here.

    Args:
        names: names of the runtimes wanted.
    """
    return [
        candidate
        for name in names
        for precision in ("fp32", "fp16", "bf16", "int8")
        for candidate in _best(BACKENDS[name](), precision)
    ]


def _best(backend: Backend, precision: str) -> tuple[Candidate, ...]:
    try:
        return backend.ladder(precision)[:1]
    except RuntimeUnavailableError as error:
        _log.info("%s-%s: %s", backend.name, precision, error)
        return ()


def count_operations(reference: EagerRuntime, pixels: NDArray[np.float32], index: int) -> float:
    """Count multiplications and additions of matrix products and convolutions in one run."""
    with sdpa_kernel(SDPBackend.MATH), FlopCounterMode(display=False) as counter:
        reference.run(pixels, [index])
    return float(counter.get_total_flops())


def published_path(
    grounder: Grounder, reference: EagerRuntime, pixels: NDArray[np.float32], index: int
) -> Callable[[], object]:
    """Make the plain path of a model's method, float32 on PyTorch.

    For SelectiveCL it is `PublishedInference`; its text encoder has random weights where the
    model keeps none, which takes as long. For WSAG-PLSP it is `plain_network`. For others it is
    their network with attention written out.

    Args:
        grounder: grounder of the model.
        reference: its network in PyTorch.
        pixels: (3, h, w) float32, normalised.
        index: number of the action.
    """
    network = reference.network
    if isinstance(network, PlspHeatNetwork) and isinstance(network.network.encoder, ClipTokens):
        heat = HeatCalibration(float(network.heat.scale), float(network.heat.offset))
        plain = PlspHeatNetwork(plain_network(network.network), network.action_vectors, heat)
        runtime = EagerRuntime(plain, str(network.action_vectors.device))
        return lambda: runtime.run(pixels, [index])
    if not isinstance(network, SelectiveNetwork) or network.backbones.clip is None:
        return lambda: _written_out(reference, pixels, index)
    if not isinstance(network.backbones.descriptor, Dino):
        return lambda: _written_out(reference, pixels, index)
    clip = Clip(network.backbones.clip, empty_clip().text)
    backbones = PublishedBackbones(clip, network.backbones.descriptor)
    inference = PublishedInference(backbones, network.head)
    batch = torch.from_numpy(pixels)[None]
    return lambda: inference(batch, grounder.actions[index], index)


def eager_runtime(grounder: Grounder) -> EagerRuntime:
    """Take the network of a grounder that runs on plain PyTorch.

    Raises:
        RuntimeUnavailableError: it runs on something else.
    """
    found: list[HeatRuntime] = []

    def look(runtime: HeatRuntime) -> HeatRuntime:
        found.append(runtime)
        return runtime

    grounder.use_runtime(look)
    if not isinstance(found[0], EagerRuntime):
        raise RuntimeUnavailableError(
            f"a benchmark starts from a model on plain PyTorch, got {found[0].description}; load "
            "it with runtime 'eager'"
        )
    return found[0]


def resident_megabytes() -> float:
    """Memory of this process, in MB."""
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 1e6


def _written_out(
    reference: EagerRuntime, pixels: NDArray[np.float32], index: int
) -> NDArray[np.float32]:
    with sdpa_kernel(SDPBackend.MATH):
        return reference.run(pixels, [index])


def _input(grounder: Grounder, size: int) -> NDArray[np.float32]:
    frame = read_frames().gate[0]
    (batch,) = network_inputs([frame], grounder.preprocess.config, size, size)
    pixels: NDArray[np.float32] = batch[0]
    return pixels


def _prepare(
    grounder: Grounder,
    reference: EagerRuntime,
    candidate: Candidate,
    size: int,
    store: Path | None,
) -> tuple[HeatRuntime, str]:
    request = RuntimeRequest(
        candidate.runtime, candidate.precision, store=store, fall_back=False, patience=0
    )
    runtime = choose_runtime(grounder, reference, request)
    if not isinstance(runtime, GatedRuntime):
        return runtime, "reference"
    report = runtime.prepare(size, size)
    if report.gate is None:
        raise ExportError("; ".join(report.rejected) or "it was not built")
    return runtime, f"passed, cosine {report.gate.cosine:.4f}"


def _bind(runtime: HeatRuntime, pixels: NDArray[np.float32]) -> Callable[[], object]:
    return lambda: runtime.run(pixels, [INDEX])


def _split(name: str) -> tuple[str, str]:
    if name == PUBLISHED:
        return PUBLISHED, "fp32"
    runtime, precision = parse_runtime(name)
    return runtime, "" if precision == "auto" else precision


def _failed(candidate: Candidate, reason: str) -> Row:
    return Row(
        WORK, candidate.runtime, candidate.precision, None, None, None, None, f"none: {reason}"
    )
