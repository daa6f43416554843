"""The engines in a store: what there is, how much room it takes, and its removal."""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from filelock import FileLock, Timeout

from affordance_grounding_core.errors import ArtifactError
from affordance_grounding_core.runtimes.engine_store import MANIFEST_FILE, read_manifest


@dataclass(frozen=True)
class StoredEngine:
    """A folder of a store that holds an engine.

    Attributes:
        slot: path below the store, for example "0123456789abcdef/openvino-int8-224x294-12".
        folder: of the engine.
        size: of all its files, in bytes.
        state: "usable", or why it is not: it failed the gate, or its manifest cannot be read.
    """

    slot: str
    folder: Path
    size: int
    state: str


def stored_engines(root: Path) -> list[StoredEngine]:
    """List the engines of a store, sorted by their slots; empty where there is no store."""
    engines = []
    for manifest in sorted(root.glob(f"**/{MANIFEST_FILE}")):
        folder = manifest.parent
        slot = folder.relative_to(root)
        if not any(part.startswith(".") for part in slot.parts):
            size = sum(file.lstat().st_size for file in _files(folder))
            engines.append(StoredEngine(slot.as_posix(), folder, size, _state(folder)))
    return engines


def clear_engines(root: Path, names: Sequence[str] = ()) -> list[StoredEngine]:
    """Remove engines, and nothing else that may lie in the folder.

    Args:
        root: of the store.
        names: slots, or the beginnings of some; none: all engines.

    Returns:
        What was removed. Engines that a process is building at this moment stay.

    Raises:
        ArtifactError: a name that no engine's slot begins with.
        OSError: an engine cannot be removed.
    """
    engines = stored_engines(root)
    for name in names:
        if not any(engine.slot.startswith(name) for engine in engines):
            raise ArtifactError(
                f"no engine in {root} is named {name!r}; `affordance-grounding engines list` "
                "names them"
            )
    chosen = [one for one in engines if not names or one.slot.startswith(tuple(names))]
    return [engine for engine in chosen if _remove(root, engine)]


def _remove(root: Path, engine: StoredEngine) -> bool:
    lock = FileLock(root / f"{engine.slot}.lock")
    try:
        with lock.acquire(timeout=0):
            shutil.rmtree(engine.folder)
    except Timeout:
        return False
    Path(lock.lock_file).unlink(missing_ok=True)
    parent = engine.folder.parent
    if parent != root and not any(parent.iterdir()):
        parent.rmdir()
    return True


def _state(folder: Path) -> str:
    try:
        manifest = read_manifest(folder)
    except ArtifactError as error:
        return str(error)
    return "; ".join(manifest.failures) or "usable"


def _files(folder: Path) -> Iterator[Path]:
    return (path for path in folder.rglob("*") if path.is_symlink() or path.is_file())
