"""`affordance-grounding train`: from a YAML config to a checkpoint folder."""

from __future__ import annotations

import typer

from affordance_grounding_core.training.methods import run_training, training_method

PASS_THROUGH = {"allow_extra_args": True, "ignore_unknown_options": True, "help_option_names": []}
"""Typer context settings: every option, --help included, goes to the training parser."""


def train(context: typer.Context) -> None:
    """Train a model: --config FILE, and any option of the run after it (--help lists them)."""
    for line in run_training(training_method(context.args), context.args):
        typer.echo(line)
