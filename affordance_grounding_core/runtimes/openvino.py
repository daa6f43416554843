"""OpenVINO: the fastest on an x86 processor; int8 by NNCF's post-training quantisation.

The only module that imports openvino and nncf.
"""

from __future__ import annotations

import contextlib
import importlib
import io
import logging
from collections.abc import Collection, Mapping
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch.export import ExportedProgram
from torch.export.decomp_utils import CustomDecompTable

from affordance_grounding_core.errors import ExportError, RuntimeUnavailableError
from affordance_grounding_core.runtimes.base import Candidate, Work
from affordance_grounding_core.runtimes.eager import require_precision
from affordance_grounding_core.runtimes.graph import export_network, nodes_within
from affordance_grounding_core.runtimes.telemetry import refuse_reports

_log = logging.getLogger(__name__)

_MODEL = "model.xml"
_DEVICE = "CPU"
_HINTS = {"fp32": "f32", "bf16": "bf16"}


class OpenvinoBackend:
    """Engines of OpenVINO on the processor."""

    name = "openvino"
    device = "cpu"

    def ladder(self, precision: str) -> tuple[Candidate, ...]:
        """Candidates for a precision; "auto" is bf16 where the processor has it.

        int8 must be asked for: its answers differ visibly, within the gate's limits.
        """
        known = self._precisions()
        if precision == "auto":
            return tuple(Candidate(self.name, name) for name in ("bf16", "fp32") if name in known)
        require_precision(self.name, precision, known, "processor")
        if precision == "int8":
            _import_nncf()
        order = ["int8", "bf16", "fp32"]
        rungs = [Candidate(self.name, name) for name in order if name in known]
        rungs.insert(1, Candidate(self.name, "int8", DYNAMIC))
        return tuple(
            rung for rung in rungs if order.index(rung.precision) >= order.index(precision)
        )

    def environment(self) -> Mapping[str, str]:
        """Versions and device an engine depends on."""
        openvino = import_openvino()
        core = openvino.Core()
        return {
            "openvino": str(openvino.get_version()),
            "device": _DEVICE,
            "cpu": str(core.get_property(_DEVICE, "FULL_DEVICE_NAME")),
        }

    def options(self, candidate: Candidate) -> Mapping[str, Any]:
        """Build options of a candidate."""
        options: dict[str, Any] = {"hints": self._hints(candidate)}
        if candidate.precision == "int8":
            options["nncf"] = _import("nncf", "int8").__version__
            if candidate.variant != DYNAMIC:
                options["quantisation"] = dict(QUANTISATION)
        return options

    def machine(self) -> Mapping[str, str]:
        """Nothing: the environment names the machine."""
        return {}

    def build(self, work: Work, folder: Path) -> None:
        """Convert the exported graph, quantise it for int8, and write it."""
        openvino = import_openvino()
        work.report("exporting the graph")
        graph = export_network(work.network, work.shape)
        work.report(f"converting {graph.calls} operators")
        try:
            example = work.shape.example()
            program = _decompose(graph.program)
            model = openvino.convert_model(program, example_input=example)
            # The converter frees every dimension; fixed ones let it fold and fuse what follows.
            model.reshape({port: list(one.shape) for port, one in enumerate(example)})
        except Exception as error:
            raise ExportError(f"OpenVINO cannot convert the graph ({error})") from error
        if work.candidate.precision == "int8":
            if work.candidate.variant == DYNAMIC:
                model = _compress(model, work)
            else:
                model = _quantise(model, work, nodes_within(program, graph.floating))
        openvino.save_model(model, folder / _MODEL, compress_to_fp16=False)

    def load(self, work: Work, folder: Path) -> OpenvinoEngine:
        """Compile the stored model for this processor."""
        openvino = import_openvino()
        candidate = work.candidate
        try:
            core = openvino.Core()
            compiled = core.compile_model(folder / _MODEL, _DEVICE, self._hints(candidate))
        except Exception as error:
            raise ExportError(f"OpenVINO cannot load {folder / _MODEL} ({error})") from error
        name = candidate.name.replace(self.name, "openvino-cpu", 1)
        return OpenvinoEngine(compiled, name, answers_all=work.shape.answers_all)

    def _precisions(self) -> tuple[str, ...]:
        openvino = import_openvino()
        capabilities = openvino.Core().get_property(_DEVICE, "OPTIMIZATION_CAPABILITIES")
        bf16 = ("bf16",) if "BF16" in capabilities else ()
        return ("int8", *bf16, "fp32")

    def _hints(self, candidate: Candidate) -> dict[str, str]:
        # What int8 leaves in floating point runs in bf16 where the processor has it.
        precision = candidate.precision
        floating = precision if precision in _HINTS else self._precisions()[1]
        hints = {"PERFORMANCE_HINT": "LATENCY", "INFERENCE_PRECISION_HINT": _HINTS[floating]}
        if candidate.variant == DYNAMIC:
            hints["DYNAMIC_QUANTIZATION_GROUP_SIZE"] = "128"
        return hints


class OpenvinoEngine:
    """A compiled model.

    Args:
        compiled: model that OpenVINO compiled.
        description: runtime, device and precision; see `Engine`.
        answers_all: whether pixels are its only input.
    """

    def __init__(self, compiled: Any, description: str, *, answers_all: bool) -> None:
        self._request: Any = compiled.create_infer_request()
        self._output = compiled.output(0)
        self._description = description
        self._answers_all = answers_all

    @property
    def description(self) -> str:
        """Runtime, device and precision."""
        return self._description

    def run(self, pixels: NDArray[np.float32], actions: NDArray[np.int64]) -> NDArray[np.float32]:
        """Compute heat; see `Engine`."""
        inputs = [pixels] if self._answers_all else [pixels, actions]
        outcome = self._request.infer(inputs, share_inputs=True, share_outputs=True)
        return np.array(outcome[self._output], np.float32)

    def close(self) -> None:
        """Free memory."""
        self._request = None


