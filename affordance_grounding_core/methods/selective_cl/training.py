"""Trains SelectiveCL from a YAML config and writes checkpoints."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from lightning.pytorch.cli import LightningArgumentParser

from affordance_grounding_core.inference.preprocess import PreprocessConfig
from affordance_grounding_core.methods.selective_cl.checkpoint import METHOD, StoredModel
from affordance_grounding_core.methods.selective_cl.data import SelectiveData
from affordance_grounding_core.methods.selective_cl.task import SelectiveScore, SelectiveTask
from affordance_grounding_core.training.run_cli import parse_run
from affordance_grounding_core.training.run_outcome import TrainingOutcome, fit_and_store
from affordance_grounding_core.training.scored_run import ScoredRunCLI, checkpoint_and_score_lines


class SelectiveTrainingCLI(ScoredRunCLI):
    """Options of a run, with one more: whether the first weights are scored."""

    method = METHOD
    best_score = SelectiveTask.watched

    def add_arguments_to_parser(self, parser: LightningArgumentParser) -> None:
        """Add what is this method's own."""
        super().add_arguments_to_parser(parser)
        parser.add_argument(
            "--score_untrained",
            type=bool,
            default=False,
            help="Score the first weights too, as epoch -1.",
        )


def train_from_config(arguments: Sequence[str]) -> TrainingOutcome[SelectiveScore]:
    """Train and write checkpoints: OUTPUT/last and, with a selection, OUTPUT/best.

    Args:
        arguments: options of the run: `--config FILE` and any option of the run, for
            example `--data.root DIR --output DIR --trainer.max_epochs 3 --resume last`.

    Raises:
        DatasetError: the data does not have the documented layout.
        WeightsError: a frozen backbone cannot be fetched or verified.
        TrainingError: a loss or gradient that is not finite.
        CheckpointError: a checkpoint cannot be written, or does not fit what is resumed.
    """
    started = time.perf_counter()
    cli = parse_run(SelectiveTrainingCLI, SelectiveTask, SelectiveData, arguments)
    cli.datamodule.backbones = cli.model.backbones
    if cli.config.score_untrained and cli.config.resume is None:
        cli.trainer.validate(cli.model, datamodule=cli.datamodule, verbose=False)
    return fit_and_store(cli, started, _build, _describe)


def outcome_lines(outcome: TrainingOutcome[SelectiveScore]) -> list[str]:
    """Say what a run has left behind, for the console: best and last epoch, both maps."""
    return checkpoint_and_score_lines(outcome, "calibrated", "{}")


def _build(cli: SelectiveTrainingCLI) -> StoredModel:
    """The trained head with everything inference needs; backbones go by their name."""
    task: SelectiveTask = cli.model
    preprocess = PreprocessConfig("squash", cli.datamodule.crops.crop, task.backbones.patch_size)
    return StoredModel(
        actions=tuple(task.actions),
        network=task.config,
        head=task.head.state_dict(),
        backbones=task.backbone_reference(),
        texts=task.texts,
        maps=task.maps,
        heat=cli.fit_heat(task.heat_network(), preprocess),
        preprocess=preprocess,
        regions=cli.config_init["regions"],
    )


def _describe(cli: SelectiveTrainingCLI) -> dict[str, Any]:
    """Write down how the run was made."""
    task, data = cli.model, cli.datamodule
    return {
        **cli.record(),
        "samples": len(data.pairing),
        "labels": "image level" if data.part_labels is None else "image level and part masks",
        "crops": asdict(data.crops),
        "backbone_precision": task.backbone_config.precision,
        "objective": asdict(task.objective),
        "files_left_out": len(data.skipped),
    }
