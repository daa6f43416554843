"""Reads the options of a run without the packages that train."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

from affordance_grounding_core.actions.datasets import DATASET_ACTIONS
from affordance_grounding_core.errors import TrainingError

TRIAL_OPTION = "trainer.fast_dev_run"
"""Lightning's option of a run of one batch."""


def run_option(arguments: Sequence[str], name: str) -> Any:
    """Find the value of an option, on the command line or in its configs; the last one counts.

    Args:
        arguments: options of the run, with any number of `--config FILE`.
        name: name with dots, for example "data.root".

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


def expanded(arguments: Sequence[str]) -> list[str]:
    """Write out configs and vocabularies that the options of a run only name.

    Each config is given whole, with what it extends, and a vocabulary that is named
    (`--model.actions agd20k-seen`) is listed.

    Args:
        arguments: options of the run, as on the command line.

    Raises:
        TrainingError: a config that cannot be read, or an unknown vocabulary.
    """
    found: list[str] = []
    given = iter(arguments)
    for argument in given:
        option, equals, text = argument.partition("=")
        if option not in ("--config", "-c", "--model.actions"):
            found.append(argument)
            continue
        value = text if equals else next(given, "")
        if option == "--model.actions":
            found.append(f"{option}={json.dumps(_listed_actions(value))}")
        else:
            found += ["--config", json.dumps(read_config(Path(value)))]
    return found


def read_config(path: Path) -> dict[str, Any]:
    """Read a training config, with what it extends.

    `extends: FILE` names another config beside it, whose options hold where this one says nothing
    else. `model.actions` may name a published vocabulary.

    Raises:
        TrainingError: it cannot be read as YAML, is no mapping, or extends itself.
    """
    return _read_config(path, ())


def _read_config(path: Path, above: tuple[Path, ...]) -> dict[str, Any]:
    content = _read_mapping(path)
    model = content.get("model")
    if isinstance(model, dict) and isinstance(model.get("actions"), str):
        content = _joined(content, {"model": {"actions": _listed_actions(model["actions"])}})
    base = content.pop("extends", None)
    if base is None:
        return content
    file = path.resolve()
    if file in above:
        raise TrainingError(f"training config {str(path)!r} extends itself; correct `extends:`")
    return _joined(_read_config(path.parent / str(base), (*above, file)), content)


def _joined(base: Mapping[str, Any], over: Mapping[str, Any]) -> dict[str, Any]:
    """Options of a config over those of another, mapping by mapping; lists are replaced."""
    joined = dict(base)
    for name, value in over.items():
        old = joined.get(name)
        if isinstance(old, dict) and isinstance(value, dict):
            value = _joined(old, value)
        joined[name] = value
    return joined


def _listed_actions(text: str) -> Any:
    """Actions of a published vocabulary; any other text as YAML, for the parser to judge."""
    if text in DATASET_ACTIONS:
        return list(DATASET_ACTIONS[text])
    listed = yaml.safe_load(text)
    if isinstance(listed, str):
        raise TrainingError(
            f"model.actions must be a list of actions or one of {sorted(DATASET_ACTIONS)}, got "
            f"{text!r}"
        )
    return listed


def _read_mapping(path: Path) -> dict[str, Any]:
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
