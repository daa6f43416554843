"""From the options of a run to its checkpoints, for all methods that score their epochs."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Generic, Protocol

import torch

from affordance_grounding_core.checkpoints.format import (
    Checkpoint,
    read_checkpoint,
    write_checkpoint,
)
from affordance_grounding_core.inference.heat_calibration import (
    HeatCalibration,
    fit_heat_calibration,
)
from affordance_grounding_core.training.callbacks import resume_path
from affordance_grounding_core.training.epoch_score import Score
from affordance_grounding_core.training.run_cli import ScoredCLI, TrainingRunCLI
from affordance_grounding_core.training.run_data import RunData
from affordance_grounding_core.training.scored_task import ScoredTask


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
        best: checkpoint of the best epoch by the run's selection; None without selection.
        scores: of all epochs that were scored; epoch -1 is that of the first weights.
    """

    last: Checkpoint
    best: Checkpoint | None
    scores: tuple[Score, ...]

    @property
    def trained_scores(self) -> tuple[Score, ...]:
        """The scores of the epochs of training."""
        return tuple(score for score in self.scores if score.epoch >= 0)


def fit_and_store(
    cli: ScoredCLI,
    started: float,
    build: Callable[[ScoredCLI, HeatCalibration], StoredModel],
    describe: Callable[[ScoredCLI], Mapping[str, Any]],
) -> TrainingOutcome[Any]:
    """Train and write checkpoints: OUTPUT/last and, with a selection, OUTPUT/best.

    Args:
        cli: of the run, ready to train.
        started: when the run began, by `time.perf_counter`.
        build: puts the weights that the task has now together with all that inference needs.
        describe: says of how they were made what only the method knows.

    Raises:
        TrainingError: a loss or gradient that is not finite.
        CheckpointError: a checkpoint cannot be written, or does not fit what is resumed.
    """
    output = Path(cli.config.output)
    state = resume_path(output, cli.config.resume)
    cli.trainer.fit(cli.model, datamodule=cli.datamodule, ckpt_path=state, weights_only=True)
    if cli.trainer.is_global_zero:
        minutes = round((time.perf_counter() - started) / 60, 1)
        record = {**_common_record(cli), **describe(cli), "minutes": minutes}

        def write(name: str, epoch: int) -> None:
            model = build(cli, calibrate_heat(cli.model, cli.datamodule))
            notes = {"training": record | {"epoch": epoch}}
            write_checkpoint(output / name, *model.as_checkpoint(notes))

        write("last", cli.trainer.current_epoch - 1)
        best_state = cli.best_state()
        if best_state is not None:
            cli.model.take_over(best_state["state_dict"])
            write("best", int(best_state["epoch"]))
    cli.trainer.strategy.barrier()
    best = output / "best"
    return TrainingOutcome(
        read_checkpoint(output / "last"),
        read_checkpoint(best) if (best / "config.json").is_file() else None,
        tuple(cli.model.scores),
    )


def checkpoint_and_score_lines(
    outcome: TrainingOutcome[Any], decisive: str, caption: str
) -> list[str]:
    """Say what a run has left behind, for the console: checkpoints, best and last epoch.

    Args:
        outcome: of the run.
        decisive: kind of map by whose KLD the best epoch is found.
        caption: what a kind of map is called, with "{}" in place of its name.
    """
    shown = [
        f"checkpoint {checkpoint.folder} (fingerprint {checkpoint.fingerprint[:16]})"
        for checkpoint in (outcome.last, outcome.best)
        if checkpoint is not None
    ]
    scores = outcome.trained_scores
    if scores:
        best = min(scores, key=lambda score: score.of_kind(decisive).kld)
        for name, score in (("best", best), ("last", scores[-1])):
            for kind in score.kinds():
                value = score.of_kind(kind)
                shown.append(
                    f"{name} epoch {score.epoch}, {caption.format(kind)}: KLD {value.kld:.3f} "
                    f"SIM {value.sim:.3f} NSS {value.nss:.3f}"
                )
    return shown


@torch.no_grad()
def calibrate_heat(task: ScoredTask, data: RunData) -> HeatCalibration:
    """Fit heat on training images: which actions their objects afford, and which not.

    Args:
        task: trained; used in evaluation mode.
        data: after `setup`.

    Returns:
        The calibration; the default one where the data knows no action that is not afforded.
    """
    task.eval()
    present: list[float] = []
    absent: list[float] = []
    for batch in data.calibration_dataloader():
        moved = {n: v.to(task.device) if torch.is_tensor(v) else v for n, v in batch.items()}
        peaks = task.action_peaks(moved).tolist()
        for index, found in zip(batch["index"].tolist(), peaks, strict=True):
            afforded = data.affordances[data.calibration_image(index).object_name]
            for action, peak in zip(task.actions, found, strict=True):
                (present if action in afforded else absent).append(peak)
    if not present or not absent:
        return HeatCalibration()
    images = len(data.calibration_set())
    return fit_heat_calibration(present, absent, f"{images} egocentric training images")


def _common_record(cli: TrainingRunCLI) -> dict[str, Any]:
    """Write down what every run has to say of how it was made."""
    task, data = cli.model, cli.datamodule
    return {
        "seed": data.seed,
        "epochs": cli.trainer.current_epoch,
        "data": Path(data.root).name,
        "split": data.split,
        "batch_size": data.batch_size * cli.trainer.world_size,
        "exocentric_count": data.exocentric_count,
        "cached_views": data.cached_views if data.cache_features else None,
        "precision": str(cli.trainer.precision),
        "optimiser": asdict(task.optimiser),
        "selection": data.selection,
        "scores": [score.as_dict() for score in task.scores],
        "losses": task.losses,
        "images_replaced": task.replaced,
    }
