"""What the training runs of all methods share: their options and what every run keeps."""

from __future__ import annotations

import re
import warnings
from collections.abc import Mapping, Sequence
from difflib import get_close_matches
from pathlib import Path
from typing import Any, ClassVar, NoReturn, TypeVar

from lightning import LightningDataModule, LightningModule, Trainer
from lightning.pytorch.cli import LightningArgumentParser, LightningCLI
from lightning.pytorch.loggers import TensorBoardLogger

from affordance_grounding_core.errors import AffordanceGroundingError, TrainingOptionError
from affordance_grounding_core.inference.regions import RegionConfig
from affordance_grounding_core.training.callbacks import (
    STATE_FOLDER,
    OverlayPictures,
    keep_best,
    keep_last,
)
from affordance_grounding_core.training.checkpoint_io import SafeCheckpointIO

HELP_HINT = "`affordance-grounding train --config FILE --help` lists the options"

RunCLI = TypeVar("RunCLI", bound=LightningCLI)
ScoredCLI = TypeVar("ScoredCLI", bound="TrainingRunCLI")


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
        add_trial_option(parser)
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


def add_trial_option(parser: LightningArgumentParser) -> None:
    """List `--fast-dev-run`, which is written out before options are parsed, in the help."""
    parser.add_argument(
        "--fast-dev-run",
        action="store_true",
        help="One batch of everything on a few pictures, into the folder 'trial' of the output.",
    )


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
                args=list(arguments),
                save_config_callback=None,
                seed_everything_default=0,
                parser_class=RunParser,
            )
        except AffordanceGroundingError:
            raise
        except ValueError as error:  # of a config that validates itself
            raise TrainingOptionError(f"{error} ({HELP_HINT})") from error
