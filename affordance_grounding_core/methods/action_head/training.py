"""Trains the action head from a YAML config and writes checkpoints."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import asdict, replace
from typing import Any

import torch
from lightning import Callback
from lightning.pytorch.cli import LightningArgumentParser

from affordance_grounding_core.inference.preprocess import Policy
from affordance_grounding_core.methods.action_head.checkpoint import METHOD, StoredHead
from affordance_grounding_core.methods.action_head.data import ActionHeadData
from affordance_grounding_core.methods.action_head.task import ActionHeadTask
from affordance_grounding_core.training.callbacks import RandomNumbers
from affordance_grounding_core.training.epoch_score import EpochScore
from affordance_grounding_core.training.run_cli import TrainingRunCLI, parse_run
from affordance_grounding_core.training.run_outcome import (
    TrainingOutcome,
    checkpoint_lines,
    fit_and_store,
)


class ActionHeadCLI(TrainingRunCLI):
    """Options of a run, and how its model will see camera images."""

    method = METHOD

    def add_arguments_to_parser(self, parser: LightningArgumentParser) -> None:
        """Say backbone, blocks and masks once, for task and data."""
        super().add_arguments_to_parser(parser)
        parser.add_argument(
            "--policy", type=Policy, default="aspect", help="How the model will see camera images."
        )
        parser.add_argument(
            "--notice", type=str | None, default=None, help="Said whenever the model is loaded."
        )
        parser.link_arguments("data.backbone", "model.backbone")
        parser.link_arguments("model.blocks", "data.blocks")
        parser.link_arguments("model.mask_width", "data.with_masks", compute_fn=bool)
        parser.link_arguments(
            ("model.adapter_rank", "model.adapted_from"),
            "data.before",
            compute_fn=lambda rank, first: first if rank else None,
        )
        parser.link_arguments("trainer.fast_dev_run", "data.trial", compute_fn=bool)

    def best_metric(self) -> str:
        """Name of the loss on held-out pictures."""
        return "validation/loss"

    def own_callbacks(self) -> list[Callback]:
        """Keep the place in the random numbers, on which order of samples and dropout depend."""
        return [RandomNumbers()]


def train_from_config(arguments: Sequence[str]) -> TrainingOutcome[EpochScore]:
    """Train and write checkpoints: the last epoch's model to OUTPUT, the best to OUTPUT/best.

    Args:
        arguments: options of the run: `--config FILE` and any option of the run, for
            example `--data.root DIR --output DIR --trainer.max_epochs 3 --resume last`.

    Raises:
        DatasetError: the data does not have the documented layout.
        WeightsError: the backbone cannot be fetched or verified.
        TrainingError: a loss that is not finite, or an option that does not exist or fit.
        CheckpointError: a checkpoint cannot be written, or does not fit what is resumed.
    """
    started = time.perf_counter()
    cli = parse_run(ActionHeadCLI, ActionHeadTask, ActionHeadData, arguments)
    # Deterministic algorithms stay; filling every new tensor first takes half of a step.
    torch.utils.deterministic.fill_uninitialized_memory = False  # type: ignore[attr-defined]
    return fit_and_store(cli, started, _build, _describe, last="")


def outcome_lines(outcome: TrainingOutcome[EpochScore]) -> list[str]:
    """Say what a run has left behind, for the console."""
    threshold = outcome.last.config["regions"]["threshold"]
    return [*checkpoint_lines(outcome), f"threshold {threshold}"]


def _build(cli: ActionHeadCLI) -> StoredHead:
    """The trained head with everything inference needs; the backbone goes by its name."""
    task: ActionHeadTask = cli.model
    data: ActionHeadData = cli.datamodule
    task.take_average(data.val_dataloader())
    heat = task.heat_thresholds()
    return StoredHead(
        actions=tuple(task.actions),
        network=task.config,
        tensors={**task.head.state_dict(), "heat_offsets": heat.offsets},
        backbone=data.backbone,
        backbone_fingerprint=data.backbone_fingerprint,
        preprocess=replace(data.preprocess, policy=cli.config.policy),
        regions=replace(
            cli.config_init["regions"],
            threshold=heat.threshold,
            mask_threshold=task.mask_threshold(),
        ),
        notice=cli.config.notice,
    )


def _describe(cli: ActionHeadCLI) -> dict[str, Any]:
    """Write down how the run was made."""
    task, data = cli.model, cli.datamodule
    scenes = data.photograph_scenes
    return {
        "seed": data.seed,
        "epochs": cli.trainer.current_epoch,
        "excluded_objects": data.excluded_objects,
        "sizes": list(data.sizes),
        "scarce": data.scarce,
        "labels": data.labels,
        **({"weak": asdict(data.weak)} if data.labels == "image_level" else {}),
        "views": asdict(data.views),
        "photographs": data.photographs is not None,
        "photograph_scenes": asdict(scenes) if scenes else None,
        "precision": data.precision,
        "initial": task.initial,
        "rehearsal": task.rehearsal,
        "average": asdict(task.average) if task.average else None,
        "loss": asdict(task.loss),
        "learning_rate": task.learning_rate,
        **({"adapter_rate": task.adapter_rate} if task.config.adapter_rank else {}),
        "weight_decay": task.weight_decay,
        "batch_size": data.batch_size,
        "metrics": task.metrics,
    }
