"""Options of the training runs of all methods, and what every run keeps."""

from __future__ import annotations

import re
import warnings
from abc import abstractmethod
from collections.abc import Mapping, Sequence
from difflib import get_close_matches
from pathlib import Path
from typing import Any, ClassVar, NoReturn, TypeVar

from lightning import Callback, LightningDataModule, LightningModule, Trainer
from lightning.pytorch.cli import LightningArgumentParser, LightningCLI
from lightning.pytorch.loggers import TensorBoardLogger

from affordance_grounding_core.errors import AffordanceGroundingError, TrainingOptionError
from affordance_grounding_core.inference.regions import RegionConfig
from affordance_grounding_core.training.callbacks import (
    BEST_STATE,
    STATE_FOLDER,
    BestEpoch,
    OverlayPictures,
    keep_best,
    keep_last,
    resume_path,
)
from affordance_grounding_core.training.checkpoint_io import SafeCheckpointIO
from affordance_grounding_core.training.epoch_score import EpochScore
from affordance_grounding_core.training.run_options import expanded

HELP_HINT = "`affordance-grounding train --config FILE --help` lists the options"

RunCLI = TypeVar("RunCLI", bound="TrainingRunCLI")


class RunParser(LightningArgumentParser):
    """Options of a run; what is wrong with one is an error of one line, without the usage."""

    def error(self, message: str, ex: Exception | None = None) -> NoReturn:
        """Name the option, what was expected, what came, and the closest options there are.

        Raises:
            TrainingOptionError: always, for what a user typed.
        """
        if not self.exit_on_error:  # an attempt of the parser's own, at one type of several
            super().error(message, ex)
        lines = [line.strip(" -") for line in message.strip().splitlines() if line.strip(" -")]
        types = [line for line in lines[1:] if line.startswith("Expected")]
        given = [line for line in lines[1:] if line.startswith("Given value:")]
        told = " ".join([*lines[:1], " or ".join(types), *given])
        told = re.sub(r"<class '([\w.]+)'>", r"\1", told)
        close = self._close_options(message)
        hint = f"; did you mean {' or '.join(close)}?" if close else ""
        raise TrainingOptionError(f"{told.strip()}{hint} ({HELP_HINT})") from ex

    def _close_options(self, message: str) -> list[str]:
        known = [name for action in self._actions for name in action.option_strings]
        unknown = re.findall(r"(?:unrecognized arguments:|Key) ['\"]?(?:--)?([\w.-]+)", message)
        words = [f"--{name.partition('=')[0]}" for name in unknown]
        return [f for word in words for f in get_close_matches(word, known, n=2, cutoff=0.75)]


class TrainingRunCLI(LightningCLI):
    """Options of a run: those of task, data and trainer, and where its results go.

    Attributes:
        method: name of the training method.
        regions: thresholds of its models by default.
    """

    method: ClassVar[str]
    regions: ClassVar[RegionConfig] = RegionConfig()

    def add_arguments_to_parser(self, parser: LightningArgumentParser) -> None:
        """Say vocabulary and seed once, for task and data."""
        parser.add_argument("--method", type=str, default=self.method, help="Training method.")
        parser.add_argument("--output", type=str, help="Folder of the run; made if needed.")
        parser.add_argument(
            "--resume",
            type=str | None,
            default=None,
            help="'last' goes on where the run of this output stopped; or a .ckpt file.",
        )
        parser.add_argument(  # written out before options are parsed; here for the help
            "--fast-dev-run",
            action="store_true",
            help="One batch of everything on a few pictures, into the folder 'trial' of OUTPUT.",
        )
        parser.add_argument("--regions", type=RegionConfig, default=self.regions)
        parser.link_arguments("model.actions", "data.actions")
        parser.link_arguments("seed_everything", "data.seed")

    @abstractmethod
    def best_metric(self) -> str | None:
        """Name of the metric that is lowest in the best epoch; None where no epoch is scored."""

    def own_callbacks(self) -> list[Callback]:
        """Make the callbacks that a method has beside those of every run."""
        return []

    @property
    def output(self) -> Path:
        """Folder of the run."""
        return Path(self.config.output)

    def instantiate_trainer(self, **kwargs: Any) -> Trainer:
        """Add what every run keeps: best and last epoch, pictures, scalars."""
        given = self.config_init["trainer"]
        callbacks = list(given.get("callbacks") or [])
        plugins = list(given.get("plugins") or [])
        if given.get("enable_checkpointing") is not False:
            callbacks += [OverlayPictures(), *self.own_callbacks()]
            metric = self.best_metric()
            if metric is not None:
                callbacks.append(keep_best(self.output, metric))
            # After the best, so that the state it holds knows which epoch that was.
            callbacks.append(keep_last(self.output))
            plugins.append(SafeCheckpointIO())
        kwargs |= {"callbacks": callbacks, "plugins": plugins or None}
        if given.get("logger") in (None, True):
            kwargs["logger"] = TensorBoardLogger(self.output, name=None, version="tensorboard")
        trainer: Trainer = super().instantiate_trainer(**kwargs)
        return trainer

    def fit(self) -> None:
        """Train, from the beginning or from the state that `--resume` names.

        Raises:
            TrainingError: a loss or gradient that is not finite.
            CheckpointError: no such state, or one that does not fit this run.
        """
        state = resume_path(self.output, self.config.resume)
        self.trainer.fit(self.model, datamodule=self.datamodule, ckpt_path=state, weights_only=True)

    @property
    def has_best(self) -> bool:
        """Whether this run kept its best epoch."""
        callbacks = self.trainer.checkpoint_callbacks
        return any(one.best_model_path for one in callbacks if isinstance(one, BestEpoch))

    def best_state(self) -> Mapping[str, Any]:
        """Load Lightning's state of the best epoch, on the CPU."""
        file = self.output / STATE_FOLDER / BEST_STATE
        state: Mapping[str, Any] = SafeCheckpointIO().load_checkpoint(file, map_location="cpu")
        return state

    def scores(self) -> Sequence[EpochScore]:
        """Scores of the epochs, of methods that score them."""
        return ()


def parse_run(
    cli: type[RunCLI],
    task: type[LightningModule],
    data: type[LightningDataModule],
    arguments: Sequence[str],
) -> RunCLI:
    """Read the options of a run and build its task, data and trainer.

    Args:
        cli: options of the method.
        task: class of the task.
        data: class of the data.
        arguments: options of the run, as on the command line.

    Raises:
        TrainingOptionError: an option that does not exist, or whose value does not fit.
    """
    with warnings.catch_warnings():
        # Lightning cannot know that these are the command line's own arguments.
        warnings.filterwarnings("ignore", message="LightningCLI's args parameter is intended")
        try:
            return cli(
                task,
                data,
                run=False,
                args=expanded(arguments),
                save_config_callback=None,
                seed_everything_default=0,
                parser_class=RunParser,
            )
        except AffordanceGroundingError:
            raise
        except ValueError as error:  # of a config that validates itself
            raise TrainingOptionError(f"{error} ({HELP_HINT})") from error
