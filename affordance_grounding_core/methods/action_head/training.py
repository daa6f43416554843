"""One training run of the action head: from a YAML config to a checkpoint folder."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import torch
from lightning.pytorch.cli import LightningArgumentParser, LightningCLI

from affordance_grounding_core.checkpoints.format import Checkpoint, write_checkpoint
from affordance_grounding_core.inference.preprocess import Policy
from affordance_grounding_core.inference.regions import RegionConfig
from affordance_grounding_core.methods.action_head.data import ActionHeadData
from affordance_grounding_core.methods.action_head.task import ActionHeadTask
from affordance_grounding_core.training.run_cli import add_trial_option, parse_run


class TrainingCLI(LightningCLI):
    """Options of a run: those of task, data and trainer, and what is written at its end."""

    def add_arguments_to_parser(self, parser: LightningArgumentParser) -> None:
        """Say vocabulary and blocks once, for task and data."""
        parser.add_argument("--method", type=str, default="action_head", help="Training method.")
        parser.add_argument("--output", type=str, help="Checkpoint folder to write.")
        add_trial_option(parser)
        parser.add_argument(
            "--policy", type=Policy, default="aspect", help="How the model will see camera images."
        )
        parser.add_argument(
            "--notice", type=str | None, default=None, help="Said whenever the model is loaded."
        )
        parser.add_argument("--regions", type=RegionConfig, default=RegionConfig())
        parser.link_arguments("model.actions", "data.actions")
        parser.link_arguments("model.blocks", "data.blocks")
        parser.link_arguments("model.mask_width", "data.with_masks", compute_fn=bool)
        parser.link_arguments("seed_everything", "data.seed")


def train_from_config(arguments: Sequence[str]) -> Checkpoint:
    """Train and write a checkpoint.

    Args:
        arguments: as on the command line: `--config FILE` and any option of the run, for
            example `--data.root DIR --output DIR --trainer.max_epochs 3`.

    Returns:
        The checkpoint of the last epoch, as written.

    Raises:
        DatasetError: the data does not have the documented layout.
        TrainingError: an option that does not exist, or a value that does not fit.
        CheckpointError: the checkpoint cannot be written.
    """
    started = time.perf_counter()
    cli = parse_run(TrainingCLI, ActionHeadTask, ActionHeadData, arguments)
    # Deterministic algorithms stay; filling every new tensor first takes half of a step.
    torch.utils.deterministic.fill_uninitialized_memory = False  # type: ignore[attr-defined]
    cli.trainer.fit(cli.model, datamodule=cli.datamodule)
    seconds = time.perf_counter() - started
    cli.model.head.heat_offsets.copy_(cli.model.heat_thresholds().offsets)
    return write_checkpoint(
        Path(cli.config.output), _describe(cli, seconds), cli.model.head.state_dict()
    )


def outcome_lines(checkpoint: Checkpoint) -> list[str]:
    """Say what a run has left behind, for the console."""
    return [
        f"checkpoint {checkpoint.folder} (fingerprint {checkpoint.fingerprint[:16]})",
        f"threshold {checkpoint.config['regions']['threshold']}",
    ]


def _describe(cli: TrainingCLI, seconds: float) -> dict[str, Any]:
    """Write down what inference needs and how the run was made."""
    task, data, options = cli.model, cli.datamodule, cli.config
    regions = options.regions
    regions = replace(
        RegionConfig(**regions.as_dict()) if hasattr(regions, "as_dict") else regions,
        threshold=task.heat_thresholds().threshold,
        mask_threshold=task.mask_threshold(),
    )
    metrics = {name: round(float(value), 4) for name, value in cli.trainer.callback_metrics.items()}
    return {
        "method": "action_head",
        **({"notice": options.notice} if options.notice else {}),
        "backbone": data.backbone,
        "backbone_fingerprint": data.backbone_fingerprint,
        "actions": data.actions,
        "network": asdict(task.config),
        "preprocess": asdict(replace(data.preprocess, policy=options.policy)),
        "regions": asdict(regions),
        "training": {
            "seed": options.seed_everything,
            "epochs": cli.trainer.current_epoch,
            "excluded_objects": data.excluded_objects,
            "labels": data.labels,
            **({"weak": asdict(data.weak)} if data.labels == "image_level" else {}),
            "views": asdict(data.views),
            "photographs": data.photographs is not None,
            "photograph_scenes": (
                asdict(data.photograph_scenes) if data.photograph_scenes else None
            ),
            "precision": data.precision,
            "initial": task.initial,
            "rehearsal": task.rehearsal,
            "loss": asdict(task.loss),
            "learning_rate": task.learning_rate,
            "weight_decay": task.weight_decay,
            "batch_size": data.batch_size,
            "metrics": metrics,
            "minutes": round(seconds / 60, 1),
        },
    }
