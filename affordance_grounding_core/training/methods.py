"""Which training method a config asks for, found without importing any of them."""

from __future__ import annotations

import importlib
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType

import yaml

from affordance_grounding_core.errors import RuntimeUnavailableError, TrainingError

METHODS: Mapping[str, str] = MappingProxyType(
    {
        "action_head": "affordance_grounding_core.methods.action_head.training",
        "plsp": "affordance_grounding_core.methods.plsp.training",
        "selective_cl": "affordance_grounding_core.methods.selective_cl.training",
    }
)
"""Training method to the module with its `train_from_config` and `outcome_lines`."""

DEFAULT_METHOD = "action_head"
"""What a config trains that names no method."""


def training_method(arguments: Sequence[str]) -> str:
    """Find the training method that a command line means.

    Args:
        arguments: with `--method NAME`, or `--config FILE` whose file says `method: NAME`; the
            last one counts, as for every other option.

    Raises:
        TrainingError: a method that does not exist, or a config that cannot be read.
    """
    method = DEFAULT_METHOD
    for option, value in _options(arguments, ("--config", "--method")):
        method = value if option == "--method" else _read_method(Path(value)) or method
    if method not in METHODS:
        raise TrainingError(
            f"training method must be one of {sorted(METHODS)}, got {method!r}; correct `method:` "
            "in the config"
        )
    return method


def run_training(method: str, arguments: Sequence[str]) -> list[str]:
    """Train by a method.

    Args:
        method: a key of `METHODS`.
        arguments: as on the command line.

    Returns:
        What the run has left behind, line by line.

    Raises:
        RuntimeUnavailableError: the packages for training are not installed.
    """
    try:
        module = importlib.import_module(METHODS[method])
    except ImportError as error:
        raise RuntimeUnavailableError(
            f"training needs the extra 'train' ({error}); install it with "
            "`pip install 'affordance-grounding-core[train]'`"
        ) from error
    lines: list[str] = module.outcome_lines(module.train_from_config(trainer_arguments(arguments)))
    return lines


def trainer_arguments(arguments: Sequence[str]) -> list[str]:
    """Write the short `--fast-dev-run` out as the option of the trainer that it is."""
    return [
        "--trainer.fast_dev_run=true" if argument == "--fast-dev-run" else argument
        for argument in arguments
    ]


def _options(arguments: Sequence[str], names: Sequence[str]) -> Iterator[tuple[str, str]]:
    for place, argument in enumerate(arguments):
        name, equals, value = argument.partition("=")
        if name in names and equals:
            yield name, value
        elif name in names and place + 1 < len(arguments):
            yield name, arguments[place + 1]


def _read_method(path: Path) -> str | None:
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise TrainingError(
            f"training config {str(path)!r} cannot be read as YAML ({error}); expected a file such "
            "as those of config/train"
        ) from error
    if not isinstance(content, dict):
        raise TrainingError(
            f"training config {str(path)!r} must be a mapping of options, got "
            f"{type(content).__name__}"
        )
    method = content.get("method")
    return None if method is None else str(method)
