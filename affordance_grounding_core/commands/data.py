"""`affordance-grounding data`: look at a data set before it costs a night of training."""

from __future__ import annotations

from typing import Annotated

import typer

from affordance_grounding_core.commands.common import (
    JsonOption,
    RootArgument,
    SplitOption,
    write_json,
)
from affordance_grounding_core.data.check import check_dataset

data = typer.Typer(no_args_is_help=True, help="Look at data sets.")


@data.callback()
def _group() -> None:
    """Keep `check` a command of its own name while it is the only one."""


@data.command()
def check(
    root: RootArgument,
    split: SplitOption = None,
    thorough: Annotated[
        bool, typer.Option("--thorough", help="Decode every image, not only the ground truth.")
    ] = False,
    json_file: JsonOption = None,
) -> None:
    """Count classes, images and labels, and name what is missing, empty or unreadable.

    The exit code is 1 if a file cannot be read.
    """
    report = check_dataset(root, split, decode_images=thorough, show_progress=True)
    typer.echo(report.as_text())
    write_json(json_file, report.as_dict())
    if report.unreadable:
        raise typer.Exit(1)
