"""Cache of frozen features on disk, for all methods.

Features go by a key of everything that shapes them, so that none is ever stale: the content of
the images, the weights of the backbone, the view. Filling may be interrupted at any moment and
goes on where it stopped. There are two layouts: `FeatureStore`, a few large files that are read
through memory maps, and `FeatureFiles`, a small file for each feature of a key.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import logging
import math
import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Generic, Protocol, TypeVar

import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from affordance_grounding_core.errors import DatasetError
from affordance_grounding_core.files import replacing
from affordance_grounding_core.images import read_bytes

logger = logging.getLogger(__name__)

_INDEX = "index.txt"
_LAYOUT = "layout.json"
_BATCH = 16

View = TypeVar("View")


class Store(Protocol):
    """Features by key, in either layout."""

    @property
    def folder(self) -> Path:
        """Where they lie."""
        ...

    def __contains__(self, key: str) -> bool:
        """Whether all features of a key are there."""
        ...

    def append(self, keys: Sequence[str], features: Mapping[str, NDArray[Any]]) -> None:
        """Add K keys, with (K, ...) of each feature."""
        ...

    def filling(self) -> AbstractContextManager[None]:
        """Context in which keys are added."""
        ...


@dataclass(frozen=True)
class Wanted(Generic[View]):
    """A view whose features are wanted.

    Attributes:
        key: key of everything that shapes the features, without line breaks.
        look: makes the view; None where it turns out that there is nothing to look at.
    """

    key: str
    look: Callable[[], View | None]


def fill(
    store: Store,
    wanted: Iterable[Wanted[View]],
    describe: Callable[[Sequence[str], Sequence[View]], Mapping[str, NDArray[Any]]],
    *,
    show_progress: bool = True,
) -> None:
    """Compute the features that are not there yet; may be interrupted and called again.

    Args:
        store: cache to fill.
        wanted: views; a key may come more than once.
        describe: computes the features of K keys and views, (K, ...) of each by name.
        show_progress: whether to draw a progress bar, where stderr is a terminal.

    Raises:
        DatasetError: the disk is full or the folder cannot be written.
    """
    with store.filling():
        missing = list({one.key: one for one in wanted if one.key not in store}.values())
        if not missing:
            return
        logger.info("Caching features of %d views in %s", len(missing), store.folder)
        hidden = None if show_progress else True
        with tqdm(total=len(missing), desc="features", unit="view", disable=hidden) as bar:
            keys: list[str] = []
            views: list[View] = []
            for number, one in enumerate(missing, 1):
                view = one.look()
                if view is not None:
                    keys.append(one.key)
                    views.append(view)
                if keys and (len(keys) == _BATCH or number == len(missing)):
                    store.append(keys, describe(keys, views))
                    keys, views = [], []
                bar.update()


class ContentDigests:
    """Hashes of the content of files, each read once."""

    def __init__(self) -> None:
        self._known: dict[Path, str] = {}

    def of(self, file: Path) -> str:
        """SHA-256 of a file, hexadecimal.

        Raises:
            InvalidImageError: it cannot be read.
        """
        if file not in self._known:
            self._known[file] = hashlib.sha256(read_bytes(file)).hexdigest()
        return self._known[file]

    def same_as(self, file: Path) -> list[Path]:
        """Files seen so far that have the content of one of them."""
        digest = self._known[file]
        return [path for path, other in self._known.items() if other == digest]


def identity_key(identity: Mapping[str, Any]) -> str:
    """Name of the folder of a cache: a hash of all that its keys do not say."""
    text = json.dumps(dict(identity), sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:32]


class FeatureFiles:
    """Features in a file for each key and feature, `KEY` + suffix, in NumPy's format.

    Files are written beside their place and moved there, so that several processes may fill one
    folder, and whoever reads a file reads the whole of it.

    Args:
        folder: folder of the cache, made if needed.
        suffixes: name of each feature to the ending of its files. A key counts once all are there.
    """

    def __init__(self, folder: Path, suffixes: Mapping[str, str]) -> None:
        self.folder = folder
        self.suffixes = dict(suffixes)

    def __contains__(self, key: str) -> bool:
        return all(self._file(key, name).is_file() for name in self.suffixes)

    def read(self, key: str, name: str) -> NDArray[Any]:
        """Return one feature of a key.

        Raises:
            DatasetError: its file is missing or damaged.
        """
        file = self._file(key, name)
        try:
            values: NDArray[Any] = np.load(file)
        except (OSError, ValueError, EOFError) as error:
            raise DatasetError(
                f"cached feature {str(file)!r} cannot be read ({error}); remove it, it is computed "
                "anew"
            ) from error
        return values

    def append(self, keys: Sequence[str], features: Mapping[str, NDArray[Any]]) -> None:
        """Add keys.

        Args:
            keys: K of them, fit for names of files.
            features: name to (K, ...) of any type.

        Raises:
            DatasetError: the disk is full or the folder cannot be written.
        """
        with _naming_the_folder(self.folder, "free space"):
            for place, key in enumerate(keys):
                for name in self.suffixes:
                    with (
                        replacing(self._file(key, name)) as temporary,
                        temporary.open("wb") as file,
                    ):
                        np.save(file, features[name][place])

    @contextmanager
    def filling(self) -> Iterator[None]:
        """Make the folder; every file is whole or not there, so that nothing is locked."""
        with _naming_the_folder(self.folder, "free space"):
            self.folder.mkdir(parents=True, exist_ok=True)
        yield

    def _file(self, key: str, name: str) -> Path:
        return self.folder / f"{key}{self.suffixes[name]}"


class FeatureStore:
    """Features of float16 by key, in a folder of a few large files.

    `NAME.f16` holds one feature of all keys, row i at i times the size of a row, and line i of
    `index.txt` the key of row i. A row counts only once its line is complete.

    Args:
        folder: folder of the store, made if needed.
        shapes: name of a feature to the shape of its row.

    Raises:
        DatasetError: the folder holds features of other shapes.
    """

    def __init__(self, folder: Path, shapes: Mapping[str, tuple[int, ...]]) -> None:
        self.folder = folder
        self.shapes = {name: tuple(shape) for name, shape in sorted(shapes.items())}
        self._rows: dict[str, int] = {}
        self._maps: dict[str, NDArray[np.float16]] = {}
        with _naming_the_folder(folder):
            folder.mkdir(parents=True, exist_ok=True)
            self._check_layout()
            self.reload()

    def __contains__(self, key: str) -> bool:
        return key in self._rows

    def __len__(self) -> int:
        return len(self._rows)

    @property
    def row_bytes(self) -> int:
        """Bytes on disk of one row of all features."""
        return sum(self._size(name) for name in self.shapes)

    def read(self, key: str) -> dict[str, NDArray[np.float16]]:
        """Return the features of a key, copied out of the memory map.

        Raises:
            KeyError: the key was never appended.
        """
        row = self._rows[key]
        return {name: np.array(self._map(name)[row]) for name in self.shapes}

    def append(self, keys: Sequence[str], features: Mapping[str, NDArray[np.float16]]) -> None:
        """Add rows; call it inside `filling`.

        Args:
            keys: K of them, without line breaks.
            features: name to (K, *shape) float16.

        Raises:
            ValueError: a shape that does not fit, or a key that is there already.
            DatasetError: the disk is full or the folder cannot be written.
        """
        start = len(self._rows)
        known = [key for key in keys if key in self._rows or "\n" in key]
        if known or len(set(keys)) != len(keys):
            raise ValueError(f"keys must be new, distinct and without line breaks, got {known}")
        for name, shape in self.shapes.items():
            values = features[name]
            if values.shape != (len(keys), *shape) or values.dtype != np.float16:
                raise ValueError(
                    f"{name} must have shape {(len(keys), *shape)} and type float16, got "
                    f"{values.shape} and {values.dtype}"
                )
        with _naming_the_folder(self.folder):
            for name in self.shapes:
                self._write(name, start, np.ascontiguousarray(features[name]))
            with (self.folder / _INDEX).open("ab") as index:
                index.write("".join(f"{key}\n" for key in keys).encode())
                index.flush()
                os.fsync(index.fileno())
        self._rows |= {key: start + offset for offset, key in enumerate(keys)}
        self._maps.clear()

    @contextmanager
    def filling(self) -> Iterator[None]:
        """Keep other processes from appending, and see first what they appended."""
        with _naming_the_folder(self.folder):
            lock = (self.folder / "lock").open("w")
        with lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            with _naming_the_folder(self.folder):
                # A line that was cut off would swallow the next one that is appended.
                valid = self.reload()
                index = self.folder / _INDEX
                if index.is_file() and index.read_bytes() != valid:
                    index.write_bytes(valid)
            yield

    def reload(self) -> bytes:
        """Read the index again, leaving out rows that were not written to their end.

        Returns:
            The lines of the rows that count.
        """
        path = self.folder / _INDEX
        content = path.read_bytes() if path.is_file() else b""
        keys = content[: content.rfind(b"\n") + 1].decode().splitlines()
        files = [(self._file(name), self._size(name)) for name in self.shapes]
        rows = min(file.stat().st_size // size if file.is_file() else 0 for file, size in files)
        self._rows = {key: row for row, key in enumerate(keys[:rows])}
        self._maps.clear()
        return "".join(f"{key}\n" for key in keys[:rows]).encode()

    def __getstate__(self) -> dict[str, object]:
        # Memory maps would be pickled as their content on the way to a worker.
        return self.__dict__ | {"_maps": {}}

    def _write(self, name: str, start: int, values: NDArray[np.float16]) -> None:
        path = self._file(name)
        with path.open("r+b" if path.is_file() else "wb") as file:
            file.seek(start * self._size(name))
            file.write(values.data)
            file.flush()
            os.fsync(file.fileno())

    def _map(self, name: str) -> NDArray[np.float16]:
        if name not in self._maps:
            shape = (len(self._rows), *self.shapes[name])
            self._maps[name] = np.memmap(self._file(name), np.float16, "r", shape=shape)
        return self._maps[name]

    def _file(self, name: str) -> Path:
        return self.folder / f"{name}.f16"

    def _size(self, name: str) -> int:
        return 2 * math.prod(self.shapes[name])

    def _check_layout(self) -> None:
        path = self.folder / _LAYOUT
        wanted = {name: list(shape) for name, shape in self.shapes.items()}
        if not path.is_file():
            path.write_text(json.dumps(wanted) + "\n", encoding="utf-8")
        try:
            found = json.loads(path.read_text(encoding="utf-8"))
        except ValueError:
            found = "something that is no JSON"
        if found != wanted:
            raise DatasetError(
                f"feature cache {self.folder} holds rows of {found}, expected {wanted}; remove the "
                "folder, it is computed anew"
            )


@contextmanager
def _naming_the_folder(
    folder: Path, fix: str = "train without the cache (data.cache_features: false), free space"
) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise DatasetError(
            f"feature cache {folder} cannot be written ({error}); {fix}, or name another folder "
            "in the environment variable AFFORDANCE_GROUNDING_CACHE. What was computed is kept"
        ) from error


@dataclass(frozen=True)
class StoredFeatures:
    """A folder of cached features.

    Attributes:
        folder: the folder.
        views: number of the views whose features it holds.
        bytes: size on disk.
    """

    folder: Path
    views: int
    bytes: int


def stored_features(cache: Path) -> list[StoredFeatures]:
    """List the folders of cached features, largest first.

    Args:
        cache: folder above all caches.
    """
    found = []
    for folder in sorted({file.parent for file in cache.rglob(_LAYOUT)}):
        index = folder / _INDEX
        views = index.read_bytes().count(b"\n") if index.is_file() else 0
        found.append(StoredFeatures(folder, views, _size(folder.glob("*.f16"))))
    for folder in sorted({file.parent for file in cache.rglob("*.npy")}):
        files = list(folder.glob("*.npy"))
        views = len({file.name.partition(".")[0] for file in files})
        found.append(StoredFeatures(folder, views, _size(files)))
    return sorted(found, key=lambda one: -one.bytes)


def _size(files: Iterable[Path]) -> int:
    return sum(file.stat().st_size for file in files)
