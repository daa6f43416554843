"""The parts of a checkpoint's config as the dataclasses they were written from."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any, TypeVar

from affordance_grounding_core.checkpoints.format import Checkpoint
from affordance_grounding_core.errors import CheckpointError

logger = logging.getLogger(__name__)

Section = TypeVar("Section")


def read_section(config: Mapping[str, Any], name: str, kind: type[Section]) -> Section:
    """Build a dataclass from its part of a config; every error names the part.

    Args:
        config: of a checkpoint.
        name: of the part.
        kind: dataclass, which checks its values; lists become tuples.

    Raises:
        ValueError: the part is missing, no mapping, or does not fit the dataclass.
    """
    values = config.get(name)
    if not isinstance(values, Mapping):
        raise ValueError(f"section {name!r} is missing or no mapping")
    listed = {
        key: tuple(value) if isinstance(value, list) else value for key, value in values.items()
    }
    try:
        return kind(**listed)
    except (TypeError, ValueError) as error:
        raise ValueError(f"section {name!r}: {error}") from error


def unfit(checkpoint: Checkpoint, method: str, reason: object) -> CheckpointError:
    """An error that says what of a checkpoint does not fit its method, and what to do."""
    return CheckpointError(
        f"checkpoint {checkpoint.folder} does not fit method {method!r} ({reason}); restore "
        "config.json and model.safetensors from the same source, or train or import again"
    )


def compare_fingerprints(name: str, found: str, expected: str | None) -> None:
    """Warn where a model runs with other weights than those it was trained with.

    Args:
        name: name of the backbone or encoder.
        found: hash of the weights that it runs with.
        expected: hash of those it was trained with; None where it is not known.
    """
    if expected is not None and found != expected:
        logger.warning(
            "%s has fingerprint %s..., the model was trained on %s...; expect other results.",
            name,
            found[:16],
            expected[:16],
        )
