"""A runtime whose engines are built for the input sizes that come, and gated before they answer."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from affordance_grounding_core.errors import (
    ArtifactError,
    ExportError,
    RuntimeUnavailableError,
)
from affordance_grounding_core.inference.preprocess import PreprocessConfig
from affordance_grounding_core.inference.runtime import HeatRuntime, RuntimeReport
from affordance_grounding_core.runtimes.base import Candidate, Engine, Work
from affordance_grounding_core.runtimes.eager import EagerRuntime
from affordance_grounding_core.runtimes.engine_identity import (
    NetworkIdentity,
    engine_identity,
    engine_slot,
    network_identity,
)
from affordance_grounding_core.runtimes.engine_store import (
    Artifact,
    ArtifactStore,
    Verdict,
    abbreviate_error,
)
from affordance_grounding_core.runtimes.gate import (
    LIMITS,
    Frames,
    compare,
    judge,
    network_inputs,
    read_frames,
)
from affordance_grounding_core.runtimes.graph import GraphInput, actions_per_run
from affordance_grounding_core.runtimes.ladder import Ladder
from affordance_grounding_core.runtimes.request import RuntimeRequest

_log = logging.getLogger(__name__)

_GATE_ACTIONS = 8
"""Most actions compared a frame, where each takes a run of its own."""


@dataclass(frozen=True)
class Subject:
    """What the gate has to know of a grounder.

    Attributes:
        preprocess: of the model.
        vocabulary: number of actions.
        threshold: heat from which a pixel belongs to the mask.
    """

    preprocess: PreprocessConfig
    vocabulary: int
    threshold: float


@dataclass
class _Lane:
    """Frames of one size: how far down the ladder they are."""

    shape: GraphInput
    rung: int = 0
    engine: Engine | None = None
    artifact: Artifact | None = None
    settled: bool = False
    frames: int = 0
    rejected: list[str] = field(default_factory=list)


class GatedRuntime(HeatRuntime):
    """Runs a network on the best engine that passes the gate; else on PyTorch.

    For every size of input an engine is built, compared with PyTorch on real frames and kept in
    the store. An engine that cannot be built, fails the gate or fails in use gives way to the
    next of the ladder, at last to PyTorch in float32.

    Args:
        reference: PyTorch in float32; closed with this runtime.
        ladder: what to try.
        store: where engines are kept.
        request: what was asked for.
        subject: of the grounder.
    """

    def __init__(
        self,
        reference: EagerRuntime,
        ladder: Ladder,
        store: ArtifactStore,
        request: RuntimeRequest,
        subject: Subject,
    ) -> None:
        self._reference = reference
        self._ladder = ladder
        self._store = store
        self._request = request
        self._subject = subject
        self._lanes: dict[tuple[int, int], _Lane] = {}
        self._latest: _Lane | None = None
        self._identities: dict[GraphInput, NetworkIdentity] = {}
        self._frames: Frames | None = None
        self._expected: dict[tuple[int, int], list[NDArray[np.float32]]] = {}
        self._actions = actions_per_run(reference.network, subject.vocabulary)

    @property
    def reference(self) -> EagerRuntime:
        """PyTorch in float32, which the engines are measured against."""
        return self._reference

    @property
    def description(self) -> str:
        """Runtime, device and precision of what answered last."""
        engine = self._latest.engine if self._latest else None
        return engine.description if engine else self._reference.description

    @property
    def report(self) -> RuntimeReport:
        """What answered last, and why."""
        lane = self._latest
        artifact = lane.artifact if lane and lane.engine else None
        return RuntimeReport(
            description=self.description,
            asked=f"{self._request.runtime}-{self._request.precision}",
            degraded=bool(lane and lane.rejected) and not self._is_as_good(lane),
            gate=artifact.manifest.gate if artifact else None,
            fingerprint=artifact.manifest.fingerprint if artifact else "",
            folder=artifact.folder if artifact else None,
            rejected=(*self._ladder.refused, *(lane.rejected if lane else ())),
        )

    def _is_as_good(self, lane: _Lane | None) -> bool:
        """Whether another variant of the first rung's runtime and precision answers."""
        if lane is None or lane.engine is None:
            return False
        first, chosen = self._ladder.candidates[0], self._ladder.candidates[lane.rung]
        return (first.runtime, first.precision) == (chosen.runtime, chosen.precision)

    def prepare(self, height: int, width: int) -> RuntimeReport:
        """Load or build the engine for one input size now.

        Args:
            height: px of the network input.
            width: px of the network input.

        Raises:
            ExportError: no candidate can answer and nothing may take its place.
        """
        lane = self._lane(height, width)
        self._settle(lane)
        self._latest = lane
        return self.report

    def run(self, pixels: NDArray[np.float32], actions: Sequence[int]) -> NDArray[np.float32]:
        """Compute the heat of some actions.

        Args:
            pixels: (3, h, w) float32, normalised.
            actions: K indices into the vocabulary.

        Returns:
            (K, rows, columns) float32 in [0, 1].

        Raises:
            RuntimeUnavailableError: the runtime was closed.
            ExportError: no candidate can answer and nothing may take its place.
        """
        lane = self._lane(*pixels.shape[1:])
        lane.frames += 1
        if not lane.settled:
            if self._request.runtime != "auto" or lane.frames > self._request.patience:
                self._settle(lane)
            elif lane.frames == 1:
                self._settle(lane, only_stored=True)
        self._latest = lane
        while lane.engine is not None:
            heat = self._try_engine(lane, lane.engine, pixels[None], actions)
            if heat is not None:
                return heat
        return self._reference.run(pixels, actions)

    def close(self) -> None:
        """Free engines and the reference."""
        for lane in self._lanes.values():
            if lane.engine:
                lane.engine.close()
        self._lanes.clear()
        self._store.close()
        self._reference.close()

    def _try_engine(
        self, lane: _Lane, engine: Engine, pixels: NDArray[np.float32], actions: Sequence[int]
    ) -> NDArray[np.float32] | None:
        try:
            return self._run_engine(engine, lane.shape, pixels, actions)
        except (MemoryError, RuntimeError) as error:  # out of memory on a GPU is the latter
            self._reject(lane, f"failed in use ({abbreviate_error(error)})")
            self._settle(lane)
            return None

    def _lane(self, height: int, width: int) -> _Lane:
        known = self._lanes.get((height, width))
        if known is None:
            shape = GraphInput(height, width, self._actions, self._subject.vocabulary)
            known = self._lanes[height, width] = _Lane(shape)
        return known

    def _settle(self, lane: _Lane, *, only_stored: bool = False) -> None:
        """Find the highest rung that holds; with `only_stored`, without building anything."""
        while not lane.settled and lane.rung < len(self._ladder.candidates):
            candidate = self._ladder.candidates[lane.rung]
            try:
                artifact = self._artifact(lane.shape, candidate, only_stored)
                if artifact is None:
                    return
                if artifact.manifest.failures:
                    reasons = "; ".join(artifact.manifest.failures)
                    self._reject(lane, f"did not pass the gate: {reasons}")
                    continue
                work = self._work(lane.shape, candidate)
                lane.engine = self._ladder.backends[candidate.runtime].load(work, artifact.folder)
                lane.artifact = artifact
            except (RuntimeUnavailableError, ExportError, ArtifactError, MemoryError) as error:
                self._reject(lane, abbreviate_error(error))
            except (RuntimeError, OSError) as error:
                self._reject(lane, f"{type(error).__name__}: {abbreviate_error(error)}")
            else:
                lane.settled = True
                self._say_chosen(lane)
        if not lane.settled:
            self._settle_on_reference(lane)

    def _settle_on_reference(self, lane: _Lane) -> None:
        lane.settled = True
        if lane.rejected and not self._request.fall_back:
            raise ExportError(
                f"{lane.rejected[-1]}; nothing may take its place. Allow a fallback, or ask for "
                "another runtime or precision"
            )
        _log.warning(
            "frames of %d x %d px are answered by %s",
            lane.shape.height,
            lane.shape.width,
            self._reference.description,
        )

    def _reject(self, lane: _Lane, reason: str) -> None:
        sentence = f"{self._ladder.candidates[lane.rung].name} {reason}"
        _log.warning("%s; trying the next", sentence)
        lane.rejected.append(sentence)
        if lane.engine:
            lane.engine.close()
        lane.engine, lane.artifact, lane.settled = None, None, False
        lane.rung += 1

    def _say_chosen(self, lane: _Lane) -> None:
        if lane.engine and lane.artifact:
            _log.info(
                "frames of %d x %d px are answered by %s (%s), from %s",
                lane.shape.height,
                lane.shape.width,
                lane.engine.description,
                lane.artifact.manifest.gate,
                lane.artifact.folder,
            )

    def _artifact(
        self, shape: GraphInput, candidate: Candidate, only_stored: bool
    ) -> Artifact | None:
        backend = self._ladder.backends[candidate.runtime]
        work = self._work(shape, candidate)
        if shape not in self._identities:
            self._identities[shape] = network_identity(self._reference.network, shape)
        network = self._identities[shape]
        identity: Mapping[str, Any] = engine_identity(
            backend,
            work,
            network=network,
            preprocess=self._subject.preprocess,
            frames=self._pictures().fingerprint,
        )
        slot = engine_slot(network, work)
        if only_stored:
            return self._store.find(slot, identity)
        return self._store.find_or_build(slot, identity, lambda folder: self._build(work, folder))

    def _build(self, work: Work, folder: Path) -> Verdict:
        backend = self._ladder.backends[work.candidate.runtime]
        backend.build(work, folder)
        engine = backend.load(work, folder)
        try:
            work.report("comparing with PyTorch on real frames")
            return self._gate(engine, work)
        finally:
            engine.close()

    def _gate(self, engine: Engine, work: Work) -> Verdict:
        shape = work.shape
        inputs = self._inputs(self._pictures().gate, shape)
        step = 1 if shape.answers_all else max(1, shape.vocabulary // _GATE_ACTIONS)
        asked = range(0, shape.vocabulary, step)
        key = (shape.height, shape.width)
        if key not in self._expected:
            self._expected[key] = [self._reference.run(one[0], asked) for one in inputs]
        try:
            answers = [self._run_engine(engine, shape, one, asked) for one in inputs]
            figures = compare(
                self._expected[key],
                answers,
                threshold=self._subject.threshold,
                height=shape.height,
                width=shape.width,
            )
        except (ValueError, RuntimeError, IndexError) as error:
            return Verdict(None, (f"it cannot be run ({abbreviate_error(error)})",))
        return Verdict(figures, tuple(judge(figures, LIMITS[work.candidate.precision])))

    def _work(self, shape: GraphInput, candidate: Candidate) -> Work:
        def report(line: str) -> None:
            _log.info("%s for %d x %d px: %s", candidate.name, shape.height, shape.width, line)

        return Work(
            network=self._reference.network,
            shape=shape,
            candidate=candidate,
            calibration=lambda: self._inputs(self._pictures().calibration, shape),
            report=report,
        )

    def _pictures(self) -> Frames:
        if self._frames is None:
            self._frames = read_frames(self._request.frames)
        return self._frames

    def _inputs(
        self, frames: Sequence[NDArray[np.uint8]], shape: GraphInput
    ) -> list[NDArray[np.float32]]:
        return network_inputs(frames, self._subject.preprocess, shape.height, shape.width)

    @staticmethod
    def _run_engine(
        engine: Engine, shape: GraphInput, pixels: NDArray[np.float32], actions: Sequence[int]
    ) -> NDArray[np.float32]:
        indices = np.asarray(actions, np.int64)
        if shape.answers_all:
            return np.concatenate(_chosen(engine.run(pixels, indices), shape, indices))
        answers = []
        for begin in range(0, len(indices), shape.actions):
            some = indices[begin : begin + shape.actions]
            padded = np.pad(some, (0, shape.actions - len(some)), mode="edge")
            answers.append(_chosen(engine.run(pixels, padded), shape, np.arange(len(some))))
        return np.concatenate(np.concatenate(answers, axis=1))


def _chosen(
    answer: NDArray[np.float32], shape: GraphInput, places: NDArray[np.int64]
) -> NDArray[np.float32]:
    """Maps of some actions of a run, (1 or 2, K, rows, columns): their heat, and masks if drawn."""
    kinds = answer.reshape(-1, shape.actions, *answer.shape[1:])
    return np.asarray(kinds[:, places], np.float32)
