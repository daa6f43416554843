"""File of a user's taught actions: safetensors with its own description.

Tensors `ACTION.EXEMPLAR.KIND` by number, and in the header's metadata the format's version, the
backbone, the names, where the exemplars came from and a checksum of the tensors. Nothing in it is
code, and no text in it is ever used as a path.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.numpy import load as load_tensors
from safetensors.numpy import save as serialize_tensors

from affordance_grounding_core.errors import TeachingError
from affordance_grounding_core.files import data_directory, replace_file
from affordance_grounding_core.teaching.collection import (
    MAXIMUM_ACTIONS,
    MAXIMUM_EXEMPLARS,
    BackboneIdentity,
    TaughtAction,
    TaughtActions,
    check_name,
)
from affordance_grounding_core.teaching.exemplars import Exemplar

FORMAT = "affordance-grounding-taught"
FORMAT_VERSION = 1
MAXIMUM_BYTES = 1 << 28
"""Largest file that is read: far more than the most exemplars take."""

FILE_VARIABLE = "AFFORDANCE_GROUNDING_TAUGHT"
"""Environment variable that names another default file."""

_KINDS = ("foreground", "coverage", "background", "share")


def default_file() -> Path:
    """File of a user who names none: $AFFORDANCE_GROUNDING_TAUGHT or the user's data folder."""
    if os.environ.get(FILE_VARIABLE):
        return Path(os.environ[FILE_VARIABLE]).expanduser()
    return data_directory() / "taught.safetensors"


def write_taught(path: Path, taught: TaughtActions) -> None:
    """Write a file; the old one stays as it is until the new one is whole.

    Args:
        path: path of the file; its folder is made if needed.
        taught: what it shall hold.

    Raises:
        TeachingError: the file cannot be written.
    """
    tensors: dict[str, NDArray[np.float16]] = {}
    listed = []
    for number, (name, action) in enumerate(taught.actions.items()):
        for index, exemplar in enumerate(action.exemplars):
            for kind in _KINDS:
                tensors[f"{number}.{index}.{kind}"] = np.ascontiguousarray(getattr(exemplar, kind))
        described = [{"source": one.source, "mark": one.mark} for one in action.exemplars]
        listed.append({"name": name, "overrides": action.overrides, "exemplars": described})
    description = {
        "backbone": taught.backbone.name,
        "backbone_fingerprint": taught.backbone.fingerprint,
        "blocks": list(taught.backbone.blocks),
        "actions": listed,
    }
    text = json.dumps(description, ensure_ascii=False, sort_keys=True)
    metadata = {
        "format": FORMAT,
        "format_version": str(FORMAT_VERSION),
        "description": text,
        "sha256": _digest(text, tensors),
    }
    try:
        replace_file(path, serialize_tensors(tensors, metadata))
    except OSError as error:
        raise TeachingError(
            f"taught actions cannot be written to {path} ({error.strerror or error}); nothing was "
            "changed: free space, or name another file"
        ) from error


def read_taught(path: Path) -> TaughtActions:
    """Read and verify a file.

    Raises:
        TeachingError: missing, too large, damaged, of another format version, or with content
            that does not belong together.
    """
    try:
        size = path.stat().st_size
        content = path.read_bytes() if size <= MAXIMUM_BYTES else b""
    except OSError as error:
        raise TeachingError(
            f"taught actions cannot be read from {path} ({error.strerror or error}); expected a "
            "file that `affordance-grounding teach` wrote"
        ) from error
    if size > MAXIMUM_BYTES:
        raise _unusable(path, f"it has {size} bytes, more than {MAXIMUM_BYTES}")
    metadata = _metadata(path, content)
    if metadata.get("format") != FORMAT:
        raise _unusable(path, f"its format is {str(metadata.get('format'))[:40]!r}, not {FORMAT!r}")
    if metadata.get("format_version") != str(FORMAT_VERSION):
        raise TeachingError(
            f"taught actions in {path} have format version {metadata.get('format_version')!r}, "
            f"this package reads {FORMAT_VERSION}; install the version of the package that wrote "
            "the file, or teach them again"
        )
    try:
        tensors = load_tensors(content)
    except (SafetensorError, ValueError, KeyError, TypeError) as error:
        raise _unusable(path, str(error)) from error
    text = str(metadata.get("description"))
    if _digest(text, tensors) != metadata.get("sha256"):
        raise _unusable(path, "its checksum is another than it was written with")
    try:
        return _taught(json.loads(text), tensors)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise _unusable(path, f"{type(error).__name__}: {error}") from error


