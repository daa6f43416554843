"""Engines on disk: a folder with the engine's files and a manifest that says what they are.

An engine belongs to one model, one input shape, one version of every library and one device.
All of that is its identity. A stored engine with another identity is rebuilt, and the field
that differs is named. Files are hashed before they are handed to a runtime, and a folder that
others can write is refused: engines hold compiled code.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import logging
import os
import shutil
import stat
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from affordance_grounding_core.errors import ArtifactError
from affordance_grounding_core.files import cache_directory, file_digest, replace_json
from affordance_grounding_core.inference.runtime import GateFigures

MANIFEST_FILE = "manifest.json"
MANIFEST_VERSION = 2
_LOCK_SECONDS = 3600.0

_log = logging.getLogger(__name__)

STORE_VARIABLE = "AFFORDANCE_GROUNDING_ENGINES"
"""Environment variable that names another folder of engines."""


def store_directory() -> Path:
    """Folder of engines: $AFFORDANCE_GROUNDING_ENGINES or the user's cache."""
    named = os.environ.get(STORE_VARIABLE)
    return Path(named).expanduser() if named else cache_directory() / "engines"


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
        folder: with the engine's files and `manifest.json`.
        manifest: of the folder.
    """

    folder: Path
    manifest: Manifest


@dataclass(frozen=True)
class Verdict:
    """Outcome of a build: figures of the gate, and why the engine must not be used, if so.

    `is_gated` is False where the gate waits for the machine that the engine is for.
    """

    gate: GateFigures | None
    failures: tuple[str, ...] = ()
    is_gated: bool = True


Builder = Callable[[Path], Verdict]
"""Builds an engine into an empty folder and gates it."""


class ArtifactStore:
    """Folder of engines, one a slot.

    Args:
        root: made when the first engine is written.
    """

    def __init__(self, root: Path) -> None:
        self.root = root
        self._temporary: Path | None = None

    def find(
        self, slot: str, identity: Mapping[str, Any], *, say_why: bool = True
    ) -> Artifact | None:
        """Find a stored engine that can be used as it is, or is known to fail the gate.

        Whatever else lies there is left alone.

        Args:
            slot: name of the folder.
            identity: of the engine wanted.
            say_why: whether the log says why what lies there is not used.
        """
        folder = self.root / slot
        if not os.path.exists(folder):  # Not `Path.exists`, which raises where it may not look.
            return None
        try:
            artifact = Artifact(folder, read_manifest(folder))
            field = difference(_plain(identity), artifact.manifest.identity)
            if field:
                raise ArtifactError(f"engine {folder} is of another {field}")
            verify_files(artifact)
        except ArtifactError as error:
            if say_why:
                _log.warning("%s; it has to be built again", error)
            return None
        return artifact

    def find_or_build(self, slot: str, identity: Mapping[str, Any], build: Builder) -> Artifact:
        """Find an engine, or build it while other processes that want the same one wait.

        Where the store cannot be written, the engine is built in a temporary folder, and again
        by the next process.

        Args:
            slot: name of the folder; letters, digits, dots, hyphens and slashes.
            identity: of the engine.
            build: called with an empty folder. What it raises is passed on; nothing is stored.

        Raises:
            ArtifactError: another process has held the lock for an hour.
        """
        found = self.find(slot, identity)
        if found:
            return found
        self.make_usable(slot)
        with self._lock(slot):
            waited = self.find(slot, identity, say_why=False)
            return waited or self._build(slot, identity, build)

    def judged(
        self, artifact: Artifact, machine: Mapping[str, str], judge: Callable[[], Verdict]
    ) -> Artifact:
        """Pass judgement on an engine that was built ahead, once a machine.

        The figures are kept beside the engine's folder, in a file of the machine.

        Args:
            artifact: of a store.
            machine: the judgement is of.
            judge: compares the engine with PyTorch.

        Returns:
            The engine with its figures, and failures if it must not be used here.
        """
        if artifact.manifest.is_gated:
            return artifact
        wanted = {"machine": dict(machine), "engine": artifact.manifest.fingerprint}
        digest = hashlib.sha256(json.dumps(wanted, sort_keys=True).encode()).hexdigest()
        file = artifact.folder.with_name(f"{artifact.folder.name}.gate-{digest[:16]}.json")
        verdict = _read_verdict(file, wanted)
        if verdict is None:
            verdict = judge()
            gate = verdict.gate.as_dict() if verdict.gate else None
            try:
                replace_json(file, {**wanted, "gate": gate, "failures": list(verdict.failures)})
            except OSError as error:
                _log.warning(
                    "figures of the gate cannot be kept in %s (%s): the engine is compared again "
                    "at every start",
                    file,
                    error,
                )
        manifest = replace(
            artifact.manifest, gate=verdict.gate, failures=verdict.failures, is_gated=True
        )
        return Artifact(artifact.folder, manifest)

    def make_usable(self, slot: str) -> Path:
        """Make the folder that an engine is written into, or a temporary one in its place.

        Args:
            slot: name of the engine's folder.

        Returns:
            The root in use from now on.
        """
        try:
            parent = (self.root / slot).parent
            parent.mkdir(parents=True, exist_ok=True)
            tempfile.TemporaryDirectory(dir=parent, prefix=".probe-").cleanup()
        except OSError as error:
            _log.warning(
                "engines cannot be kept in %s (%s): they are built again at every start; make the "
                "folder writable or set AFFORDANCE_GROUNDING_CACHE to another",
                self.root,
                error,
            )
            self.root = Path(tempfile.mkdtemp(prefix="affordance_grounding_engines_"))
            self._temporary = self.root
            (self.root / slot).parent.mkdir(parents=True, exist_ok=True)
        return self.root

    def engines(self) -> list[Artifact | Path]:
        """Every engine of the store, sorted; its folder where the manifest cannot be read."""
        found: list[Artifact | Path] = []
        for manifest in sorted(self.root.glob(f"**/{MANIFEST_FILE}")):
            folder = manifest.parent
            if any(part.startswith(".") for part in folder.relative_to(self.root).parts):
                continue  # being built
            try:
                found.append(Artifact(folder, read_manifest(folder)))
            except ArtifactError:
                found.append(folder)
        return found

    def remove(self, folder: Path) -> bool:
        """Remove an engine, and nothing else that may lie in the store.

        Args:
            folder: of the engine.

        Returns:
            Whether it is gone; False where another process is building it at this moment.

        Raises:
            OSError: it cannot be removed.
        """
        lock = FileLock(f"{folder}.lock")
        try:
            with lock.acquire(timeout=0):
                shutil.rmtree(folder)
        except Timeout:
            return False
        Path(lock.lock_file).unlink(missing_ok=True)
        if folder.parent != self.root and not any(folder.parent.iterdir()):
            folder.parent.rmdir()
        return True

    def close(self) -> None:
        """Remove engines that could not be stored."""
        if self._temporary is not None:
            shutil.rmtree(self._temporary, ignore_errors=True)

    def _build(self, slot: str, identity: Mapping[str, Any], build: Builder) -> Artifact:
        target = self.root / slot
        with tempfile.TemporaryDirectory(dir=target.parent, prefix=f".{target.name}-") as scratch:
            fresh = Path(scratch) / "engine"
            manifest = _build_into(fresh, identity, build)
            if target.is_symlink() or target.is_file():
                target.unlink()
            elif target.exists():
                os.rename(target, Path(scratch) / "replaced")
            os.rename(fresh, target)
        return Artifact(target, manifest)

    @contextlib.contextmanager
    def _lock(self, slot: str) -> Iterator[None]:
        path = self.root / f"{slot}.lock"
        lock = FileLock(path)
        try:
            lock.acquire(timeout=0)
        except Timeout:
            _log.info("another process is building %s; waiting for it", self.root / slot)
            try:
                lock.acquire(timeout=_LOCK_SECONDS)
            except Timeout as error:
                raise ArtifactError(
                    f"another process has held {path} for an hour; end it or remove the file"
                ) from error
        try:
            yield
        finally:
            lock.release()


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


def _read_verdict(file: Path, wanted: Mapping[str, Any]) -> Verdict | None:
    """Read figures that were kept; None where they are missing, damaged or of another machine."""
    try:
        content = json.loads(file.read_text(encoding="utf-8"))
        if any(content[name] != value for name, value in wanted.items()):
            return None
        gate = content["gate"]
        return Verdict(
            GateFigures.from_dict(gate) if gate is not None else None,
            tuple(str(failure) for failure in content["failures"]),
        )
    except (OSError, ValueError, KeyError, TypeError):
        return None


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
        expected: of the engine wanted.
        got: of the engine there is.
        prefix: of the field's name, for nested mappings.

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


def abbreviate_error(error: BaseException, length: int = 300) -> str:
    """First line of an error's message, cut to a length."""
    lines = str(error).strip().splitlines()
    first = lines[0] if lines else type(error).__name__
    return first if len(first) <= length else f"{first[:length]}..."


def _build_into(folder: Path, identity: Mapping[str, Any], build: Builder) -> Manifest:
    folder.mkdir(mode=0o755)  # Others may read what root has built; nobody else may write it.
    started = time.monotonic()
    verdict = build(folder)
    if verdict.failures:  # an engine nobody may use takes no space
        for path in folder.iterdir():
            path.unlink()
    manifest = Manifest(
        identity=_plain(identity),
        gate=verdict.gate,
        failures=verdict.failures,
        files={path.name: file_digest(path) for path in sorted(folder.iterdir())},
        seconds=round(time.monotonic() - started, 1),
        is_gated=verdict.is_gated,
    )
    replace_json(folder / MANIFEST_FILE, manifest.as_dict())
    readable = (folder / MANIFEST_FILE).stat().st_mode
    for name in manifest.files:
        (folder / name).chmod(readable)  # Some libraries write files for their owner alone.
    return manifest


def _plain(identity: Mapping[str, Any]) -> dict[str, Any]:
    """As it comes back from JSON: tuples are lists."""
    content: dict[str, Any] = json.loads(json.dumps(identity))
    return content


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
