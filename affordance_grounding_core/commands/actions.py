"""`affordance-grounding actions`: what a model can be asked."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated

import typer

from affordance_grounding_core.actions.vocabulary import abbreviate
from affordance_grounding_core.commands.common import (
    JsonOption,
    ModelOption,
    RuntimeOption,
    TaughtOption,
    WeightsOption,
    load_model,
    write_json,
)
from affordance_grounding_core.errors import UnknownActionError

if TYPE_CHECKING:
    from affordance_grounding_core.actions.resolution import ActionResolution
    from affordance_grounding_core.inference.grounder import Grounder


def actions(
    phrases: Annotated[
        list[str] | None,
        typer.Argument(metavar="[PHRASE]...", help="What somebody might say, to be resolved."),
    ] = None,
    model: ModelOption = "default",
    runtime: RuntimeOption = "auto",
    json_file: JsonOption = None,
    backbone_weights: WeightsOption = None,
    taught: TaughtOption = "auto",
) -> None:
    """List the actions of a model and the other words it takes for them, or resolve phrases.

    With phrases: prints what each one means, how that was found and how sure it is; the exit
    code is 1 where one is refused.
    """
    grounder = load_model(model, runtime, backbone_weights, taught)
    if phrases:
        resolved, refused = resolve_phrases(grounder, phrases)
        write_json(json_file, {"model": model, "resolved": resolved, "refused": refused})
        raise typer.Exit(1 if refused else 0)
    vocabulary = grounder.vocabulary
    aliases = {
        name: sorted(alias for alias, meant in vocabulary.aliases.items() if meant == name)
        for name in vocabulary.names
    }
    width = max(map(len, aliases))
    for name, others in aliases.items():
        typer.echo(f"{name.ljust(width)}  {', '.join(others)}".rstrip())
    write_json(json_file, {"model": model, "actions": aliases})


def resolve_phrases(
    grounder: Grounder, phrases: Sequence[str]
) -> tuple[list[dict[str, object]], list[dict[str, object]]]:
    """Say what phrases mean to a model.

    Args:
        grounder: whose vocabulary counts.
        phrases: commands.

    Returns:
        What was resolved, and what was refused with the reason and the closest entries.
    """
    resolved: list[dict[str, object]] = []
    refused: list[dict[str, object]] = []
    for text in phrases:
        outcome = _resolution_or_error(grounder, text)
        if isinstance(outcome, UnknownActionError):
            refused.append({"text": text, "reason": str(outcome), "closest": outcome.closest})
            typer.echo(f"refused: {outcome}", err=True)
            continue
        resolved.append(outcome.as_dict())
        others = ", ".join(f"{one.action} {one.confidence:.2f}" for one in outcome.candidates[1:])
        also = f"; or else {others}" if others else ""
        typer.echo(f"{abbreviate(text)}: {outcome.summary}{also}")
    return resolved, refused


def _resolution_or_error(grounder: Grounder, text: str) -> ActionResolution | UnknownActionError:
    try:
        return grounder.resolve(text)
    except UnknownActionError as error:
        return error
