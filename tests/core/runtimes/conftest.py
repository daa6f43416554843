"""A small transformer with every operator kind the real networks have, and a backend of fakes."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import nn
from torch.nn import functional

from affordance_grounding_core.actions.vocabulary import ActionVocabulary
from affordance_grounding_core.errors import ExportError
from affordance_grounding_core.inference.grounder import Grounder, ModelInformation
from affordance_grounding_core.inference.network import GroundingNetwork
from affordance_grounding_core.inference.preprocess import Preprocess, PreprocessConfig
from affordance_grounding_core.inference.regions import RegionConfig
from affordance_grounding_core.runtimes.base import Candidate, Work
from affordance_grounding_core.runtimes.building.job import BuildJob
from affordance_grounding_core.runtimes.building.ladder import Ladder
from affordance_grounding_core.runtimes.building.maker import Subject
from affordance_grounding_core.runtimes.eager import EagerRuntime
from affordance_grounding_core.runtimes.engines.store import ArtifactStore
from affordance_grounding_core.runtimes.gated import GatedRuntime
from affordance_grounding_core.runtimes.request import RuntimeRequest

ACTIONS = ("hold", "cut", "pour")
SIZE, PATCH = 56, 14


class SmallNetwork(GroundingNetwork):
    """One attention block over patches; heat of an action is what its vector finds.

    Args:
        at_once: whether one run answers all actions.
    """

    def __init__(self, at_once: bool = True) -> None:
        super().__init__()
        self.answers_all_at_once = at_once  # type: ignore[misc]  # of a class elsewhere
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(0)
            self.embed = nn.Conv2d(3, 32, PATCH, PATCH)
            self.norm = nn.LayerNorm(32)
            self.qkv = nn.Linear(32, 96)
            self.mixing = nn.Conv2d(32, 32, 3, padding=1)
            self.mixing_norm = nn.GroupNorm(4, 32)
            self.register_buffer("vectors", torch.randn(len(ACTIONS), 32))
        self.requires_grad_(False).eval()

    def forward(self, pixels: torch.Tensor, actions: torch.Tensor) -> torch.Tensor:
        return torch.sigmoid(self.raw_maps(pixels, actions))

    def raw_maps(self, pixels: torch.Tensor, actions: torch.Tensor) -> torch.Tensor:
        grid = self.embed(pixels)
        rows, columns = grid.shape[-2:]
        tokens = self.norm(grid.flatten(2).transpose(1, 2))
        query, key, value = self.qkv(tokens).reshape(1, -1, 3, 4, 8).permute(2, 0, 3, 1, 4)
        mixed = functional.scaled_dot_product_attention(query, key, value)
        tokens = tokens + mixed.transpose(1, 2).flatten(2)
        grid = tokens.transpose(1, 2).reshape(1, 32, rows, columns)
        grid = grid + functional.gelu(self.mixing_norm(self.mixing(grid)))
        vectors = self.vectors.index_select(0, actions)
        return torch.einsum("kc,chw->khw", vectors, grid[0]) * 0.1

    def settings(self) -> dict[str, Any]:
        return {}


@dataclass
class FakeEngine:
    """Runs the network itself, with whatever fault the backend was told to have."""

    backend: FakeBackend
    work: Work
    runs: int = 0
    closed: bool = False

    @property
    def description(self) -> str:
        return f"{self.work.candidate.name}-cpu"

    def run(self, pixels: NDArray[np.float32], actions: NDArray[np.int64]) -> NDArray[np.float32]:
        assert not self.closed, "a closed engine was run"
        self.runs += 1
        indices = torch.from_numpy(actions)
        if self.work.shape.answers_all:
            indices = torch.arange(self.work.shape.vocabulary)
        assert len(indices) == self.work.shape.actions
        with torch.inference_mode():
            heat = self.work.network(torch.from_numpy(pixels), indices).numpy()
        return self.backend.faults.get(self.work.candidate.name, lambda heat: heat)(heat)

    def close(self) -> None:
        self.closed = True


@dataclass
class FakeBackend:
    """Writes a small file for an engine, counts what it does, and fails where it is told to."""

    name: str = "fake"
    device: str = "cpu"
    versions: dict[str, str] = field(default_factory=lambda: {"fake": "1.0", "gpu": "none"})
    faults: dict[str, Callable[[NDArray[np.float32]], NDArray[np.float32]]] = field(
        default_factory=dict
    )
    broken: dict[str, Exception] = field(default_factory=dict)
    gpu: dict[str, str] = field(default_factory=dict)
    builds: list[str] = field(default_factory=list)
    engines: list[FakeEngine] = field(default_factory=list)

    def ladder(self, precision: str) -> tuple[Candidate, ...]:
        names = ("int8", "bf16", "fp32")
        first = 0 if precision == "auto" else names.index(precision)
        return tuple(Candidate(self.name, name) for name in names[first:])

    def environment(self) -> Mapping[str, str]:
        return self.versions

    def options(self, candidate: Candidate) -> Mapping[str, Any]:
        return {"level": 3}

    def machine(self) -> Mapping[str, str]:
        return self.gpu

    def build(self, work: Work, folder: Path) -> None:
        self.builds.append(f"{work.candidate.name} {work.shape.height}x{work.shape.width}")
        if work.candidate.name in self.broken:
            raise self.broken[work.candidate.name]
        (folder / "engine.bin").write_bytes(b"engine")

    def load(self, work: Work, folder: Path) -> FakeEngine:
        if (folder / "engine.bin").read_bytes() != b"engine":
            raise ExportError("no engine of this runtime")
        engine = FakeEngine(self, work)
        self.engines.append(engine)
        return engine


@dataclass
class ManualBeside:
    """Does tasks beside the answers when the test says so, in this process."""

    tasks: list[Callable[[], None]] = field(default_factory=list)
    jobs: list[BuildJob] = field(default_factory=list)
    during: Callable[[], None] = field(default=lambda: None)
    closed: bool = False

    def submit(self, task: Callable[[], None]) -> None:
        self.tasks.append(task)

    def build(self, job: BuildJob, report: Callable[[str], None]) -> None:
        self.jobs.append(job)
        report("half done")
        self.during()
        job.perform(report)

    def close(self) -> None:
        self.closed = True

    def finish(self) -> None:
        """Do all tasks that wait."""
        while self.tasks:
            self.tasks.pop(0)()


@pytest.fixture
def beside() -> ManualBeside:
    return ManualBeside()


@pytest.fixture
def backend() -> FakeBackend:
    return FakeBackend()


@pytest.fixture
def network() -> SmallNetwork:
    return SmallNetwork()


@pytest.fixture
def network_of_single_actions() -> SmallNetwork:
    """Of which one run answers one action."""
    return SmallNetwork(at_once=False)


@pytest.fixture
def preprocess() -> Preprocess:
    return Preprocess(PreprocessConfig(size=SIZE, multiple=PATCH))


@pytest.fixture
def make_runtime(
    network: SmallNetwork,
    backend: FakeBackend,
    preprocess: Preprocess,
    beside: ManualBeside,
    tmp_path: Path,
) -> Callable[..., GatedRuntime]:
    """Make a runtime of the fake backend on a store in a temporary folder; frames wait for it."""

    def make(
        request: RuntimeRequest | None = None,
        *,
        of: GroundingNetwork | None = None,
        store: Path | None = None,
        stages_on_device: bool = False,
    ) -> GatedRuntime:
        request = request or RuntimeRequest("openvino", wait=True)  # any but auto
        candidates = backend.ladder(request.precision)
        ladder = Ladder(
            candidates if request.fall_back else candidates[:1], (), {backend.name: backend}
        )
        return GatedRuntime(
            EagerRuntime(of or network, "cpu", stages_on_device=stages_on_device),
            ladder,
            ArtifactStore(store or tmp_path / "engines"),
            request,
            Subject(preprocess.config, len(ACTIONS), 0.6),
            beside,
        )

    return make


@pytest.fixture
def make_grounder(preprocess: Preprocess) -> Callable[[GroundingNetwork], Grounder]:
    """Make a grounder on plain PyTorch."""

    def make(network: GroundingNetwork) -> Grounder:
        return Grounder(
            EagerRuntime(network, "cpu"),
            preprocess,
            ActionVocabulary(ACTIONS, {}),
            RegionConfig(),
            ModelInformation("small", "test", "0" * 64),
        )

    return make
