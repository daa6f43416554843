"""Errors that users of the package may want to catch.

Every message names the thing, what was expected, what came, and the fix.
"""

from __future__ import annotations

from collections.abc import Sequence


class AffordanceGroundingError(Exception):
    """Base of all errors raised on purpose by this package."""


class InvalidImageError(AffordanceGroundingError, ValueError):
    """An image of a shape, type or content that cannot be grounded."""


class UnknownActionError(AffordanceGroundingError, ValueError):
    """An action that does not resolve to the model's vocabulary.

    Attributes:
        closest: names of the vocabulary most similar to what was asked, best first.
    """

    def __init__(self, message: str, closest: Sequence[str] = ()) -> None:
        super().__init__(message)
        self.closest = tuple(closest)


class StopWordError(UnknownActionError):
    """A command that asks to stop, which is no action: nothing is to be grounded."""


class CheckpointError(AffordanceGroundingError, RuntimeError):
    """A model checkpoint that is missing, incomplete, tampered with or of another kind."""


class WeightsError(AffordanceGroundingError, RuntimeError):
    """Backbone weights that cannot be found, fetched or verified."""


class OutputError(AffordanceGroundingError, OSError):
    """A file or folder that a command was asked to write, and cannot."""


class RuntimeUnavailableError(AffordanceGroundingError, RuntimeError):
    """An inference runtime that is unknown or not installed on this machine."""


class DatasetError(AffordanceGroundingError, RuntimeError):
    """A dataset folder that does not have the documented layout."""


class PartNameError(AffordanceGroundingError, ValueError):
    """A table of part names that is malformed, incomplete, or names an unknown action."""


class ExportError(AffordanceGroundingError, RuntimeError):
    """A network that cannot be turned into the graph or engine a runtime needs."""


class ArtifactError(AffordanceGroundingError, RuntimeError):
    """A stored engine that is damaged, of another model or machine, or not to be trusted."""


class TrainingError(AffordanceGroundingError, RuntimeError):
    """A training run that cannot go on, for example for a loss that is not finite."""


class TrainingOptionError(TrainingError, ValueError):
    """An option of a training run that does not exist, or whose value does not fit."""


class TeachingError(AffordanceGroundingError, ValueError):
    """A taught action that cannot be added, changed, kept or used."""


def abbreviate_error(error: BaseException, length: int = 300) -> str:
    """First line of an error's message, cut to a length."""
    lines = str(error).strip().splitlines()
    first = lines[0] if lines else type(error).__name__
    return first if len(first) <= length else f"{first[:length]}..."
