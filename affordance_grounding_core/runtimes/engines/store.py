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
from affordance_grounding_core.runtimes.engines.manifest import (
    MANIFEST_FILE,
    Artifact,
    Manifest,
    difference,
    read_manifest,
    verify_files,
)

_LOCK_SECONDS = 3600.0

_log = logging.getLogger(__name__)

STORE_VARIABLE = "AFFORDANCE_GROUNDING_ENGINES"
"""Environment variable that names another folder of engines."""


def store_directory() -> Path:
    """Folder of engines: $AFFORDANCE_GROUNDING_ENGINES or the user's cache."""
    named = os.environ.get(STORE_VARIABLE)
    return Path(named).expanduser() if named else cache_directory() / "engines"


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
        self._said: set[str] = set()

    def find(self, slot: str, identity: Mapping[str, Any]) -> Artifact | None:
        """Find a stored engine that can be used as it is, or is known to fail the gate.

        Whatever else lies there is left alone; the log says once why it is not used.

        Args:
            slot: name of the folder.
            identity: identity of the engine that is wanted.
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
            if str(error) not in self._said:
                self._said.add(str(error))
                _log.warning("%s; it has to be built again", error)
            return None
        return artifact

    def find_or_build(self, slot: str, identity: Mapping[str, Any], build: Builder) -> Artifact:
        """Find an engine, or build it while other processes that want the same one wait.

        Where the store cannot be written, the engine is built in a temporary folder, and again
        by the next process.

        Args:
            slot: name of the folder; letters, digits, dots, hyphens and slashes.
            identity: identity of the engine.
            build: called with an empty folder. What it raises is passed on; nothing is stored.

        Raises:
            ArtifactError: another process has held the lock for an hour.
        """
        found = self.find(slot, identity)
        if found:
            return found
        self.make_usable(slot)
        with self._lock(slot):
            return self.find(slot, identity) or self._build(slot, identity, build)

    def judged(
        self, artifact: Artifact, machine: Mapping[str, str], judge: Callable[[], Verdict]
    ) -> Artifact:
        """Pass judgement on an engine that was built ahead, once a machine.

        The figures are kept beside the engine's folder, in a file of the machine.

        Args:
            artifact: stored files of the engine.
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
            folder: folder of the engine.

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
