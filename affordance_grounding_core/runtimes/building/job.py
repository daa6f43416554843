"""One engine to be built: everything another process needs for it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from affordance_grounding_core.errors import ExportError
from affordance_grounding_core.inference.network import GroundingNetwork
from affordance_grounding_core.runtimes.base import Backend, Candidate
from affordance_grounding_core.runtimes.building.maker import EngineMaker, Subject
from affordance_grounding_core.runtimes.eager import EagerRuntime
from affordance_grounding_core.runtimes.engines.identity import engine_identity, network_identity
from affordance_grounding_core.runtimes.engines.manifest import Artifact, difference
from affordance_grounding_core.runtimes.engines.store import ArtifactStore
from affordance_grounding_core.runtimes.graph import GraphInput


@dataclass(frozen=True)
class BuildJob:
    """Everything a build needs, picklable.

    Attributes:
        network: network that the engine computes.
        device: the reference runs on, for example "cpu" or "cuda".
        subject: what the gate has to know of the grounder.
        frames: folder of pictures to calibrate and compare on; None: those of the package.
        backend: backend of the candidate.
        shape: the input shape.
        candidate: how the engine shall run.
        store: folder the engine is kept in, which can be written.
        slot: name of the engine's folder in the store.
        identity: identity of the engine.
    """

    network: GroundingNetwork
    device: str
    subject: Subject
    frames: Path | None
    backend: Backend
    shape: GraphInput
    candidate: Candidate
    store: Path
    slot: str
    identity: Mapping[str, Any]

    @property
    def name(self) -> str:
        """What is built, for people."""
        return f"{self.candidate.name} for {self.shape.height} x {self.shape.width} px"

    def perform(self, report: Callable[[str], None]) -> Artifact:
        """Build the engine, compare it with PyTorch and store it with the outcome.

        Args:
            report: takes lines on the progress.

        Raises:
            ExportError: it cannot be built, or what is here is not what was asked for.
        """
        maker = EngineMaker(EagerRuntime(self.network, self.device), self.subject, self.frames)
        work = maker.work(self.shape, self.candidate, report)
        here = engine_identity(
            self.backend,
            work,
            network=network_identity(self.network, self.shape),
            preprocess=self.subject.preprocess,
            frames=maker.frames.fingerprint,
        )
        field = difference(self.identity, here)
        if field:
            raise ExportError(
                f"the process that builds has another {field}; was the package changed while it "
                "runs? Start the program again"
            )
        return ArtifactStore(self.store).find_or_build(
            self.slot, self.identity, lambda folder: maker.make(self.backend, work, folder)
        )
