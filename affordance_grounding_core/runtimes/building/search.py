"""Search down a ladder: the best candidate that is built, passes the gate and can be loaded."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from affordance_grounding_core.errors import (
    ArtifactError,
    ExportError,
    RuntimeUnavailableError,
    abbreviate_error,
)
from affordance_grounding_core.runtimes.base import Candidate, Engine, Work
from affordance_grounding_core.runtimes.building.job import BuildJob
from affordance_grounding_core.runtimes.building.ladder import Ladder
from affordance_grounding_core.runtimes.building.maker import EngineMaker
from affordance_grounding_core.runtimes.engines.identity import (
    NetworkIdentity,
    engine_identity,
    engine_slot,
    graph_fingerprint,
    network_identity,
)
from affordance_grounding_core.runtimes.engines.manifest import Artifact
from affordance_grounding_core.runtimes.engines.store import ArtifactStore
from affordance_grounding_core.runtimes.graph import GraphInput

_log = logging.getLogger(__name__)

Report = Callable[[str], None]


@dataclass(frozen=True)
class Found:
    """Outcome of a search.

    Attributes:
        rung: place in the ladder that was reached.
        engine: ready to run; None where no candidate is left, or nothing may be built.
        artifact: stored files of the engine.
        rejected: one sentence a candidate that was tried in vain.
        finished: False where the candidate of the rung would have to be built.
    """

    rung: int
    engine: Engine | None = None
    artifact: Artifact | None = None
    rejected: tuple[str, ...] = ()
    finished: bool = True


class EngineSearch:
    """Finds engines for one network.

    Args:
        maker: makes the network's engines.
        ladder: what to try.
        store: where engines are kept.
    """

    def __init__(self, maker: EngineMaker, ladder: Ladder, store: ArtifactStore) -> None:
        self.ladder = ladder
        self._maker = maker
        self._store = store
        self._identities: dict[GraphInput, NetworkIdentity] = {}

    def stored(self, shape: GraphInput, rung: int) -> Found:
        """Look for an engine without building one.

        Args:
            shape: the input shape.
            rung: place in the ladder to begin with.
        """
        return self._descend(shape, rung, lambda job: self._store.find(job.slot, job.identity))

    def here(self, shape: GraphInput, rung: int) -> Found:
        """Find an engine or build it now, in this process.

        Args:
            shape: the input shape.
            rung: place in the ladder to begin with.
        """

        def find_or_build(job: BuildJob) -> Artifact:
            work = self._maker.work(shape, job.candidate, _say(job))
            return self._store.find_or_build(
                job.slot, job.identity, lambda folder: self._maker.make(job.backend, work, folder)
            )

        return self._descend(shape, rung, find_or_build)

    def beside(
        self, shape: GraphInput, rung: int, build: Callable[[BuildJob, Report], None], note: Report
    ) -> Found:
        """Find an engine or have it built elsewhere.

        Args:
            shape: the input shape.
            rung: place in the ladder to begin with.
            build: builds an engine into the store of a job and returns when it is there.
            note: takes what is being done, and "" at the end of each build.
        """

        def find_or_build(job: BuildJob) -> Artifact:
            found = self._store.find(job.slot, job.identity)
            if found is not None:
                return found
            say = _say(job)
            self._store.make_usable(job.slot)
            note(job.name)
            say("building beside the answers, in a process of its own")

            def report(line: str) -> None:
                note(f"{job.name}: {line}")
                say(line)

            try:
                build(self._job(shape, job.candidate), report)
            finally:
                note("")
            built = self._store.find(job.slot, job.identity)
            if built is None:  # gone or changed before it was read
                raise ExportError(f"what was built is not in {self._store.root / job.slot}")
            return built

        return self._descend(shape, rung, find_or_build)

    def _descend(
        self, shape: GraphInput, rung: int, get: Callable[[BuildJob], Artifact | None]
    ) -> Found:
        """Go down the ladder, until `get` has an engine that may be used or has none to give."""
        rejected: list[str] = []
        for place, candidate in enumerate(self.ladder.candidates[rung:], start=rung):
            try:
                artifact = get(self._job(shape, candidate))
                if artifact is None:
                    return Found(place, rejected=tuple(rejected), finished=False)
                work = self._maker.work(shape, candidate, lambda line: None)
                backend = self.ladder.backends[candidate.runtime]
                artifact = self._judged(artifact, work)
                if artifact.manifest.failures:
                    reasons = "; ".join(artifact.manifest.failures)
                    rejected.append(reject(candidate, f"did not pass the gate: {reasons}"))
                    continue
                return Found(place, backend.load(work, artifact.folder), artifact, tuple(rejected))
            except (RuntimeUnavailableError, ExportError, ArtifactError, MemoryError) as error:
                rejected.append(reject(candidate, abbreviate_error(error)))
            except (RuntimeError, OSError) as error:
                reason = f"{type(error).__name__}: {abbreviate_error(error)}"
                rejected.append(reject(candidate, reason))
        return Found(len(self.ladder.candidates), rejected=tuple(rejected))

    def _judged(self, artifact: Artifact, work: Work) -> Artifact:
        """Pass judgement on this machine, where an engine was built ahead on another."""
        backend = self.ladder.backends[work.candidate.runtime]
        return self._store.judged(
            artifact,
            backend.machine(),
            lambda: self._maker.judge(backend, work, artifact.folder),
        )

    def _job(self, shape: GraphInput, candidate: Candidate) -> BuildJob:
        maker, backend = self._maker, self.ladder.backends[candidate.runtime]
        network = maker.reference.network
        if shape not in self._identities:
            self._identities[shape] = self._identify(shape)
        work = maker.work(shape, candidate, lambda line: None)
        identity: dict[str, Any] = engine_identity(
            backend,
            work,
            network=self._identities[shape],
            preprocess=maker.subject.preprocess,
            frames=maker.frames.fingerprint,
        )
        return BuildJob(
            network=network,
            device=maker.reference.device,
            subject=maker.subject,
            frames=maker.folder,
            backend=backend,
            shape=shape,
            candidate=candidate,
            store=self._store.root,
            slot=engine_slot(self._identities[shape], work),
            identity=identity,
        )

    def _identify(self, shape: GraphInput) -> NetworkIdentity:
        """Identity of the network for an input shape; weights and code are read for the first."""
        network = self._maker.reference.network
        for known in self._identities.values():
            return replace(known, graph_sha256=graph_fingerprint(network, shape))
        return network_identity(network, shape)


def reject(candidate: Candidate, reason: str) -> str:
    """Say why a candidate is not used, in the log and as a sentence for the report."""
    sentence = f"{candidate.name} {reason}"
    _log.warning("%s; trying the next", sentence)
    return sentence


def _say(job: BuildJob) -> Report:
    return lambda line: _log.info("%s: %s", job.name, line)
