"""Trains WSAG-PLSP from a YAML config and writes checkpoints."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from lightning.pytorch.cli import LightningArgumentParser

from affordance_grounding_core.inference.preprocess import PreprocessConfig
from affordance_grounding_core.methods.plsp.checkpoint import (
    METHOD,
    REGIONS,
    StoredPlsp,
)
from affordance_grounding_core.methods.plsp.data import PlspData
from affordance_grounding_core.methods.plsp.task import PlspScore, PlspTask
from affordance_grounding_core.training.run_cli import parse_run
from affordance_grounding_core.training.run_outcome import TrainingOutcome, fit_and_store
from affordance_grounding_core.training.scored_run import ScoredRunCLI, checkpoint_and_score_lines


class PlspTrainingCLI(ScoredRunCLI):
    """Options of a run; the size of the views is that of the network's input."""

    method = METHOD
    best_score = PlspTask.watched
    regions = REGIONS

    def add_arguments_to_parser(self, parser: LightningArgumentParser) -> None:
        """Add what is this method's own."""
        super().add_arguments_to_parser(parser)
        parser.link_arguments("data.views.crop", "model.size")


def train_from_config(arguments: Sequence[str]) -> TrainingOutcome[PlspScore]:
    """Train and write checkpoints: OUTPUT/last and, with a selection, OUTPUT/best.

    Args:
        arguments: options of the run: `--config FILE` and any option of the run, for
            example `--data.root DIR --output DIR --trainer.max_epochs 3 --resume last`.

    Raises:
        DatasetError: the data does not have the documented layout or no part masks.
        PartNameError: a part has no name.
        WeightsError: the encoder cannot be fetched or verified.
        TrainingError: a loss or gradient that is not finite.
        CheckpointError: a checkpoint cannot be written, or does not fit what is resumed.
    """
    started = time.perf_counter()
    cli = parse_run(PlspTrainingCLI, PlspTask, PlspData, arguments)
    cli.datamodule.encoder = cli.model.encoder
    cli.datamodule.input_format = cli.model.input_format
    return fit_and_store(cli, started, _build, _describe)


def outcome_lines(outcome: TrainingOutcome[PlspScore]) -> list[str]:
    """Say what a run has left behind, for the console: best and last epoch, both protocols."""
    return checkpoint_and_score_lines(outcome, "plsp", "protocol {}")


def _build(cli: PlspTrainingCLI) -> StoredPlsp:
    """The trained network with everything inference needs; a frozen encoder by its name."""
    task: PlspTask = cli.model
    given = task.input_format
    preprocess = PreprocessConfig("squash", given.size, given.patch_size, given.mean, given.std)
    return StoredPlsp(
        actions=tuple(task.actions),
        network=task.config,
        tensors=task.network.state_dict(),
        vectors=task.action_vectors,
        encoder=task.encoder_reference(),
        grid=(given.cells, given.cells),
        preprocess=preprocess,
        heat=cli.fit_heat(task.heat_network(), preprocess),
        regions=cli.config_init["regions"],
    )


def _describe(cli: PlspTrainingCLI) -> dict[str, Any]:
    """Write down how the run was made."""
    task, data = cli.model, cli.datamodule
    return {
        **cli.record(),
        "samples": len(data.training),
        "labels": "part masks" + (f" of {data.labels.name}" if data.labels else ""),
        "views": asdict(data.views),
        "accumulation": cli.trainer.accumulate_grad_batches,
        "loss": asdict(task.loss),
    }