def _metadata(path: Path, content: bytes) -> Mapping[str, Any]:
    """Read the text beside the tensors, which `safetensors.numpy.load` does not hand out."""
    length = int.from_bytes(content[:8], "little")
    try:
        header = json.loads(content[8 : 8 + length])
        metadata = header.get("__metadata__", {})
    except (ValueError, AttributeError) as error:
        raise _unusable(path, f"it is no safetensors file ({error})") from error
    if not isinstance(metadata, dict):
        raise _unusable(path, "its metadata is no mapping")
    return metadata


def _taught(
    description: Mapping[str, Any], tensors: Mapping[str, NDArray[np.float16]]
) -> TaughtActions:
    identity = BackboneIdentity(
        str(description["backbone"]),
        str(description["backbone_fingerprint"]),
        tuple(int(block) for block in description["blocks"]),
    )
    listed = description["actions"]
    if len(listed) > MAXIMUM_ACTIONS:
        raise ValueError(f"{len(listed)} actions, more than {MAXIMUM_ACTIONS}")
    actions: dict[str, TaughtAction] = {}
    for number, entry in enumerate(listed):
        name = entry["name"]
        if check_name(name) != name or name in actions:
            raise ValueError(f"action {str(name)[:60]!r} is repeated or misspelled")
        described = entry["exemplars"]
        if not 1 <= len(described) <= MAXIMUM_EXEMPLARS:
            raise ValueError(f"action {name!r} has {len(described)} exemplars")
        exemplars = tuple(
            _exemplar(tensors, f"{number}.{index}", str(one["source"]), str(one["mark"]))
            for index, one in enumerate(described)
        )
        actions[name] = TaughtAction(exemplars, bool(entry["overrides"]))
    widths = {one.foreground.shape[1] for action in actions.values() for one in action.exemplars}
    if len(widths) > 1:
        raise ValueError(f"exemplars of different widths {sorted(widths)}")
    return TaughtActions(identity, MappingProxyType(actions))


def _exemplar(
    tensors: Mapping[str, NDArray[np.float16]], key: str, source: str, mark: str
) -> Exemplar:
    arrays = [tensors[f"{key}.{kind}"] for kind in _KINDS]
    foreground, coverage, background, share = arrays
    if any(array.dtype != np.float16 or not np.isfinite(array).all() for array in arrays):
        raise ValueError(f"exemplar {key} has values that are not finite float16")
    if foreground.ndim != 2 or background.ndim != 2 or 0 in (*foreground.shape, *background.shape):
        raise ValueError(f"exemplar {key} has no features")
    if coverage.shape != foreground.shape[:1] or share.shape != background.shape[:1]:
        raise ValueError(f"exemplar {key} has weights of another number than features")
    if foreground.shape[1] != background.shape[1]:
        raise ValueError(f"exemplar {key} has features of two widths")
    if min(coverage.min(), share.min()) <= 0:
        raise ValueError(f"exemplar {key} has weights that are not above 0")
    return Exemplar(foreground, coverage, background, share, source, mark)


def _digest(text: str, tensors: Mapping[str, NDArray[np.float16]]) -> str:
    digest = hashlib.sha256(text.encode())
    for name in sorted(tensors):
        value = tensors[name]
        digest.update(f"{name} {value.shape} {value.dtype} ".encode())
        digest.update(np.ascontiguousarray(value).data)
    return digest.hexdigest()


def _unusable(path: Path, reason: str) -> TeachingError:
    return TeachingError(
        f"taught actions in {path} cannot be used: {reason}; restore the file from a copy, or move "
        "it away and teach them again"
    )
