"""PyTorch runtimes: eager, the reference of all others, and compiled ahead of time."""

from __future__ import annotations

import importlib
import shutil
from collections.abc import Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from affordance_grounding_core.errors import ExportError, RuntimeUnavailableError
from affordance_grounding_core.images.arrays import RgbImage
from affordance_grounding_core.inference.device_graphs import DeviceGraphs
from affordance_grounding_core.inference.device_stages import DeviceStages
from affordance_grounding_core.inference.network import GroundingNetwork
from affordance_grounding_core.inference.preprocess import Preprocess, PreprocessConfig
from affordance_grounding_core.inference.runtime import HeatRuntime, ImageMaps
from affordance_grounding_core.runtimes.base import Candidate, TensorEngine, Work
from affordance_grounding_core.runtimes.graph import StaticNetwork, export_network
from affordance_grounding_core.runtimes.request import RUNTIMES


class EagerRuntime(HeatRuntime):
    """Runs a network with PyTorch in float32, on any input size.

    Args:
        network: network that runs.
        device: "cpu", "cuda" or "cuda:N".
        stages_on_device: whether image and heat are resized there too; None: on a GPU.
        graphs: runs what comes before and after the network; None: recorded, on a GPU. The
            network itself runs operator by operator: it is what recorded ones are compared with.
    """

    def __init__(
        self,
        network: GroundingNetwork,
        device: str,
        *,
        stages_on_device: bool | None = None,
        graphs: DeviceGraphs | None = None,
    ) -> None:
        self._device = torch.device(device)
        self._network: GroundingNetwork | None = network.eval().to(self._device)
        on_gpu = self._device.type == "cuda"
        self._stages_on_device = on_gpu if stages_on_device is None else stages_on_device
        self._graphs = graphs or DeviceGraphs(self._device)
        self._stages: dict[PreprocessConfig, DeviceStages] = {}

    @property
    def description(self) -> str:
        """Runtime, device and precision."""
        return f"eager-{self._device}-fp32"

    @property
    def device(self) -> str:
        """Name of the device the network runs on."""
        return str(self._device)

    @property
    def network(self) -> GroundingNetwork:
        """The network that runs.

        Raises:
            RuntimeUnavailableError: the runtime was closed.
        """
        if self._network is None:
            raise RuntimeUnavailableError("this grounder was closed; load it again")
        return self._network

    def run(self, pixels: NDArray[np.float32], actions: Sequence[int]) -> NDArray[np.float32]:
        """Compute the heat of some actions.

        Args:
            pixels: (3, h, w) float32, normalised.
            actions: K indices into the vocabulary.

        Returns:
            (K, rows, columns) float32 in [0, 1].

        Raises:
            RuntimeUnavailableError: the runtime was closed.
        """
        network = self.network
        with torch.inference_mode():
            batch = torch.from_numpy(pixels)[None].to(self._device)
            indices = torch.tensor(list(actions), dtype=torch.int64, device=self._device)
            heat = network(batch, indices).float().cpu().numpy()
        return np.asarray(heat, np.float32)

    def image_maps(
        self, image: RgbImage, preprocess: Preprocess, actions: Sequence[int]
    ) -> ImageMaps:
        """Compute the heat of some actions in the pixels of an image; see `HeatRuntime`."""
        stages = self.stages(preprocess)
        if stages is None:
            return super().image_maps(image, preprocess, actions)
        network = self.network
        with torch.inference_mode():
            pixels, geometry = stages.to_pixels(image)
            indices = torch.tensor(list(actions), dtype=torch.int64, device=self._device)
            return stages.to_image(network(pixels, indices), geometry)

    def stages(self, preprocess: Preprocess) -> DeviceStages | None:
        """What comes before and after the network on its device; None: the processor does that."""
        if not self._stages_on_device:
            return None
        if preprocess.config not in self._stages:
            stages = DeviceStages(preprocess, self._device, self._graphs)
            self._stages[preprocess.config] = stages
        return self._stages[preprocess.config]

    def evaluation_maps(
        self, pixels: NDArray[np.float32], actions: Sequence[int]
    ) -> dict[str, NDArray[np.float32]]:
        """Compute the maps that the method's paper scores; see `HeatRuntime`."""
        with torch.inference_mode():
            maps = self.network.evaluation_maps(
                torch.from_numpy(pixels)[None].to(self._device),
                torch.tensor(list(actions), dtype=torch.int64, device=self._device),
            )
        return {name: np.asarray(value.float().cpu().numpy()) for name, value in maps.items()}

    def close(self) -> None:
        """Free the memory of the network."""
        self._network = None
        self._graphs.close()
        if self._device.type == "cuda":
            torch.cuda.empty_cache()


class TorchEngine(TensorEngine):
    """A PyTorch module or compiled graph as an engine; on a GPU recorded as a CUDA graph.

    Args:
        module: maps pixels, and indices unless it answers all actions, to heat.
        description: runtime, device and precision; see `Engine`.
        device: its tensors are on.
        answers_all: whether pixels are its only input.
        graphs: runs the module; None: recorded, on a GPU.
    """

    def __init__(
        self,
        module: Any,
        description: str,
        device: str,
        *,
        answers_all: bool,
        graphs: DeviceGraphs | None = None,
    ) -> None:
        self._graphs = graphs or DeviceGraphs(torch.device(device))
        self._module = module
        self._description = description
        self._device = torch.device(device)
        self._answers_all = answers_all

    @property
    def description(self) -> str:
        """Runtime, device and precision."""
        return self._description

    @property
    def device(self) -> torch.device:
        """Device of its tensors."""
        return self._device

    def run_tensor(self, pixels: torch.Tensor, actions: torch.Tensor) -> torch.Tensor:
        """Compute heat; see `TensorEngine`."""
        inputs = (pixels,) if self._answers_all else (pixels, actions)
        heat = self._graphs.run("network", self._heat, *inputs)
        return heat.clone() if self._graphs.records else heat

    def _heat(self, *inputs: torch.Tensor) -> torch.Tensor:
        output = self._module(*inputs)
        heat: torch.Tensor = output if isinstance(output, torch.Tensor) else output[0]
        return heat.float()

    def close(self) -> None:
        """Free memory."""
        self._graphs.close()
        self._module = None
        if self._device.type == "cuda":
            torch.cuda.empty_cache()


