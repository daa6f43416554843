"""What a command line says of a run, read without the packages that train."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

from affordance_grounding_core.errors import TrainingError

TRIAL_OPTION = "trainer.fast_dev_run"
"""Lightning's option of a run of one batch."""


def run_option(arguments: Sequence[str], name: str) -> Any:
    """Find the value of an option, on the command line or in its configs; the last one counts.

    Args:
        arguments: as on the command line, with any number of `--config FILE`.
        name: with dots, for example "data.root".

    Returns:
        A text from the command line, any plain value from a config, or None.

    Raises:
        TrainingError: a config that cannot be read.
    """
    value = None
    for place, argument in enumerate(arguments):
        option, equals, text = argument.partition("=")
        if option not in ("--config", "-c", f"--{name}"):
            continue
        given = text if equals else next(iter(arguments[place + 1 : place + 2]), "")
        if option == f"--{name}":
            value = given
        else:
            found = _nested(read_config(Path(given)), name)
            value = value if found is None else found
    return value


def is_trial(arguments: Sequence[str]) -> bool:
    """Whether a run is to take one batch of everything only."""
    value = str(run_option(arguments, TRIAL_OPTION)).lower()
    return value not in ("none", "false", "0", "no", "null")


def read_config(path: Path) -> Mapping[str, Any]:
    """Read a training config.

    Raises:
        TrainingError: it cannot be read as YAML, or is no mapping.
    """
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
    return content


def _nested(content: Mapping[str, Any], name: str) -> Any:
    value: Any = content
    for key in name.split("."):
        if not isinstance(value, dict) or key not in value:
            return None
        value = value[key]
    return value
