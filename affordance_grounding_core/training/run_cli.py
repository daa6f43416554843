"""What the training runs of all methods share: their options and what every run keeps."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar, TypeVar

from lightning import LightningDataModule, LightningModule, Trainer
from lightning.pytorch.cli import LightningArgumentParser, LightningCLI
from lightning.pytorch.loggers import TensorBoardLogger

from affordance_grounding_core.inference.regions import RegionConfig
from affordance_grounding_core.training.callbacks import (
    STATE_FOLDER,
    OverlayPictures,
    keep_best,
    keep_last,
)
from affordance_grounding_core.training.checkpoint_io import SafeCheckpointIO

RunCLI = TypeVar("RunCLI", bound="TrainingRunCLI")


class TrainingRunCLI(LightningCLI):
    """Options of a run: those of task, data and trainer, and where its results go.

    Attributes:
        method: name of the training method.
        best_score: name of the score, without its data, that is lowest in the best epoch.
        regions: thresholds of its models by default.
    """

    method: ClassVar[str]
    best_score: ClassVar[str]
    regions: ClassVar[RegionConfig] = RegionConfig()

    def add_arguments_to_parser(self, parser: LightningArgumentParser) -> None:
        """Say vocabulary, seed and selection once, for task and data."""
        parser.add_argument("--method", type=str, default=self.method, help="Training method.")
        parser.add_argument("--output", type=str, help="Folder of the run; made if needed.")
        parser.add_argument(
            "--resume",
            type=str | None,
            default=None,
            help="'last' goes on where the run of this output stopped; or a .ckpt file.",
        )
        parser.add_argument("--regions", type=RegionConfig, default=self.regions)
        parser.link_arguments("model.actions", "data.actions")
        parser.link_arguments("seed_everything", "data.seed")
        parser.link_arguments("seed_everything", "model.seed")
        parser.link_arguments("data.selection", "model.selection")

    def instantiate_trainer(self, **kwargs: Any) -> Trainer:
        """Add what every run keeps: best and last epoch, pictures, scalars."""
        output = Path(self.config.output)
        given = self.config_init["trainer"]
        callbacks = list(given.get("callbacks") or [])
        plugins = list(given.get("plugins") or [])
        if given.get("enable_checkpointing") is not False:
            callbacks.append(OverlayPictures())
            selection = self.datamodule.selection
            if selection != "none":
                callbacks.append(keep_best(output, f"{selection}/{self.best_score}"))
            # After the best, so that the state it holds knows which epoch that was.
            callbacks.append(keep_last(output))
            plugins.append(SafeCheckpointIO())
        kwargs |= {"callbacks": callbacks, "plugins": plugins or None}
        if given.get("logger") in (None, True):
            kwargs["logger"] = TensorBoardLogger(output, name=None, version="tensorboard")
        trainer: Trainer = super().instantiate_trainer(**kwargs)
        return trainer

    def best_state(self) -> Mapping[str, Any] | None:
        """Load Lightning's state of the best epoch, on the CPU; None where none was kept."""
        file = Path(self.config.output) / STATE_FOLDER / "best.ckpt"
        if (
            self.datamodule.selection == "none"
            or not file.is_file()
            or self.config_init["trainer"]["fast_dev_run"]
        ):
            return None
        state: Mapping[str, Any] = SafeCheckpointIO().load_checkpoint(file, map_location="cpu")
        return state


def parse_run(
    cli: type[RunCLI],
    task: type[LightningModule],
    data: type[LightningDataModule],
    arguments: Sequence[str],
) -> RunCLI:
    """Read the options of a run and build its task, data and trainer.

    Args:
        cli: of the method.
        task: to train.
        data: to train on.
        arguments: as on the command line.
    """
    with warnings.catch_warnings():
        # Lightning cannot know that these are the command line's own arguments.
        warnings.filterwarnings("ignore", message="LightningCLI's args parameter is intended")
        return cli(
            task,
            data,
            run=False,
            args=list(arguments),
            save_config_callback=None,
            seed_everything_default=0,
        )
