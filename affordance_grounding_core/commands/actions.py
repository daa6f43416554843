"""`affordance-grounding actions`: what a model can be asked."""

from __future__ import annotations

import typer

from affordance_grounding_core.commands.common import (
    JsonOption,
    ModelOption,
    RuntimeOption,
    WeightsOption,
    load_model,
    write_json,
)


def actions(
    model: ModelOption = "default",
    runtime: RuntimeOption = "auto",
    json_file: JsonOption = None,
    backbone_weights: WeightsOption = None,
) -> None:
    """List the actions of a model and the other words it takes for them."""
    vocabulary = load_model(model, runtime, backbone_weights).vocabulary
    aliases = {
        name: sorted(alias for alias, meant in vocabulary.aliases.items() if meant == name)
        for name in vocabulary.names
    }
    width = max(map(len, aliases))
    for name, others in aliases.items():
        typer.echo(f"{name.ljust(width)}  {', '.join(others)}".rstrip())
    write_json(json_file, {"model": model, "actions": aliases})
