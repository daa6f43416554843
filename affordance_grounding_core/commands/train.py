"""`affordance-grounding train`: train a checkpoint from a YAML config."""

from __future__ import annotations

import typer

from affordance_grounding_core.methods.training import run_training, training_method

PASS_THROUGH = {"allow_extra_args": True, "ignore_unknown_options": True, "help_option_names": []}
"""Typer context settings: every option, --help included, goes to the training parser."""


def train(context: typer.Context) -> None:
    """Train a model: --config FILE, and any option of the run after it (--help lists them).

    `--seeds N` trains and evaluates the seeds 0 to N - 1, each in OUTPUT/seed_K, and prints mean
    and spread of the best and the last epoch under both protocols.
    """
    arguments, seeds = take_seeds(context.args)
    method = training_method(arguments)
    if seeds is None:
        for line in run_training(method, arguments):
            typer.echo(line)
        return
    from affordance_grounding_core.benchmark.seed_tables import seed_tables
    from affordance_grounding_core.benchmark.seeds import run_seeds

    typer.echo(seed_tables(run_seeds(method, arguments, seeds)))


def take_seeds(arguments: list[str]) -> tuple[list[str], int | None]:
    """Take `--seeds N` out of the options of a run.

    Raises:
        typer.BadParameter: N is no number.
    """
    rest: list[str] = []
    seeds: int | None = None
    given = iter(arguments)
    for argument in given:
        name, equals, value = argument.partition("=")
        if name != "--seeds":
            rest.append(argument)
            continue
        text = value if equals else next(given, "")
        if not text.isdigit() or int(text) < 1:
            raise typer.BadParameter(f"--seeds must be a number of at least 1, got {text!r}")
        seeds = int(text)
    return rest, seeds
