"""From a run that is ready to train to its checkpoints, for all methods."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Generic, Protocol

import torch

from affordance_grounding_core.checkpoints.format import (
    Checkpoint,
    read_checkpoint,
    write_checkpoint,
)
from affordance_grounding_core.training.epoch_score import Score
from affordance_grounding_core.training.run_cli import RunCLI

BEST, LAST = "best", "last"
"""Folders, in that of a run, of the models of these epochs."""


class StoredModel(Protocol):
    """Everything inference needs."""

    def as_checkpoint(
        self, notes: Mapping[str, Any]
    ) -> tuple[dict[str, Any], dict[str, torch.Tensor]]:
        """Return config and tensors for `write_checkpoint`."""
        ...


@dataclass(frozen=True)
class TrainingOutcome(Generic[Score]):
    """What a run leaves behind.

    Attributes:
        last: checkpoint of the last epoch.
        best: checkpoint of the best epoch; None where epochs were not compared.
        scores: scores of all epochs that were scored; epoch -1 is that of the first weights.
    """

    last: Checkpoint
    best: Checkpoint | None
    scores: tuple[Score, ...]

    @property
    def trained_scores(self) -> tuple[Score, ...]:
        """The scores of the epochs of training."""
        return tuple(score for score in self.scores if score.epoch >= 0)


def fit_and_store(
    cli: RunCLI,
    started: float,
    build: Callable[[RunCLI], StoredModel],
    describe: Callable[[RunCLI], Mapping[str, Any]],
    last: str = LAST,
) -> TrainingOutcome[Any]:
    """Train and write checkpoints: that of the last epoch, and OUTPUT/best where there is a best.

    Args:
        cli: run, ready to train.
        started: time at which the run began, by `time.perf_counter`.
        build: puts the weights that the task has now together with all that inference needs.
        describe: says how these weights were made.
        last: folder of the last epoch's model, in that of the run; "" for the run's own.

    Raises:
        TrainingError: a loss or gradient that is not finite.
        CheckpointError: a checkpoint cannot be written, or does not fit what is resumed.
    """
    cli.fit()
    if cli.trainer.is_global_zero:
        minutes = round((time.perf_counter() - started) / 60, 1)

        def write(name: str, epoch: int) -> None:
            model = build(cli)
            record = {**describe(cli), "epoch": epoch, "minutes": minutes}
            write_checkpoint(cli.output / name, *model.as_checkpoint({"training": record}))

        write(last, cli.trainer.current_epoch - 1)
        if cli.has_best:
            state = cli.best_state()
            cli.model.take_over(state)
            write(BEST, int(state["epoch"]))
    cli.trainer.strategy.barrier()
    return TrainingOutcome(
        read_checkpoint(cli.output / last),
        read_checkpoint(cli.output / BEST) if cli.has_best else None,
        tuple(cli.scores()),
    )


def checkpoint_lines(outcome: TrainingOutcome[Any]) -> list[str]:
    """Name the checkpoints that a run has left behind, for the console."""
    return [
        f"checkpoint {checkpoint.folder} (fingerprint {checkpoint.fingerprint[:16]})"
        for checkpoint in (outcome.last, outcome.best)
        if checkpoint is not None
    ]
