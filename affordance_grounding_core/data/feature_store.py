"""Rows of features on disk that are read through memory maps and grow by appending.

One folder holds one file a feature, `NAME.f16`, in which row i begins at i times the size of a
row, and `index.txt`, whose line i says what row i is of. A row counts only once its line is
complete, so that filling may be interrupted at any moment and goes on where it stopped.
"""

from __future__ import annotations

import fcntl
import json
import math
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from affordance_grounding_core.errors import DatasetError

_INDEX = "index.txt"
_LAYOUT = "layout.json"


class FeatureStore:
    """Features of float16 by a key.

    Args:
        folder: of the store, made if needed.
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
def _naming_the_folder(folder: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise DatasetError(
            f"feature cache {folder} cannot be written ({error}); free space, name another folder "
            "in the environment variable AFFORDANCE_GROUNDING_CACHE, or train without the cache "
            "(data.cache_features: false). What was computed is kept"
        ) from error
