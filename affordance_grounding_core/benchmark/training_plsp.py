"""Times a training step of WSAG-PLSP at its published size, against its plain path.

Weights and pictures are random: what is measured is time, and that the losses agree.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping
from contextlib import nullcontext
from dataclasses import dataclass
from typing import Any

import torch
from torch.nn import functional

from affordance_grounding_core.actions.datasets import AGD20K_SEEN
from affordance_grounding_core.benchmark.machine import Machine
from affordance_grounding_core.benchmark.measure import measure_in_turns
from affordance_grounding_core.benchmark.published_plsp import plain_network
from affordance_grounding_core.benchmark.report import PUBLISHED, Row, training_rows
from affordance_grounding_core.methods.plsp.config import (
    PlspLossConfig,
    PlspNetworkConfig,
    PlspOptimiserConfig,
)
from affordance_grounding_core.methods.plsp.encoders import ClipTokens
from affordance_grounding_core.methods.plsp.losses import (
    alignment_loss,
    distribution_loss,
    exocentric_tokens,
    text_loss,
    weighted_loss,
)
from affordance_grounding_core.methods.plsp.network import PlspNetwork


@dataclass(frozen=True)
class PlspBatch:
    """Random pictures, labels and text vectors of one batch; one exocentric image a sample.

    Attributes:
        egocentric: (B, 3, s, s) float32.
        exocentric: (B, 3, s, s) float32.
        object_masks: (B, N) float32, 1 for patches of the object in the exocentric image.
        labels: (B, 1, s, s) float32, distributions.
        actions: (B) int64.
        vectors: text vectors by "action", "noun" and "part", (B, C) float32.
    """

    egocentric: torch.Tensor
    exocentric: torch.Tensor
    object_masks: torch.Tensor
    labels: torch.Tensor
    actions: torch.Tensor
    vectors: Mapping[str, torch.Tensor]


def random_plsp_batch(
    samples: int = 10, size: int = 224, width: int = 512, patch: int = 16, seed: int = 0
) -> PlspBatch:
    """Draw a batch; the defaults are the published sizes.

    Args:
        samples: B.
        size: side of the images in px.
        width: C.
        patch: side of a patch in px.
        seed: seed of everything random.
    """
    generator = torch.Generator().manual_seed(seed)

    def draw(*shape: int) -> torch.Tensor:
        return torch.randn(*shape, generator=generator)

    labels = draw(samples, 1, size, size).abs()
    return PlspBatch(
        draw(samples, 3, size, size),
        draw(samples, 3, size, size),
        (draw(samples, (size // patch) ** 2) > 0).float(),
        labels / labels.sum(dim=(2, 3), keepdim=True),
        torch.randint(len(AGD20K_SEEN), (samples,), generator=generator),
        {name: draw(samples, width) for name in ("action", "noun", "part")},
    )


class PlspTrainingStep:
    """One step of training: loss of all terms, gradient, AdamW.

    Args:
        network: trained by the steps.
        together: whether egocentric and exocentric images are encoded in one run.
        precision: "fp32" or "bf16", by autocast as the trainer does it.
    """

    def __init__(self, network: PlspNetwork, *, together: bool, precision: str = "fp32") -> None:
        self.network = network.train()
        self.together = together
        self.precision = precision
        self.loss = PlspLossConfig()
        options = PlspOptimiserConfig()
        self.optimiser = torch.optim.AdamW(
            network.parameters(),
            lr=options.learning_rate,
            betas=options.betas,
            weight_decay=options.weight_decay,
        )

    def __call__(self, batch: PlspBatch) -> float:
        """Take one step; returns the loss before it."""
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(0)  # the same paths are dropped, whoever steps
            with self._autocast():
                total = self._loss(batch)
        self.optimiser.zero_grad()
        total.backward()  # type: ignore[no-untyped-call]
        self.optimiser.step()
        return float(total.detach())

    def _loss(self, batch: PlspBatch) -> torch.Tensor:
        tokens, people, rows, columns = self._encode(batch)
        answer = self.network.ground(tokens, batch.vectors["action"], rows, columns)
        objects = exocentric_tokens(people, batch.object_masks)
        return weighted_loss(
            distribution_loss(answer.logits.float(), batch.labels),
            alignment_loss(answer.affordance, objects, self.loss.margin),
            functional.cross_entropy(self.network.classify(objects), batch.actions),
            text_loss(answer.noun, batch.vectors["noun"]),
            text_loss(answer.part, batch.vectors["part"]),
            self.loss,
        ).total

    def _encode(self, batch: PlspBatch) -> tuple[torch.Tensor, torch.Tensor, int, int]:
        if self.together:
            pixels = torch.cat([batch.egocentric, batch.exocentric])
            both, rows, columns = self.network.encode(pixels)
            count = len(batch.egocentric)
            tokens, people = both[:count], both[count:]
        else:
            tokens, rows, columns = self.network.encode(batch.egocentric)
            people, _, _ = self.network.encode(batch.exocentric)
        return tokens, people, rows, columns

    def _autocast(self) -> Any:
        if self.precision == "fp32":
            return nullcontext()
        return torch.autocast("cpu", dtype=torch.bfloat16)


class PlspTrainingBenchmark:
    """All ways to take a training step, on one batch and with equal weights.

    Args:
        batch: batch of pictures.
        network: network with CLIP as its encoder; of the published sizes if None. Stays as it is.
    """

    def __init__(self, batch: PlspBatch, network: PlspNetwork | None = None) -> None:
        self.batch = batch
        self.network = network or _published_size()

    def run(self, rounds: int, machine: Machine, *, show_progress: bool = False) -> list[Row]:
        """Measure.

        Args:
            rounds: timed steps of each way.
            machine: as measured.
            show_progress: whether to draw a progress bar.

        Returns:
            The published path first. `max_error` is the difference of the first step's loss
            from its loss, as a share of it.
        """
        works = self._works()
        first = {name: work() for name, work in works.items()}
        timings = measure_in_turns(works, rounds, warm_up=0, show_progress=show_progress)
        return training_rows(timings, first)

    def first_losses(self) -> dict[str, float]:
        """Loss of every way on the same batch and weights."""
        return {name: work() for name, work in self._works().items()}

    def _works(self) -> dict[str, Callable[[], float]]:
        steps = {
            PUBLISHED: PlspTrainingStep(plain_network(self.network), together=False),
            "eager fp32": PlspTrainingStep(copy.deepcopy(self.network), together=True),
            "eager bf16": PlspTrainingStep(
                copy.deepcopy(self.network), together=True, precision="bf16"
            ),
        }

        def bind(step: PlspTrainingStep) -> Callable[[], float]:
            return lambda: step(self.batch)

        return {name: bind(step) for name, step in steps.items()}


def _published_size() -> PlspNetwork:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return PlspNetwork(PlspNetworkConfig(actions=len(AGD20K_SEEN)), ClipTokens())
