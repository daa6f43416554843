"""Times a training step of SelectiveCL at its published size, against the released path.

Weights and pictures are random: what is measured is time, and that the losses agree.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch

from affordance_grounding_core.actions.datasets import AGD20K_SEEN
from affordance_grounding_core.actions.prompts import action_prompt, exocentric_prompt
from affordance_grounding_core.backbones.clip import Clip, empty_clip
from affordance_grounding_core.backbones.dino import Dino
from affordance_grounding_core.benchmark.machine import Machine
from affordance_grounding_core.benchmark.measure import measure_in_turns
from affordance_grounding_core.benchmark.published_selective_cl import (
    PublishedBackbones,
    PublishedTrainingStep,
)
from affordance_grounding_core.benchmark.report import PUBLISHED, Row, training_rows
from affordance_grounding_core.methods.selective_cl.affinity_sources import ClipAffinity
from affordance_grounding_core.methods.selective_cl.config import (
    DiscoveryConfig,
    ObjectiveConfig,
    OptimiserConfig,
    SelectiveHeadConfig,
    build_optimiser,
)
from affordance_grounding_core.methods.selective_cl.frozen_backbones import (
    FrozenBackbones,
    FrozenFeatures,
    Precision,
)
from affordance_grounding_core.methods.selective_cl.network import SelectiveHead
from affordance_grounding_core.methods.selective_cl.objective import selective_objective


@dataclass(frozen=True)
class TrainingBatch:
    """Random pictures of one batch.

    Attributes:
        egocentric: (B, 3, s, s) float32.
        exocentric: (B * E, 3, s, s) float32.
        labels: (B) int64 actions.
    """

    egocentric: torch.Tensor
    exocentric: torch.Tensor
    labels: torch.Tensor


class SelectiveTrainingStep:
    """One step of training as this package takes it.

    Args:
        head: trained layers.
        provider: affinity from texts that were encoded once.
        published_quirks: whether to compute the released code's objective, to the same loss.
    """

    def __init__(
        self, head: SelectiveHead, provider: ClipAffinity, published_quirks: bool = False
    ) -> None:
        self.head = head.train()
        self.provider = provider
        self.optimiser, _ = build_optimiser(head, OptimiserConfig())
        self.config = ObjectiveConfig(discovery=DiscoveryConfig(published_quirks=published_quirks))

    def __call__(
        self, egocentric: FrozenFeatures, exocentric: FrozenFeatures, labels: torch.Tensor
    ) -> float:
        """Take one step on features; returns the loss before it."""
        generator = torch.Generator().manual_seed(0)
        output = selective_objective(
            self.head, egocentric, exocentric, labels, 1, self.provider, self.config, generator
        )
        self.optimiser.zero_grad()
        output.total.backward()  # type: ignore[no-untyped-call]
        self.optimiser.step()
        return float(output.total.detach())


class SelectiveTrainingBenchmark:
    """All ways to take a training step, on one batch and with equal weights.

    Args:
        batch: batch of pictures.
        clip: both encoders; the published sizes if None.
        dino: DINO, which makes the descriptors; of the published size if None.
        actions: vocabulary.
        seed: seed of the head's weights.
    """

    def __init__(
        self,
        batch: TrainingBatch,
        clip: Clip | None = None,
        dino: Dino | None = None,
        actions: tuple[str, ...] = AGD20K_SEEN,
        seed: int = 0,
    ) -> None:
        self.batch = batch
        self.clip = clip or empty_clip()
        self.dino = dino or Dino()
        self.actions = actions
        self.seed = seed
        encode = self.clip.text.encode
        self.provider = ClipAffinity(
            encode([action_prompt(action) for action in actions]),
            encode([exocentric_prompt(action) for action in actions]),
        )
        self._losses: dict[str, float] = {}

    def run(self, rounds: int, machine: Machine, *, show_progress: bool = False) -> list[Row]:
        """Measure.

        Args:
            rounds: timed steps of each way.
            machine: as measured.
            show_progress: whether to draw a progress bar.

        Returns:
            The published path first. `max_error` is the difference of the first step's loss
            from its loss, as a share of it, at the released code's objective; the rows'
            times are of the intended objective.
        """
        works = self._works()
        timings = measure_in_turns(works, rounds, show_progress=show_progress)
        return training_rows(timings, self.first_losses())

    def first_losses(self) -> dict[str, float]:
        """Loss of every way on the same batch and weights, all with the released objective."""
        return {name: work() for name, work in self._works(published_quirks=True).items()}

    def _works(self, published_quirks: bool = False) -> dict[str, Callable[[], float]]:
        batch = self.batch
        head = self._head()
        published = PublishedTrainingStep(
            PublishedBackbones(self.clip, self.dino),
            head,
            self.actions,
            build_optimiser(head, OptimiserConfig())[0],
        )

        def live(precision: Precision) -> Callable[[], float]:
            step = SelectiveTrainingStep(self._head(), self.provider, published_quirks)
            backbones = FrozenBackbones(self.dino, self.clip.image, precision)
            return lambda: step(
                backbones(batch.egocentric), backbones(batch.exocentric), batch.labels
            )

        return {
            PUBLISHED: lambda: published(batch.egocentric, batch.exocentric, batch.labels),
            "eager fp32": live("float32"),
            "eager bf16": live("bfloat16"),
            "cached-features fp32": self._cached(published_quirks),
        }

    def _cached(self, published_quirks: bool) -> Callable[[], float]:
        step = SelectiveTrainingStep(self._head(), self.provider, published_quirks)
        backbones = FrozenBackbones(self.dino, self.clip.image)
        egocentric = backbones(self.batch.egocentric).to("cpu", torch.float16)
        exocentric = backbones(self.batch.exocentric).to("cpu", torch.float16)
        return lambda: step(
            egocentric.to("cpu", torch.float32),
            exocentric.to("cpu", torch.float32),
            self.batch.labels,
        )

    def _head(self) -> SelectiveHead:
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(self.seed)
            return SelectiveHead(
                SelectiveHeadConfig(len(self.actions), feature_width=self.dino.width)
            )


def random_batch(
    samples: int = 8, exocentric: int = 3, size: int = 224, actions: int = 36, seed: int = 0
) -> TrainingBatch:
    """Draw a batch of the published size.

    Args:
        samples: B.
        exocentric: E, images of each sample.
        size: side of the images in px.
        actions: number of actions.
        seed: seed of the pictures and labels.
    """
    generator = torch.Generator().manual_seed(seed)
    return TrainingBatch(
        torch.randn(samples, 3, size, size, generator=generator),
        torch.randn(samples * exocentric, 3, size, size, generator=generator),
        torch.randint(actions, (samples,), generator=generator),
    )
