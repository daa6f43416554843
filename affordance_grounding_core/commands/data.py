"""`affordance-grounding data`: look at a data set before it costs a night of training."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

from affordance_grounding_core.commands.common import (
    JsonOption,
    RootArgument,
    SplitOption,
    write_json,
)
from affordance_grounding_core.data.check import check_dataset
from affordance_grounding_core.data.conversion.base import convert_dataset
from affordance_grounding_core.data.conversion.formats import READERS

data = typer.Typer(no_args_is_help=True, help="Look at data sets, and convert others.")


@data.command()
def check(
    root: RootArgument,
    split: SplitOption = None,
    thorough: Annotated[
        bool, typer.Option("--thorough", help="Decode every image, not only the ground truth.")
    ] = False,
    json_file: JsonOption = None,
) -> None:
    """Count classes, images and labels; name what is missing, unusable, unreadable or doubled.

    The exit code is 1 if a file cannot be read or if training would leave a mask out.
    """
    report = check_dataset(root, split, decode_images=thorough, show_progress=True)
    typer.echo(report.as_text())
    write_json(json_file, report.as_dict())
    if report.spoils_training:
        raise typer.Exit(1)


@data.command()
def convert(
    layout: Annotated[
        Literal["instructpart", "umd", "iit-aff", "handal", "3doi"],
        typer.Argument(help="Which data set it is."),
    ],
    root: Annotated[Path, typer.Argument(metavar="ROOT", help="Folder it is unpacked in.")],
    output: Annotated[
        Path, typer.Option("--output", "-o", metavar="FOLDER", help="Where list and masks go.")
    ],
    part: Annotated[
        Literal["train", "test"], typer.Option(help="Which split of the data set.")
    ] = "test",
    every: Annotated[int, typer.Option(min=1, help="Take one picture in so many.")] = 1,
) -> None:
    """Write a list for `evaluate --manifest`, and masks, from a published layout."""
    done = convert_dataset(READERS[layout], root, output, part, every, show_progress=True)
    typer.echo(done.as_text())
