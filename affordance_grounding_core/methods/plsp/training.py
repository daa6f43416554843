"""One training run of WSAG-PLSP: from a YAML config to checkpoints."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from lightning.pytorch.cli import LightningArgumentParser

from affordance_grounding_core.backbones.weights import tensor_fingerprint
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
from affordance_grounding_core.methods.plsp.checkpoint import (
    METHOD,
    EncoderReference,
    StoredPlsp,
)
from affordance_grounding_core.methods.plsp.data import PlspData
from affordance_grounding_core.methods.plsp.scoring import EpochScore, log_density
from affordance_grounding_core.methods.plsp.task import PlspTask
from affordance_grounding_core.training.callbacks import resume_path
from affordance_grounding_core.training.run_cli import TrainingRunCLI, parse_run


class PlspTrainingCLI(TrainingRunCLI):
    """Options of a run; the size of the views is that of the network's input."""

    method = METHOD
    best_score = "plsp_kld"

    def add_arguments_to_parser(self, parser: LightningArgumentParser) -> None:
        """Add what is this method's own."""
        super().add_arguments_to_parser(parser)
        parser.link_arguments("data.views.crop", "model.size")


@dataclass(frozen=True)
class TrainingOutcome:
    """What a run leaves behind.

    Attributes:
        last: checkpoint of the last epoch.
        best: checkpoint of the best epoch by the run's selection; None without selection.
        scores: of all epochs that were scored.
    """

    last: Checkpoint
    best: Checkpoint | None
    scores: tuple[EpochScore, ...]


def train_from_config(arguments: Sequence[str]) -> TrainingOutcome:
    """Train and write checkpoints: OUTPUT/last and, with a selection, OUTPUT/best.

    Args:
        arguments: as on the command line: `--config FILE` and any option of the run, for
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
    output = Path(cli.config.output)
    state = resume_path(output, cli.config.resume)
    cli.datamodule.encoder = cli.model.encoder
    cli.datamodule.input_format = cli.model.input_format
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
    """Say what a run has left behind, for the console: best and last epoch, both protocols."""
    shown = [
        f"checkpoint {checkpoint.folder} (weights sha256 {checkpoint.fingerprint[:16]})"
        for checkpoint in (outcome.last, outcome.best)
        if checkpoint is not None
    ]
    if outcome.scores:
        best = min(outcome.scores, key=lambda score: score.plsp.kld)
        for name, score in (("best", best), ("last", outcome.scores[-1])):
            shown += [
                f"{name} epoch {score.epoch}, protocol {protocol}: KLD {value.kld:.3f} "
                f"SIM {value.sim:.3f} NSS {value.nss:.3f}"
                for protocol, value in (("plsp", score.plsp), ("locate", score.locate))
            ]
    return shown


@torch.no_grad()
def calibrate_heat(task: PlspTask, data: PlspData) -> HeatCalibration:
    """Fit heat on training images: which actions their objects afford, and which not.

    Args:
        task: trained; used in evaluation mode.
        data: after `setup`.

    Returns:
        The calibration; the default one where the data knows no action that is not afforded.
    """
    task.eval()
    cells = task.input_format.cells
    present: list[float] = []
    absent: list[float] = []
    for batch in data.calibration_dataloader():
        moved = {n: v.to(task.device) if torch.is_tensor(v) else v for n, v in batch.items()}
        for index, tokens in zip(batch["index"].tolist(), _encode(task, moved), strict=True):
            answer = task.network.ground(tokens[None], task.action_vectors, cells, cells)
            peaks = log_density(answer.logits).amax(dim=(1, 2)).tolist()
            afforded = data.affordances[data.calibration_image(index).object_name]
            for action, peak in zip(task.actions, peaks, strict=True):
                (present if action in afforded else absent).append(peak)
    if not present or not absent:
        return HeatCalibration()
    images = len(data.calibration_dataloader().dataset)  # type: ignore[arg-type]
    return fit_heat_calibration(present, absent, f"{images} egocentric training images")


def write_model(folder: Path, cli: PlspTrainingCLI, record: Mapping[str, Any]) -> Checkpoint:
    """Write the trained network with everything inference needs; a frozen encoder by its name.

    Args:
        folder: to write to.
        cli: of the run; the weights are those its task has now.
        record: how the model was made.

    Raises:
        CheckpointError: the folder cannot be written.
    """
    task, data = cli.model, cli.datamodule
    frozen, given = task.frozen, task.input_format
    model = StoredPlsp(
        actions=tuple(task.actions),
        network=task.config,
        tensors=task.network.state_dict(),
        vectors=task.action_vectors,
        encoder=EncoderReference(
            task.encoder_config.name,
            embedded=frozen is None,
            heads=int(getattr(task.encoder, "heads", 12)),
            fingerprint=None if frozen is None else tensor_fingerprint(frozen.state_dict()),
        ),
        grid=(given.cells, given.cells),
        preprocess=PreprocessConfig("squash", given.size, given.patch_size, given.mean, given.std),
        heat=calibrate_heat(task, data),
        regions=cli.config_init["regions"],
    )
    return write_checkpoint(folder, *model.as_checkpoint({"training": dict(record)}))


def _encode(task: PlspTask, batch: Mapping[str, Any]) -> torch.Tensor:
    if task.frozen is None:
        tokens, _, _ = task.network.encode(batch["pixels"])
        return tokens
    return task.tokens(dict(batch), "")


def _write_outcome(cli: PlspTrainingCLI, output: Path, minutes: float) -> None:
    task: PlspTask = cli.model
    trained = _training_record(cli, minutes)
    write_model(output / "last", cli, trained | {"epoch": cli.trainer.current_epoch - 1})
    state = cli.best_state()
    if state is None:
        return
    task.load_state_dict(state["state_dict"], strict=False)  # a frozen encoder is not in it
    write_model(output / "best", cli, trained | {"epoch": int(state["epoch"])})


def _training_record(cli: PlspTrainingCLI, minutes: float) -> dict[str, Any]:
    """Write down how the run was made."""
    task, data = cli.model, cli.datamodule
    return {
        "seed": data.seed,
        "epochs": cli.trainer.current_epoch,
        "data": Path(data.root).name,
        "split": data.split,
        "samples": len(data.training),
        "labels": "part masks" + (f" of {data.labels.name}" if data.labels else ""),
        "views": asdict(data.views),
        "batch_size": data.batch_size * cli.trainer.world_size,
        "accumulation": cli.trainer.accumulate_grad_batches,
        "exocentric_count": data.exocentric_count,
        "cached_views": data.cached_views if data.cache_features else None,
        "precision": str(cli.trainer.precision),
        "loss": asdict(task.loss),
        "optimiser": asdict(task.optimiser),
        "selection": data.selection,
        "scores": [score.as_dict() for score in task.scores],
        "images_replaced": task.replaced,
        "minutes": minutes,
    }
