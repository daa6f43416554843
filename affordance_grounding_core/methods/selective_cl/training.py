"""One training run of Selective Contrastive Learning: from a YAML config to checkpoints."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from lightning.pytorch.cli import LightningArgumentParser

from affordance_grounding_core.checkpoints.format import (
    Checkpoint,
    read_checkpoint,
    write_checkpoint,
)
from affordance_grounding_core.inference.heat_calibration import (
    HeatCalibration,
    fit_heat_calibration,
)
from affordance_grounding_core.inference.preprocess import PreprocessConfig
from affordance_grounding_core.methods.selective_cl.checkpoint import StoredModel
from affordance_grounding_core.methods.selective_cl.data import SelectiveData
from affordance_grounding_core.methods.selective_cl.maps import calibrate_maps
from affordance_grounding_core.methods.selective_cl.scoring import (
    EpochScore,
    maps_with_affinity,
)
from affordance_grounding_core.methods.selective_cl.task import SelectiveTask
from affordance_grounding_core.training.callbacks import resume_path
from affordance_grounding_core.training.run_cli import TrainingRunCLI, parse_run


class SelectiveTrainingCLI(TrainingRunCLI):
    """Options of a run, with one more: whether the first weights are scored."""

    method = "selective_cl"
    best_score = "calibrated_kld"

    def add_arguments_to_parser(self, parser: LightningArgumentParser) -> None:
        """Add what is this method's own."""
        super().add_arguments_to_parser(parser)
        parser.add_argument(
            "--score_untrained",
            type=bool,
            default=False,
            help="Score the first weights too, as epoch -1.",
        )


@dataclass(frozen=True)
class TrainingOutcome:
    """What a run leaves behind.

    Attributes:
        last: checkpoint of the last epoch.
        best: checkpoint of the best epoch by the run's selection; None without selection.
        scores: of all epochs that were scored; epoch -1 is that of the first weights.
    """

    last: Checkpoint
    best: Checkpoint | None
    scores: tuple[EpochScore, ...]

    @property
    def trained_scores(self) -> tuple[EpochScore, ...]:
        """The scores of the epochs of training."""
        return tuple(score for score in self.scores if score.epoch >= 0)


def train_from_config(arguments: Sequence[str]) -> TrainingOutcome:
    """Train and write checkpoints: OUTPUT/last and, with a selection, OUTPUT/best.

    Args:
        arguments: as on the command line: `--config FILE` and any option of the run, for
            example `--data.root DIR --output DIR --trainer.max_epochs 3 --resume last`.

    Raises:
        DatasetError: the data does not have the documented layout.
        WeightsError: a frozen backbone cannot be fetched or verified.
        TrainingError: a loss or gradient that is not finite.
        CheckpointError: a checkpoint cannot be written, or does not fit what is resumed.
    """
    started = time.perf_counter()
    cli = parse_run(SelectiveTrainingCLI, SelectiveTask, SelectiveData, arguments)
    output = Path(cli.config.output)
    state = resume_path(output, cli.config.resume)
    cli.datamodule.backbones = cli.model.backbones
    if cli.config.score_untrained and state is None:
        cli.trainer.validate(cli.model, datamodule=cli.datamodule, verbose=False)
    cli.trainer.fit(cli.model, datamodule=cli.datamodule, ckpt_path=state, weights_only=True)
    minutes = round((time.perf_counter() - started) / 60, 1)
    if cli.trainer.is_global_zero:
        _write_outcome(cli, output, minutes)
    cli.trainer.strategy.barrier()
    best = output / "best"
    return TrainingOutcome(
        read_checkpoint(output / "last"),
        read_checkpoint(best) if (best / "config.json").is_file() else None,
        tuple(cli.model.scores),
    )


def outcome_lines(outcome: TrainingOutcome) -> list[str]:
    """Say what a run has left behind, for the console: best and last epoch, both maps."""
    shown = [
        f"checkpoint {checkpoint.folder} (weights sha256 {checkpoint.fingerprint[:16]})"
        for checkpoint in (outcome.last, outcome.best)
        if checkpoint is not None
    ]
    scores = outcome.trained_scores
    if scores:
        best = min(scores, key=lambda score: score.calibrated.kld)
        for name, score in (("best", best), ("last", scores[-1])):
            shown += [
                f"{name} epoch {score.epoch}, {kind}: KLD {value.kld:.3f} SIM {value.sim:.3f} "
                f"NSS {value.nss:.3f}"
                for kind, value in (("plain", score.plain), ("calibrated", score.calibrated))
            ]
    return shown


