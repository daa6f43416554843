"""Runs the training of the method that a config names, without importing the others."""

from __future__ import annotations

import importlib
from collections.abc import Sequence

from affordance_grounding_core.errors import RuntimeUnavailableError, TrainingError
from affordance_grounding_core.methods.base import METHODS
from affordance_grounding_core.training.run_options import TRIAL_OPTION, is_trial, run_option
from affordance_grounding_core.training.trial import trial_arguments

DEFAULT_METHOD = "action_head"
"""What a config trains that names no method."""


def training_method(arguments: Sequence[str]) -> str:
    """Find the training method that a command line means.

    Args:
        arguments: options with `--method NAME`, or `--config FILE` whose file says `method: NAME`;
            the last one counts, as for every other option.

    Raises:
        TrainingError: a method that does not exist, or a config that cannot be read.
    """
    method = run_option(arguments, "method") or DEFAULT_METHOD
    if method not in METHODS:
        raise TrainingError(
            f"training method must be one of {sorted(METHODS)}, got {method!r}; correct `method:` "
            "in the config"
        )
    return method


def run_training(method: str, arguments: Sequence[str]) -> list[str]:
    """Train by a method; a run with `--fast-dev-run` is a trial, see `trial_arguments`.

    Args:
        method: a key of `METHODS`.
        arguments: options of the run, as on the command line.

    Returns:
        What the run has left behind, line by line.

    Raises:
        RuntimeUnavailableError: the packages for training are not installed.
    """
    try:
        module = importlib.import_module(METHODS[method].training_module)
    except ImportError as error:
        raise RuntimeUnavailableError(
            f"training needs the extra 'train' ({error}); install it with "
            "`pip install 'affordance-grounding-core[train]'`"
        ) from error
    options = trainer_arguments(arguments)
    if not is_trial(options) or "--help" in options or "-h" in options:
        lines: list[str] = module.outcome_lines(module.train_from_config(options))
        return lines
    with trial_arguments(options) as trial:
        lines = module.outcome_lines(module.train_from_config(trial))
    return [*lines, "A trial of one batch: the options work; the checkpoint is worth nothing."]


def trainer_arguments(arguments: Sequence[str]) -> list[str]:
    """Write the short `--fast-dev-run` out as the option of the trainer that it is."""
    return [
        f"--{TRIAL_OPTION}=true" if argument == "--fast-dev-run" else argument
        for argument in arguments
    ]