QUANTISATION: Mapping[str, Any] = {
    "preset": "performance",
    "model_type": "transformer",
    "smooth_quant": False,
    "subset_size": 32,
}
"""How int8 is made; see NNCF's `quantize`. Measured on the default model, worst frame of 16:
smoothing off and symmetric activations reach cosine .995, NNCF's defaults .945."""

DYNAMIC = "dynamic"
"""Variant in which weights are int8 and activations are quantised group by group as they come.
Slower than ranges fixed by calibration, and closer to float32 where activations have outliers."""


def _decompose(program: ExportedProgram) -> ExportedProgram:
    """Take operators apart as the converter would, so that its names for them are known."""
    try:
        converter = importlib.import_module(
            "openvino.frontend.pytorch.torchdynamo.export_decompositions"
        )
        kept = converter.ops_to_not_decompose()
    except (ImportError, AttributeError):  # another version; most names stay as they are
        return program
    table: Any = CustomDecompTable()  # type: ignore[no-untyped-call]
    for operator in kept:
        table.pop(operator, None)
    decomposed: ExportedProgram = program.run_decompositions(table)
    return decomposed


def _quantise(model: Any, work: Work, floating: Collection[str]) -> Any:
    nncf = _import_nncf()
    pictures = work.calibration()
    if not pictures:
        raise ExportError("int8 needs pictures to calibrate on, got none")
    work.report(f"quantising on {len(pictures)} pictures; this takes a minute or more")
    indices = np.arange(work.shape.actions)
    inputs = [[one] if work.shape.answers_all else [one, indices] for one in pictures]
    off = nncf.AdvancedSmoothQuantParameters(convolution=-1, matmul=-1)
    kept = set(floating)
    # The converter puts the name of the graph's node before the first slash of its own.
    names = [operator.get_friendly_name() for operator in model.get_ordered_ops()]
    ignored = [name for name in names if name.partition("/")[0] in kept]
    smoothing = {} if QUANTISATION["smooth_quant"] else {"smooth_quant_alphas": off}
    with _without_bars():
        return nncf.quantize(
            model,
            nncf.Dataset(inputs),
            preset=nncf.QuantizationPreset(QUANTISATION["preset"]),
            model_type=nncf.ModelType(QUANTISATION["model_type"]),
            subset_size=min(len(inputs), int(QUANTISATION["subset_size"])),
            ignored_scope=nncf.IgnoredScope(names=ignored, validate=False),
            advanced_parameters=nncf.AdvancedQuantizationParameters(**smoothing),
        )


def _compress(model: Any, work: Work) -> Any:
    nncf = _import_nncf()
    work.report("rounding the weights")
    with _without_bars():
        return nncf.compress_weights(model, mode=nncf.CompressWeightsMode.INT8_SYM)


def _without_bars() -> AbstractContextManager[Any]:
    """Keeps NNCF from drawing progress on a terminal that may be a node's log."""
    return contextlib.redirect_stdout(io.StringIO())


def _import_nncf() -> Any:
    nncf = _import("nncf", "runtime 'openvino' needs nncf for int8")
    _take_output("nncf")
    return nncf


class _ToOurLog(logging.Handler):
    """Hands a library's warnings on as ours, and the rest as what only debugging needs."""

    def emit(self, record: logging.LogRecord) -> None:
        """Log one record."""
        level = record.levelno if record.levelno >= logging.ERROR else logging.DEBUG
        _log.log(level, "%s: %s", record.name, record.getMessage())


def _take_output(library: str) -> None:
    """Have what a library writes to the console in our log: its log and its progress bars.

    Args:
        library: name of the imported library, "nncf".
    """
    log = logging.getLogger(library)
    if not any(isinstance(handler, _ToOurLog) for handler in log.handlers):
        log.handlers[:] = [_ToOurLog()]
        log.propagate = False
        logging.setLoggerClass(logging.Logger)  # which it had replaced for everybody
    try:
        progress = importlib.import_module(f"{library}.common.logging.track_progress")
    except ImportError:  # another version; its bars are shown
        return
    for name in ("Progress", "WeightedProgress"):
        shown = vars(progress).get(name)
        if isinstance(shown, type) and "quiet" not in vars(shown):
            setattr(progress, name, _quiet(shown))


def _quiet(shown: type) -> type:
    """A kind of progress bar that logs what is done and draws nothing."""

    def begin(self: Any, *arguments: Any, **options: Any) -> None:
        shown.__init__(self, *arguments, **{**options, "disable": True})  # type: ignore[misc]

    def add_task(self: Any, description: str, *arguments: Any, **options: Any) -> Any:
        _log.info("int8: %s", description.lower())
        return shown.add_task(self, description, *arguments, **options)  # type: ignore[attr-defined]

    return type(shown.__name__, (shown,), {"__init__": begin, "add_task": add_task, "quiet": True})


def import_openvino() -> Any:
    """Import OpenVINO.

    Raises:
        RuntimeUnavailableError: it is not installed or does not work here.
    """
    return _import("openvino", "runtime 'openvino' is not installed")


def _import(module: str, problem: str) -> Any:
    refuse_reports()
    try:
        return importlib.import_module(module)
    except Exception as error:
        raise RuntimeUnavailableError(
            f"{problem} ({type(error).__name__}: {error}); install it with "
            "pip install 'affordance-grounding-core[openvino]'"
        ) from error