@torch.no_grad()
def calibrate_heat(task: SelectiveTask, data: SelectiveData) -> HeatCalibration:
    """Fit heat on training images: which actions their objects afford, and which not.

    Args:
        task: trained; its head is used in evaluation mode.
        data: after `setup`.

    Returns:
        The calibration; the default one where the data knows no action that is not afforded.
    """
    task.eval()
    present: list[float] = []
    absent: list[float] = []
    actions = torch.arange(len(task.actions), device=task.device)
    for batch in data.calibration_dataloader():
        moved = {n: v.to(task.device) if torch.is_tensor(v) else v for n, v in batch.items()}
        wanted = actions.expand(len(moved["label"]), -1)
        found = maps_with_affinity(task.head, task.provider, task.features(moved), wanted)
        for index, (maps, affinity) in zip(batch["index"].tolist(), found, strict=True):
            peaks = calibrate_maps(maps, affinity, task.maps).amax(dim=(1, 2)).tolist()
            afforded = data.affordances[data.calibration_image(index).object_name]
            for action, peak in zip(task.actions, peaks, strict=True):
                (present if action in afforded else absent).append(peak)
    if not present or not absent:
        return HeatCalibration()
    images = len(data.calibration_dataloader().dataset)  # type: ignore[arg-type]
    return fit_heat_calibration(present, absent, f"{images} egocentric training images")


def _write_outcome(cli: SelectiveTrainingCLI, output: Path, minutes: float) -> None:
    task: SelectiveTask = cli.model
    trained = _training_record(cli, minutes)
    write_model(output / "last", cli, trained | {"epoch": cli.trainer.current_epoch - 1})
    state = cli.best_state()
    if state is None:
        return
    weights = {
        name.removeprefix("head."): value
        for name, value in state["state_dict"].items()
        if name.startswith("head.")
    }
    task.head.load_state_dict(weights)
    write_model(output / "best", cli, trained | {"epoch": int(state["epoch"])})


def write_model(folder: Path, cli: SelectiveTrainingCLI, record: Mapping[str, Any]) -> Checkpoint:
    """Write the trained head with everything inference needs; backbones go by their name.

    Args:
        folder: to write to.
        cli: of the run; the weights are those its task has now.
        record: how the model was made.

    Raises:
        CheckpointError: the folder cannot be written.
    """
    task, data = cli.model, cli.datamodule
    regions = cli.config_init["regions"]
    model = StoredModel(
        actions=tuple(task.actions),
        network=task.config,
        head=task.head.state_dict(),
        backbones=task.backbone_reference(),
        texts=task.texts,
        maps=task.maps,
        heat=calibrate_heat(task, data),
        preprocess=PreprocessConfig("squash", data.crops.crop, task.backbones.patch_size),
        regions=regions,
    )
    return write_checkpoint(folder, *model.as_checkpoint({"training": dict(record)}))


def _training_record(cli: SelectiveTrainingCLI, minutes: float) -> dict[str, Any]:
    """Write down how the run was made."""
    task, data = cli.model, cli.datamodule
    return {
        "seed": data.seed,
        "epochs": cli.trainer.current_epoch,
        "data": Path(data.root).name,
        "split": data.split,
        "samples": len(data.pairing),
        "labels": "image level" if data.part_labels is None else "image level and part masks",
        "crops": asdict(data.crops),
        "batch_size": data.batch_size * cli.trainer.world_size,
        "exocentric_count": data.exocentric_count,
        "cached_views": data.cached_views if data.cache_features else None,
        "precision": str(cli.trainer.precision),
        "backbone_precision": task.backbone_config.precision,
        "objective": asdict(task.objective),
        "optimiser": asdict(task.optimiser),
        "selection": data.selection,
        "scores": [score.as_dict() for score in task.scores],
        "files_left_out": len(data.skipped),
        "images_replaced": task.replaced,
        "minutes": minutes,
    }
