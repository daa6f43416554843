"""Builds engines ahead, on machines that cannot run them: in a container build, on a laptop."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from affordance_grounding_core.errors import ExportError, abbreviate_error
from affordance_grounding_core.runtimes.base import Candidate
from affordance_grounding_core.runtimes.building.maker import EngineMaker, Subject
from affordance_grounding_core.runtimes.eager import EagerRuntime
from affordance_grounding_core.runtimes.engines.identity import (
    engine_identity,
    engine_slot,
    network_identity,
)
from affordance_grounding_core.runtimes.engines.manifest import Artifact
from affordance_grounding_core.runtimes.engines.store import ArtifactStore, Verdict
from affordance_grounding_core.runtimes.graph import GraphInput, actions_per_run
from affordance_grounding_core.runtimes.tensorrt_rtx import TensorrtRtxBackend, candidates_for

if TYPE_CHECKING:
    from affordance_grounding_core.inference.grounder import Grounder


@dataclass(frozen=True)
class AheadPlan:
    """What is built ahead.

    Attributes:
        sizes: height and width in px of the images that will come.
        capabilities: compute capabilities, for example "8.6".
        precision: one of `PRECISIONS`; "auto" is the best that can be built.
        store: folder of engines.
        frames: folder of pictures that the robot will compare on; None: those of the package.
    """

    sizes: Sequence[tuple[int, int]]
    capabilities: Sequence[str]
    precision: str
    store: Path
    frames: Path | None = None


def build_ahead(
    grounder: Grounder, reference: EagerRuntime, plan: AheadPlan, report: Callable[[str], None]
) -> list[dict[str, Any]]:
    """Build engines of TensorRT for RTX; nothing is compared: the robot does that once.

    Args:
        grounder: grounder whose preprocessing and vocabulary hold.
        reference: PyTorch, with its network.
        plan: what to build.
        report: takes lines on the progress.

    Returns:
        Plain values on each engine, as `export` prints them.

    Raises:
        RuntimeUnavailableError: the builder is not installed, or has no such capability or
            precision.
    """
    vocabulary = len(grounder.actions)
    subject = Subject(grounder.preprocess.config, vocabulary, grounder.regions.threshold)
    maker = EngineMaker(reference, subject, plan.frames)
    ladders = [candidates_for(capability, plan.precision) for capability in plan.capabilities]
    entries = []
    for height, width in plan.sizes:
        geometry = grounder.geometry(height, width)
        shape = GraphInput(
            geometry.input_height,
            geometry.input_width,
            actions_per_run(reference.network, vocabulary),
            vocabulary,
        )
        for ladder in ladders:
            entry = _first_built(maker, shape, ladder, ArtifactStore(plan.store), report)
            entries.append({"image_width": width, "image_height": height, **entry})
    return entries


def _first_built(
    maker: EngineMaker,
    shape: GraphInput,
    ladder: Sequence[Candidate],
    store: ArtifactStore,
    report: Callable[[str], None],
) -> dict[str, Any]:
    rejected: list[str] = []
    for candidate in ladder:
        artifact, reason = _try(maker, shape, candidate, store, report)
        if artifact is not None:
            size = sum(file.stat().st_size for file in artifact.folder.iterdir())
            return {
                "description": f"{candidate.name}, built ahead",
                "degraded": candidate != ladder[0],
                "rejected": rejected,
                "folder": str(artifact.folder),
                "megabytes": round(size / 1e6, 1),
            }
        rejected.append(reason)
    return {"description": "nothing", "degraded": True, "rejected": rejected}


def _try(
    maker: EngineMaker,
    shape: GraphInput,
    candidate: Candidate,
    store: ArtifactStore,
    report: Callable[[str], None],
) -> tuple[Artifact | None, str]:
    backend = TensorrtRtxBackend()
    work = maker.work(shape, candidate, lambda line: report(f"{candidate.name}: {line}"))
    network = network_identity(maker.reference.network, shape)
    identity = engine_identity(
        backend,
        work,
        network=network,
        preprocess=maker.subject.preprocess,
        frames=maker.frames.fingerprint,
    )

    def build(folder: Path) -> Verdict:
        backend.build(work, folder)
        return Verdict(None, is_gated=False)

    try:
        return store.find_or_build(engine_slot(network, work), identity, build), ""
    except ExportError as error:
        return None, f"{candidate.name} {abbreviate_error(error)}"
