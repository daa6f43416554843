"""The file that says what the engine beside it is, and whether it still is that."""

from __future__ import annotations

import hashlib
import json
import os
import stat
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from affordance_grounding_core.errors import ArtifactError, abbreviate_error
from affordance_grounding_core.files import file_digest
from affordance_grounding_core.inference.runtime import GateFigures

MANIFEST_FILE = "manifest.json"
MANIFEST_VERSION = 2


@dataclass(frozen=True)
class Manifest:
    """What a folder's engine is and how it did.

    Attributes:
        identity: all that must be the same for the engine to be used, by field; nested
            mappings of plain values.
        gate: figures of the numeric gate, None where it could not be run.
        failures: why the engine must not be used; empty if it may.
        files: sha256 of the engine's files, by name.
        seconds: the build took.
        is_gated: False for an engine that was built ahead for another machine.
    """

    identity: Mapping[str, Any]
    gate: GateFigures | None
    failures: tuple[str, ...]
    files: Mapping[str, str]
    seconds: float
    is_gated: bool = True

    def as_dict(self) -> dict[str, Any]:
        """Return plain values for JSON."""
        return {
            "manifest_version": MANIFEST_VERSION,
            "identity": dict(self.identity),
            "gate": self.gate.as_dict() if self.gate else None,
            "failures": list(self.failures),
            "files": dict(self.files),
            "seconds": self.seconds,
            "is_gated": self.is_gated,
        }

    @property
    def fingerprint(self) -> str:
        """sha256 of identity and files, hexadecimal."""
        content = {"identity": self.identity, "files": self.files}
        return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()


@dataclass(frozen=True)
class Artifact:
    """An engine on disk.

    Attributes:
        folder: folder with the engine's files and `manifest.json`.
        manifest: content of `manifest.json`.
    """

    folder: Path
    manifest: Manifest


def read_manifest(folder: Path) -> Manifest:
    """Read the manifest of an engine's folder.

    Raises:
        ArtifactError: there is none, it cannot be read, or others can change the folder.
    """
    path = folder / MANIFEST_FILE
    _check_owner(folder)
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        if content["manifest_version"] != MANIFEST_VERSION:
            raise ArtifactError(
                f"engine {folder} has manifest_version {content['manifest_version']!r}, this "
                f"package reads {MANIFEST_VERSION}"
            )
        gate = content["gate"]
        return Manifest(
            identity=dict(content["identity"]),
            gate=GateFigures.from_dict(gate) if gate is not None else None,
            failures=tuple(str(failure) for failure in content["failures"]),
            files={str(name): str(digest) for name, digest in content["files"].items()},
            seconds=float(content["seconds"]),
            is_gated=bool(content["is_gated"]),
        )
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise ArtifactError(
            f"engine {folder} has no manifest that can be read "
            f"({type(error).__name__}: {abbreviate_error(error)})"
        ) from error


def verify_files(artifact: Artifact) -> None:
    """Check that an engine's files are those its manifest was written with.

    Raises:
        ArtifactError: a file is missing, was changed, or does not belong there.
    """
    folder, expected = artifact.folder, artifact.manifest.files
    present = {path.name for path in folder.iterdir()} - {MANIFEST_FILE}
    if present != set(expected):
        missing, foreign = sorted(set(expected) - present), sorted(present - set(expected))
        raise ArtifactError(f"engine {folder} is missing {missing} and has unknown {foreign}")
    for name, digest in expected.items():
        path = folder / name
        if path.is_symlink() or not path.is_file() or file_digest(path) != digest:
            raise ArtifactError(
                f"engine file {path} is not the one the manifest was written with: truncated, "
                "damaged or exchanged"
            )


def difference(expected: Mapping[str, Any], got: Mapping[str, Any], prefix: str = "") -> str:
    """Name the first field in which two identities differ, with both values.

    Args:
        expected: identity of the engine that is wanted.
        got: identity of the engine that is there.
        prefix: beginning of the field's name, for nested mappings.

    Returns:
        For example "environment.torch ('2.14.1' wanted, '2.13.0' stored)"; empty if equal.
    """
    for name in sorted({*expected, *got}):
        one, other = expected.get(name), got.get(name)
        if isinstance(one, Mapping) and isinstance(other, Mapping):
            inner = difference(one, other, f"{prefix}{name}.")
            if inner:
                return inner
        elif one != other:
            return f"{prefix}{name} ({one!r} wanted, {other!r} stored)"
    return ""


def _check_owner(folder: Path) -> None:
    try:
        found = folder.lstat()
    except OSError as error:
        raise ArtifactError(f"engine {folder} cannot be read ({error})") from error
    if not stat.S_ISDIR(found.st_mode):
        raise ArtifactError(f"engine {folder} is no folder")
    if found.st_uid not in (os.geteuid(), 0) or found.st_mode & stat.S_IWOTH:
        raise ArtifactError(
            f"engine {folder} belongs to another user or can be written by everybody, so it is "
            "not loaded"
        )
