"""`affordance-grounding data`: check a data set, convert others, list cached features."""

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
from affordance_grounding_core.data.feature_store import stored_features
from affordance_grounding_core.files import cache_directory

data = typer.Typer(
    no_args_is_help=True, help="Check data sets, convert others, list cached features."
)


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
        typer.Argument(help="Layout of the data set."),
    ],
    root: Annotated[
        Path, typer.Argument(metavar="ROOT", help="Folder that the data set was unpacked into.")
    ],
    output: Annotated[
        Path,
        typer.Option("--output", "-o", metavar="FOLDER", help="Folder for the list and the masks."),
    ],
    part: Annotated[Literal["train", "test"], typer.Option(help="Split of the data set.")] = "test",
    every: Annotated[int, typer.Option(min=1, help="Take every Nth picture.")] = 1,
) -> None:
    """Convert a published data set into masks and a list for `evaluate --manifest`."""
    done = convert_dataset(READERS[layout], root, output, part, every, show_progress=True)
    typer.echo(done.as_text())


@data.command("cache")
def list_cache() -> None:
    """List the folders of cached training features; any of them may be deleted."""
    folders = stored_features(cache_directory())
    for one in folders:
        typer.echo(f"{one.bytes / 2**30:8.2f} GiB  {one.views:9d} views  {one.folder}")
    if not folders:
        typer.echo(f"no cached features in {cache_directory()}")
