"""Gated runtime: an engine for each input size, compared with PyTorch before it answers."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TypeVar

import numpy as np
import torch
from numpy.typing import NDArray

from affordance_grounding_core.errors import ExportError, abbreviate_error
from affordance_grounding_core.images.arrays import RgbImage
from affordance_grounding_core.inference.preprocess import Preprocess
from affordance_grounding_core.inference.runtime import HeatRuntime, ImageMaps, RuntimeReport
from affordance_grounding_core.runtimes.base import Engine, TensorEngine
from affordance_grounding_core.runtimes.building.beside import Beside
from affordance_grounding_core.runtimes.building.ladder import Ladder
from affordance_grounding_core.runtimes.building.maker import (
    EngineMaker,
    Subject,
    run_engine,
    run_on_device,
)
from affordance_grounding_core.runtimes.building.search import EngineSearch, Found, reject
from affordance_grounding_core.runtimes.eager import EagerRuntime
from affordance_grounding_core.runtimes.engines.manifest import Artifact
from affordance_grounding_core.runtimes.engines.store import ArtifactStore
from affordance_grounding_core.runtimes.graph import GraphInput, actions_per_run
from affordance_grounding_core.runtimes.request import RuntimeRequest

_log = logging.getLogger(__name__)

_Answer = TypeVar("_Answer")


@dataclass
class _Lane:
    """Frames of one size: how far down the ladder they are.

    Attributes:
        shape: the input shape.
        rung: place in the ladder.
        engine: engine that answers; None: PyTorch answers.
        artifact: stored files of the engine.
        settled: whether nothing better is to be looked for.
        frames: number of frames that came so far.
        rejected: one sentence a candidate that was tried in vain.
        is_sought: whether an engine is looked for, or built, beside the answers.
        found: what that brought, until the next frame takes it over.
    """

    shape: GraphInput
    rung: int = 0
    engine: Engine | None = None
    artifact: Artifact | None = None
    settled: bool = False
    frames: int = 0
    rejected: list[str] = field(default_factory=list)
    is_sought: bool = False
    found: Found | None = None


class GatedRuntime(HeatRuntime):
    """Runs a network on the best engine that passes the gate; else on PyTorch.

    For every size of input an engine is built, compared with PyTorch on real frames and kept in
    the store. An engine that cannot be built, fails the gate or fails in use gives way to the
    next of the ladder, at last to PyTorch in float32.

    Frames do not wait for any of this, unless the request says so: PyTorch answers while an
    engine is looked for, built and compared beside the answers, and the frame after that is the
    engine's.

    Args:
        reference: PyTorch in float32; closed with this runtime.
        ladder: what to try.
        store: where engines are kept.
        request: what was asked for.
        subject: what the gate has to know of the grounder.
        beside: does what frames do not wait for; closed with this runtime.
    """

    def __init__(
        self,
        reference: EagerRuntime,
        ladder: Ladder,
        store: ArtifactStore,
        request: RuntimeRequest,
        subject: Subject,
        beside: Beside,
    ) -> None:
        self._reference = reference
        self._ladder = ladder
        self._store = store
        self._request = request
        self._beside = beside
        self._search = EngineSearch(EngineMaker(reference, subject, request.frames), ladder, store)
        self._vocabulary = subject.vocabulary
        self._actions = actions_per_run(reference.network, subject.vocabulary)
        self._lanes: dict[tuple[int, int], _Lane] = {}
        self._latest: _Lane | None = None
        self._building = ""

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
            building=self._building,
        )

    def _is_as_good(self, lane: _Lane | None) -> bool:
        """Whether another variant of the first rung's runtime and precision answers."""
        if lane is None or lane.engine is None:
            return False
        first, chosen = self._ladder.candidates[0], self._ladder.candidates[lane.rung]
        return (first.runtime, first.precision) == (chosen.runtime, chosen.precision)

    def prepare(self, height: int, width: int, *, wait: bool = True) -> RuntimeReport:
        """Load or build the engine for one input size.

        Args:
            height: px of the network input.
            width: px of the network input.
            wait: whether an engine that has to be built is built now; otherwise that begins,
                and PyTorch answers meanwhile.

        Raises:
            ExportError: no candidate can answer and nothing may take its place.
        """
        lane = self._lane(height, width)
        self._take_over(lane)
        if not lane.settled and (wait or self._request.waits):
            self._apply(lane, self._search.here(lane.shape, lane.rung))
        elif not lane.settled and not lane.is_sought:
            self._apply(lane, self._search.stored(lane.shape, lane.rung))
            if not lane.settled:
                self._seek(lane)
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

        def by_engine(engine: Engine, shape: GraphInput) -> NDArray[np.float32]:
            return run_engine(engine, shape, pixels[None], actions)

        height, width = pixels.shape[1:]
        return self._answer(height, width, by_engine, lambda: self._reference.run(pixels, actions))

    def image_maps(
        self, image: RgbImage, preprocess: Preprocess, actions: Sequence[int]
    ) -> ImageMaps:
        """Compute the heat of some actions in the pixels of an image; see `HeatRuntime`.

        An engine on the reference's device, where that resizes image and heat too, keeps them
        there.
        """
        stages = self._reference.stages(preprocess)

        def by_engine(engine: Engine, shape: GraphInput) -> ImageMaps:
            if stages is None or not isinstance(engine, TensorEngine):
                pixels, geometry = preprocess(image)
                answer = run_engine(engine, shape, pixels[None], actions)
                return ImageMaps.of(answer, geometry, preprocess)
            with torch.inference_mode():
                tensor, geometry = stages.to_pixels(image)
                return stages.to_image(run_on_device(engine, shape, tensor, actions), geometry)

        geometry = preprocess.geometry(*image.shape[:2])
        return self._answer(
            geometry.input_height,
            geometry.input_width,
            by_engine,
            lambda: self._reference.image_maps(image, preprocess, actions),
        )

    def close(self) -> None:
        """Stop what is built, free engines and the reference."""
        self._beside.close()
        for lane in self._lanes.values():
            for engine in (lane.engine, lane.found.engine if lane.found else None):
                if engine is not None:
                    engine.close()
        self._lanes.clear()
        self._store.close()
        self._reference.close()

    def _answer(
        self,
        height: int,
        width: int,
        by_engine: Callable[[Engine, GraphInput], _Answer],
        by_reference: Callable[[], _Answer],
    ) -> _Answer:
        """Answer a frame of an input size by its engine, or by PyTorch where it has none."""
        lane = self._lane(height, width)
        lane.frames += 1
        self._take_over(lane)
        if not lane.settled and not lane.is_sought:
            self._advance(lane)
        self._latest = lane
        while lane.engine is not None:
            answer = self._try_engine(lane, lane.engine, by_engine)
            if answer is not None:
                return answer
        return by_reference()

    def _lane(self, height: int, width: int) -> _Lane:
        known = self._lanes.get((height, width))
        if known is None:
            shape = GraphInput(height, width, self._actions, self._vocabulary)
            known = self._lanes[height, width] = _Lane(shape)
        return known

    def _advance(self, lane: _Lane) -> None:
        """Look for an engine, as far as the frames that came so far are worth it."""
        may_build = self._request.runtime != "auto" or lane.frames > self._request.patience
        if not may_build and lane.frames > 1:
            return
        if not self._request.waits:
            self._seek(lane, only_stored=not may_build)
        elif may_build:
            self._apply(lane, self._search.here(lane.shape, lane.rung))
        else:
            self._apply(lane, self._search.stored(lane.shape, lane.rung))

    def _seek(self, lane: _Lane, *, only_stored: bool = False) -> None:
        """Look for an engine, or have it built, beside the answers."""

        def note(line: str) -> None:
            self._building = line

        def seek() -> None:
            try:
                if only_stored:
                    lane.found = self._search.stored(lane.shape, rung)
                else:
                    lane.found = self._search.beside(lane.shape, rung, self._beside.build, note)
            except Exception as error:  # nobody waits for it: it is said in the report
                reason = f"no engine is looked for ({type(error).__name__}: {error})"
                lane.found = Found(len(self._ladder.candidates), rejected=(reason,))

        rung = lane.rung
        lane.is_sought = True
        self._beside.submit(seek)

    def _take_over(self, lane: _Lane) -> None:
        """Take over what was found beside the answers, if anything was."""
        if lane.found is None:
            return
        found, lane.found, lane.is_sought = lane.found, None, False
        if not lane.settled:
            self._apply(lane, found)
        elif found.engine is not None:  # somebody waited for one meanwhile
            found.engine.close()

    def _apply(self, lane: _Lane, found: Found) -> None:
        lane.rung = found.rung
        lane.rejected += found.rejected
        lane.engine, lane.artifact = found.engine, found.artifact
        lane.settled = found.finished
        size = f"{lane.shape.height} x {lane.shape.width} px"
        if found.engine is not None and found.artifact is not None:
            _log.info(
                "frames of %s are answered by %s (%s), from %s",
                size,
                found.engine.description,
                found.artifact.manifest.gate,
                found.artifact.folder,
            )
        elif found.finished:
            if lane.rejected and not self._request.fall_back:
                raise ExportError(
                    f"{lane.rejected[-1]}; nothing may take its place. Allow a fallback, or ask "
                    "for another runtime or precision"
                )
            _log.warning("frames of %s are answered by %s", size, self._reference.description)

    def _try_engine(
        self, lane: _Lane, engine: Engine, by_engine: Callable[[Engine, GraphInput], _Answer]
    ) -> _Answer | None:
        try:
            return by_engine(engine, lane.shape)
        except (MemoryError, RuntimeError) as error:  # out of memory on a GPU is the latter
            reason = f"failed in use ({abbreviate_error(error)})"
        lane.rejected.append(reject(self._ladder.candidates[lane.rung], reason))
        engine.close()
        lane.engine, lane.artifact, lane.settled = None, None, False
        lane.rung += 1
        if self._request.waits:
            self._apply(lane, self._search.here(lane.shape, lane.rung))
        else:
            self._seek(lane)
        return None
