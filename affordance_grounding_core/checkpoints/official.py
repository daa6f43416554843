"""Checkpoints that the papers' authors published.

They are read without running pickled code and checked tensor by tensor: nothing missing and
nothing left over.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from affordance_grounding_core.actions.datasets import DATASET_ACTIONS, actions_by_count
from affordance_grounding_core.actions.vocabulary import vocabulary_from_mapping
from affordance_grounding_core.errors import CheckpointError
from affordance_grounding_core.files import file_digest

_SHOWN = 4


@dataclass(frozen=True)
class OfficialFile:
    """A published checkpoint as it was read.

    Attributes:
        path: of the file.
        sha256: of the file, hexadecimal.
        tensors: by their published names.
    """

    path: Path
    sha256: str
    tensors: Mapping[str, torch.Tensor]


def read_official(path: Path, *, entry: str | None = None) -> OfficialFile:
    """Read a published checkpoint; pickled code is never run.

    Args:
        path: a PyTorch file.
        entry: where the file holds more than tensors, the entry with the state dict, for
            example "state_dict"; None for a flat state dict.

    Raises:
        CheckpointError: missing, damaged, holding other things than tensors, or no state dict.
    """
    if not path.is_file():
        raise CheckpointError(
            f"checkpoint file {path} does not exist; expected the file that the paper's authors "
            "offer for download"
        )
    try:
        content = torch.load(path, map_location="cpu", weights_only=True)
    except (OSError, EOFError) as error:
        raise CheckpointError(f"checkpoint file {path} cannot be read ({error})") from error
    except Exception as error:  # torch raises pickle.UnpicklingError and others from inside
        raise CheckpointError(
            f"checkpoint file {path} is refused ({type(error).__name__}): it is damaged or holds "
            "more than tensors, and pickled code is never run. Download it again; of a "
            "checkpoint of your own, save the state dict alone"
        ) from error
    if entry is not None:
        content = content.get(entry) if isinstance(content, Mapping) else None
    return OfficialFile(path, file_digest(path), _tensors(path, content, entry))


def require_tensors(
    file: OfficialFile, expected: Mapping[str, torch.Tensor], kind: str, hint: str = ""
) -> None:
    """Check names and shapes: every expected tensor is there, and no other.

    Args:
        file: as read.
        expected: tensors by published name; only their shapes are looked at.
        kind: what the file should be, for the message.
        hint: what to do, for the message.

    Raises:
        CheckpointError: a tensor is missing, unknown, of another shape or not finite; the
            message counts and names them.
    """
    missing = sorted(expected.keys() - file.tensors.keys())
    unknown = sorted(file.tensors.keys() - expected.keys())
    reshaped = sorted(
        f"{name} {tuple(file.tensors[name].shape)} instead of {tuple(value.shape)}"
        for name, value in expected.items()
        if name in file.tensors and file.tensors[name].shape != value.shape
    )
    defects = [
        f"{len(names)} {what} ({', '.join(names[:_SHOWN])}{', ...' if names[_SHOWN:] else ''})"
        for what, names in (
            ("missing", missing),
            ("unknown", unknown),
            ("of another shape", reshaped),
        )
        if names
    ]
    if defects:
        raise CheckpointError(
            f"{file.path} is no complete {kind} checkpoint: of {len(expected)} tensors "
            f"{'; '.join(defects)}. {hint or 'Download it again from the authors'}"
        )
    broken = [
        name
        for name, value in file.tensors.items()
        if value.is_floating_point() and not torch.isfinite(value).all()
    ]
    if broken:
        raise CheckpointError(
            f"{file.path} holds values that are not finite in {broken[:_SHOWN]}; the training "
            "diverged or the file is damaged: download it again"
        )


def choose_actions(count: int, given: Sequence[str] | None) -> tuple[str, ...]:
    """Find the class list of a checkpoint, which holds none itself.

    Args:
        count: number of its classes.
        given: class list by the user, in the order of training; None to tell it by the count.

    Raises:
        CheckpointError: a list of another length or of no actions, or none known of that length.
    """
    if given is None:
        known = actions_by_count(count)
        if known is None:
            lengths = {name: len(actions) for name, actions in DATASET_ACTIONS.items()}
            raise CheckpointError(
                f"the checkpoint has {count} classes, and no published class list is that long "
                f"({lengths}); give the list it was trained with, in the same order (--actions)"
            )
        return known
    if len(given) != count:
        raise CheckpointError(
            f"the checkpoint has {count} classes, the class list {len(given)}: "
            f"{list(given)[:6]}...; give the list it was trained with, in the same order"
        )
    try:
        return vocabulary_from_mapping(given, {}).names
    except ValueError as error:
        raise CheckpointError(f"the class list cannot be used: {error}") from error


def source_notes(file: OfficialFile, kind: str) -> dict[str, Any]:
    """Say in the config where a model came from."""
    return {"source": {"format": kind, "file": file.path.name, "sha256": file.sha256}}


def _tensors(path: Path, content: object, entry: str | None) -> dict[str, torch.Tensor]:
    where = f"under {entry!r}" if entry else "at its top"
    if not isinstance(content, Mapping) or not content:
        raise CheckpointError(
            f"checkpoint file {path} holds no state dict {where}; expected names with tensors, as "
            "the authors publish it"
        )
    others = [str(name) for name, value in content.items() if not isinstance(value, torch.Tensor)]
    if others:
        raise CheckpointError(
            f"checkpoint file {path} holds more than tensors {where}: {others[:_SHOWN]}; expected "
            "a flat state dict, as the authors publish it"
        )
    return {str(name): value for name, value in content.items()}
