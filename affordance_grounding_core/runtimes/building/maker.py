"""Makes engines of one network and compares them with PyTorch, in whatever process."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from affordance_grounding_core.errors import abbreviate_error
from affordance_grounding_core.inference.preprocess import PreprocessConfig
from affordance_grounding_core.runtimes.base import Backend, Candidate, Engine, TensorEngine, Work
from affordance_grounding_core.runtimes.eager import EagerRuntime
from affordance_grounding_core.runtimes.engines.store import Verdict
from affordance_grounding_core.runtimes.gate import (
    LIMITS,
    Frames,
    compare,
    judge,
    network_inputs,
    read_frames,
)
from affordance_grounding_core.runtimes.graph import GraphInput

_GATE_ACTIONS = 8
"""Most actions compared a frame, where each takes a run of its own."""


@dataclass(frozen=True)
class Subject:
    """What the gate has to know of a grounder.

    Attributes:
        preprocess: preprocessing of the model.
        vocabulary: number of actions.
        threshold: heat from which a pixel belongs to the mask.
    """

    preprocess: PreprocessConfig
    vocabulary: int
    threshold: float


class EngineMaker:
    """Builds engines and passes judgement on them.

    Args:
        reference: PyTorch in float32, with the network.
        subject: what the gate has to know of the grounder.
        frames: folder of pictures to calibrate and compare on; None: those of the package.
    """

    def __init__(
        self, reference: EagerRuntime, subject: Subject, frames: Path | None = None
    ) -> None:
        self.reference = reference
        self.subject = subject
        self.folder = frames
        self._frames: Frames | None = None
        self._expected: dict[GraphInput, list[NDArray[np.float32]]] = {}

    @property
    def frames(self) -> Frames:
        """Pictures to calibrate and compare on.

        Raises:
            InvalidImageError: the folder holds too few pictures, or one cannot be read.
        """
        if self._frames is None:
            self._frames = read_frames(self.folder)
        return self._frames

    def work(self, shape: GraphInput, candidate: Candidate, report: Callable[[str], None]) -> Work:
        """Describe the engine of one candidate for one input shape.

        Args:
            shape: the input shape.
            candidate: how it shall run.
            report: takes lines on the progress of a build.
        """
        return Work(
            network=self.reference.network,
            shape=shape,
            candidate=candidate,
            calibration=lambda: self._inputs(self.frames.calibration, shape),
            report=report,
        )

    def make(self, backend: Backend, work: Work, folder: Path) -> Verdict:
        """Build an engine into an empty folder and compare it with PyTorch.

        Args:
            backend: backend of the candidate.
            work: what is built.
            folder: takes the engine's files.

        Raises:
            ExportError: the network cannot be turned into an engine.
        """
        backend.build(work, folder)
        return self.judge(backend, work, folder)

    def judge(self, backend: Backend, work: Work, folder: Path) -> Verdict:
        """Compare an engine on disk with PyTorch.

        Args:
            backend: backend of the candidate.
            work: the engine was built for.
            folder: folder with the engine's files.

        Raises:
            ExportError: the files are no engine of this runtime.
        """
        engine = backend.load(work, folder)
        try:
            work.report("comparing with PyTorch on real frames")
            return self._compare(engine, work)
        finally:
            engine.close()

    def _compare(self, engine: Engine, work: Work) -> Verdict:
        shape = work.shape
        inputs = self._inputs(self.frames.gate, shape)
        step = 1 if shape.answers_all else max(1, shape.vocabulary // _GATE_ACTIONS)
        asked = range(0, shape.vocabulary, step)
        if shape not in self._expected:
            self._expected[shape] = [self.reference.run(one[0], asked) for one in inputs]
        try:
            answers = [run_engine(engine, shape, one, asked) for one in inputs]
            figures = compare(
                self._expected[shape],
                answers,
                threshold=self.subject.threshold,
                height=shape.height,
                width=shape.width,
            )
        except (ValueError, RuntimeError, IndexError) as error:
            return Verdict(None, (f"it cannot be run ({abbreviate_error(error)})",))
        return Verdict(figures, tuple(judge(figures, LIMITS[work.candidate.precision])))

    def _inputs(
        self, frames: Sequence[NDArray[np.uint8]], shape: GraphInput
    ) -> list[NDArray[np.float32]]:
        return network_inputs(frames, self.subject.preprocess, shape.height, shape.width)


def run_engine(
    engine: Engine, shape: GraphInput, pixels: NDArray[np.float32], actions: Sequence[int]
) -> NDArray[np.float32]:
    """Compute the heat of some actions, in as many runs as the engine's shape needs.

    Args:
        engine: engine built for the shape.
        shape: how many actions a run answers.
        pixels: (1, 3, h, w) float32, normalised.
        actions: K indices into the vocabulary.

    Returns:
        (K, rows, columns) float32 in [0, 1]; the masks of the K actions behind their heat where
        the network draws masks.
    """
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


def run_on_device(
    engine: TensorEngine, shape: GraphInput, pixels: torch.Tensor, actions: Sequence[int]
) -> torch.Tensor:
    """Compute what `run_engine` does, without leaving the engine's device.

    Args:
        engine: engine built for the shape.
        shape: how many actions a run answers.
        pixels: (1, 3, h, w) float32 on the device.
        actions: K indices into the vocabulary.
    """
    indices = torch.tensor(list(actions), dtype=torch.int64, device=engine.device)
    answers = []
    for begin in range(0, len(indices), shape.actions):
        some = indices[begin : begin + shape.actions]
        padded = torch.cat([some, some[-1:].expand(shape.actions - len(some))])
        answer = engine.run_tensor(pixels, padded)
        kinds = answer.reshape(-1, shape.actions, *answer.shape[1:])
        if shape.answers_all:
            return kinds[:, indices].flatten(0, 1)
        answers.append(kinds[:, : len(some)])
    return torch.cat(answers, dim=1).flatten(0, 1)
