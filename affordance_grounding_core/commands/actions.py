"""`affordance-grounding actions`: list a model's actions and resolve phrases."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
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
from affordance_grounding_core.errors import StopWordError, UnknownActionError

if TYPE_CHECKING:
    from affordance_grounding_core.actions.resolution import ActionResolution
    from affordance_grounding_core.inference.grounder import Grounder


def actions(
    phrases: Annotated[
        list[str] | None,
        typer.Argument(metavar="[PHRASE]...", help="Commands in everyday English, to be resolved."),
    ] = None,
    model: ModelOption = "default",
    runtime: RuntimeOption = "auto",
    json_file: JsonOption = None,
    backbone_weights: WeightsOption = None,
    taught: TaughtOption = "auto",
) -> None:
    """List the actions of a model and the other words it takes for them, or resolve phrases.

    With phrases: prints what each one means, how that was found and how sure it is; the exit
    code is 1 where one is refused. What says to stop is named as such and is no refusal.
    """
    grounder = load_model(model, runtime, backbone_weights, taught)
    if phrases:
        outcome = resolve_phrases(grounder, phrases)
        write_json(json_file, {"model": model, **asdict(outcome)})
        raise typer.Exit(1 if outcome.refused else 0)
    vocabulary = grounder.vocabulary
    aliases = {
        name: sorted(alias for alias, meant in vocabulary.aliases.items() if meant == name)
        for name in vocabulary.names
    }
    width = max(map(len, aliases))
    for name, others in aliases.items():
        typer.echo(f"{name.ljust(width)}  {', '.join(others)}".rstrip())
    write_json(json_file, {"model": model, "actions": aliases})


@dataclass
class Outcomes:
    """Phrases and the actions that a model resolves them to.

    Attributes:
        resolved: entries they mean, as `ActionResolution.as_dict` has them.
        stop: phrases that say to stop.
        refused: phrases that were refused, with the reason and the closest entries.
    """

    resolved: list[dict[str, object]] = field(default_factory=list)
    stop: list[str] = field(default_factory=list)
    refused: list[dict[str, object]] = field(default_factory=list)


def resolve_phrases(grounder: Grounder, phrases: Sequence[str]) -> Outcomes:
    """Resolve phrases and print what each one means to a model.

    Args:
        grounder: whose vocabulary counts.
        phrases: commands.
    """
    outcomes = Outcomes()
    for text in phrases:
        outcome = _resolution_or_error(grounder, text)
        if isinstance(outcome, StopWordError):
            outcomes.stop.append(text)
            typer.echo(f"{abbreviate(text)}: stop, which asks for no action")
        elif isinstance(outcome, UnknownActionError):
            closest = list(outcome.closest)
            outcomes.refused.append({"text": text, "reason": str(outcome), "closest": closest})
            typer.echo(f"refused: {outcome}", err=True)
        else:
            outcomes.resolved.append(outcome.as_dict())
            others = ", ".join(f"{o.action} {o.confidence:.2f}" for o in outcome.candidates[1:])
            also = f"; or else {others}" if others else ""
            typer.echo(f"{abbreviate(text)}: {outcome.summary}{also}")
    return outcomes


def _resolution_or_error(grounder: Grounder, text: str) -> ActionResolution | UnknownActionError:
    try:
        return grounder.resolve(text)
    except UnknownActionError as error:
        return error