class EagerBackend:
    """PyTorch without a compiler, in a lower precision."""

    name = "eager"

    @property
    def device(self) -> str:
        """The device networks run on."""
        return default_device()

    def ladder(self, precision: str) -> tuple[Candidate, ...]:
        """Candidates for a precision; "auto" is float32, the reference itself."""
        wanted = "fp32" if precision == "auto" else precision
        require_precision(self.name, wanted, ("fp32", *half_precisions(self.device)), self.device)
        return (Candidate(self.name, wanted),)

    def environment(self) -> Mapping[str, str]:
        """Versions and device an engine depends on."""
        return torch_environment(self.device)

    def options(self, candidate: Candidate) -> Mapping[str, Any]:
        """No options."""
        return {}

    def machine(self) -> Mapping[str, str]:
        """Nothing: the environment names the machine."""
        return {}

    def build(self, work: Work, folder: Path) -> None:
        """Nothing to write: the network itself runs; what is kept is the gate's figures."""

    def load(self, work: Work, folder: Path) -> TorchEngine:
        """Cast the network."""
        static = StaticNetwork(work.network, work.shape, work.candidate.precision)
        return TorchEngine(
            static.to(self.device),
            f"eager-{self.device}-{work.candidate.precision}",
            self.device,
            answers_all=work.shape.answers_all,
        )


def open_runtime(network: GroundingNetwork, runtime: str) -> EagerRuntime:
    """Run a network with PyTorch; `load_grounder` puts another runtime in its place.

    Args:
        network: network that runs; see `EagerRuntime`.
        runtime: one of `RUNTIMES`.

    Raises:
        RuntimeUnavailableError: another name.
    """
    if runtime not in RUNTIMES:
        raise RuntimeUnavailableError(
            f"runtime {runtime!r} is not available; expected one of {list(RUNTIMES)}"
        )
    return EagerRuntime(network, default_device())


def default_device() -> str:
    """Name of the device networks run on: a GPU where PyTorch sees one."""
    return "cuda" if torch.cuda.is_available() else "cpu"


def half_precisions(device: str) -> tuple[str, ...]:
    """Precisions of 16 bits that a device computes faster than float32, the best first."""
    if torch.device(device).type == "cuda":
        return ("fp16", "bf16") if torch.cuda.is_bf16_supported(False) else ("fp16",)
    return ("bf16",) if _cpu_flags() & {"avx512_bf16", "amx_bf16", "bf16"} else ()


@lru_cache(maxsize=1)
def _cpu_flags() -> frozenset[str]:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return frozenset()
    flags = (line.partition(":")[2] for line in lines if line.startswith(("flags", "Features")))
    return frozenset(next(flags, "").split())


def require_precision(runtime: str, wanted: str, known: Sequence[str], device: str) -> None:
    """Refuse a precision a runtime does not have on a device.

    Raises:
        RuntimeUnavailableError: it is not among the known.
    """
    if wanted not in known:
        raise RuntimeUnavailableError(
            f"runtime {runtime!r} has no precision {wanted!r} on this {device}; expected one of "
            f"{list(dict.fromkeys(known))}"
        )


def torch_environment(device: str) -> dict[str, str]:
    """Version of PyTorch, and of CUDA, driver and GPU where it runs on one."""
    versions = {"torch": torch.__version__, "device": device}
    if torch.device(device).type == "cuda":
        major, minor = torch.cuda.get_device_capability()
        versions |= {
            "cuda": str(torch.version.cuda),
            "gpu": torch.cuda.get_device_name(),
            "compute_capability": f"{major}.{minor}",
        }
    else:
        versions["cpu"] = torch.backends.cpu.get_cpu_capability()
    return versions


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
                _compiler().aoti_compile_and_package(
                    graph.program,
                    package_path=str(folder / _PACKAGE),
                    inductor_configs=dict(self.options(work.candidate)),
                )
        except Exception as error:
            raise ExportError(f"PyTorch's compiler failed ({error})") from error

    def load(self, work: Work, folder: Path) -> TorchEngine:
        """Load the package."""
        try:
            # Its own synchronisation of threads cannot be recorded; one thread runs it.
            model = _compiler().aoti_load_package(
                str(folder / _PACKAGE), run_single_threaded=self.device != "cpu"
            )
        except Exception as error:
            raise ExportError(f"PyTorch cannot load {folder / _PACKAGE} ({error})") from error
        return TorchEngine(
            model,
            f"compile-{self.device}-{work.candidate.precision}",
            self.device,
            answers_all=work.shape.answers_all,
        )


def _compiler() -> Any:
    """Import PyTorch's compiler, which takes seconds: for those who ask for it alone."""
    return importlib.import_module("torch._inductor")
