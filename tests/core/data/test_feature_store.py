"""Rows of features survive interruption, a full disk and several processes."""

from __future__ import annotations

import errno
import os
import pickle
from collections.abc import Sequence
from functools import partial
from pathlib import Path

import numpy as np
import pytest

from affordance_grounding_core.data.feature_store import (
    FeatureFiles,
    FeatureStore,
    Wanted,
    fill,
    stored_features,
)
from affordance_grounding_core.errors import DatasetError

SHAPES = {"descriptors": (4, 3), "class_attention": (2, 4)}


def rows(*numbers: int) -> dict[str, np.ndarray]:
    return {
        name: np.stack([np.full(shape, number, np.float16) for number in numbers])
        for name, shape in SHAPES.items()
    }


def test_rows_are_read_as_they_were_appended(tmp_path: Path) -> None:
    store = FeatureStore(tmp_path / "store", SHAPES)
    with store.filling():
        store.append(["a", "b"], rows(1, 2))
        store.append(["c"], rows(3))
    again = FeatureStore(tmp_path / "store", SHAPES)
    for reader in (store, again, pickle.loads(pickle.dumps(again))):
        assert len(reader) == 3
        assert "b" in reader
        found = reader.read("b")
        assert {name: value.shape for name, value in found.items()} == SHAPES
        assert all((value == 2).all() for value in found.values())
    assert store.row_bytes == 2 * (12 + 8)
    with pytest.raises(KeyError):
        store.read("d")


@pytest.mark.parametrize("cut", [1, 7, 30])
def test_what_was_cut_off_is_filled_again(tmp_path: Path, cut: int) -> None:
    store = FeatureStore(tmp_path, SHAPES)
    with store.filling():
        store.append(["first", "second"], rows(1, 2))
    data = tmp_path / "descriptors.f16"
    data.write_bytes(data.read_bytes()[:-cut])
    with (tmp_path / "index.txt").open("ab") as index:
        index.write(b"thi")  # killed in the middle of a line
    again = FeatureStore(tmp_path, SHAPES)
    assert "second" not in again if cut <= 24 else len(again) == 0
    missing = [key for key in ("first", "second", "third") if key not in again]
    with again.filling():
        again.append(missing, rows(*[{"first": 1, "second": 2, "third": 3}[k] for k in missing]))
    for key, value in (("first", 1), ("second", 2), ("third", 3)):
        assert (FeatureStore(tmp_path, SHAPES).read(key)["descriptors"] == value).all()


def test_two_processes_append_to_one_store(tmp_path: Path) -> None:
    one, other = FeatureStore(tmp_path, SHAPES), FeatureStore(tmp_path, SHAPES)
    with one.filling():
        one.append(["a"], rows(1))
    with other.filling():
        assert "a" in other
        other.append(["b"], rows(2))
    one.reload()
    assert (one.read("b")["class_attention"] == 2).all()


def test_a_full_disk_is_one_clear_error_and_costs_no_row(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = FeatureStore(tmp_path, SHAPES)
    with store.filling():
        store.append(["a"], rows(1))

    def full(_: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", full)
        with pytest.raises(DatasetError, match=r"No space left.*cache_features: false"):
            store.append(["b"], rows(2))
    again = FeatureStore(tmp_path, SHAPES)
    assert "b" not in again
    with again.filling():
        again.append(["b"], rows(2))
    assert (again.read("a")["descriptors"] == 1).all()
    assert (again.read("b")["descriptors"] == 2).all()


def test_what_does_not_fit_is_refused(tmp_path: Path) -> None:
    store = FeatureStore(tmp_path, SHAPES)
    with store.filling():
        store.append(["a"], rows(1))
        for keys, values in (
            (["a"], rows(1)),
            (["b", "b"], rows(1, 2)),
            (["b\nc"], rows(1)),
            (["b"], rows(1, 2)),
            (["b"], {name: v.astype(np.float32) for name, v in rows(1).items()}),
        ):
            with pytest.raises(ValueError, match="must"):
                store.append(keys, values)
    with pytest.raises(DatasetError, match="remove the folder"):
        FeatureStore(tmp_path, {"descriptors": (5, 3)})
    (tmp_path / "layout.json").write_text("junk")
    with pytest.raises(DatasetError, match="remove the folder"):
        FeatureStore(tmp_path, SHAPES)


FILES = {"picture": ".picture.npy", "tokens": ".npy"}


def describe(keys: Sequence[str], views: Sequence[int]) -> dict[str, np.ndarray]:
    assert len(keys) == len(views) <= 16
    return {
        "picture": np.array([[view] * 4 for view in views], np.uint8),
        "tokens": np.array([[view] * 3 for view in views], np.float16),
    }


def wanted(count: int, looked_at: list[int]) -> list[Wanted[int]]:
    """Views 0, 1, ... of which every fifth turns out to be nothing; they say when looked at."""

    def look(number: int) -> int | None:
        looked_at.append(number)
        return None if number % 5 == 4 else number

    return [Wanted(f"key{number}", partial(look, number)) for number in range(count)]


@pytest.mark.parametrize("layout", ["files", "rows"])
def test_only_what_is_missing_is_looked_at(layout: str, tmp_path: Path) -> None:
    store: FeatureFiles | FeatureStore = FeatureFiles(tmp_path, FILES)
    if layout == "rows":
        store = FeatureStore(tmp_path, {"tokens": (3,)})
    seen: list[int] = []
    fill(store, wanted(3, seen), describe)
    fill(store, [*wanted(40, seen), *wanted(40, seen)], describe)
    assert seen == [0, 1, 2, *range(3, 40)]
    assert [number for number in range(40) if f"key{number}" in store] == [
        number for number in range(40) if number % 5 != 4
    ]
    listed = stored_features(tmp_path)
    assert [(one.folder, one.views) for one in listed] == [(tmp_path, 32)]
    assert listed[0].bytes >= 32 * 6


def test_files_of_features_keep_their_names_and_bytes(tmp_path: Path) -> None:
    # Gigabytes of them lie on people's disks: another name or another byte computes all anew.
    files = FeatureFiles(tmp_path, FILES)
    fill(files, wanted(1, []), describe)
    assert {file.name for file in tmp_path.iterdir()} == {"key0.npy", "key0.picture.npy"}
    expected = tmp_path / "expected.npy"
    np.save(expected, np.zeros(3, np.float16))
    assert (tmp_path / "key0.npy").read_bytes() == expected.read_bytes()
    assert files.read("key0", "picture").dtype == np.uint8


def test_a_damaged_or_missing_file_is_named(tmp_path: Path) -> None:
    files = FeatureFiles(tmp_path, FILES)
    fill(files, wanted(2, []), describe)
    (tmp_path / "key1.picture.npy").unlink()
    assert "key1" not in files
    (tmp_path / "key0.npy").write_bytes((tmp_path / "key0.npy").read_bytes()[:-2])
    for key, name in (("key0", "tokens"), ("key1", "picture")):
        with pytest.raises(DatasetError, match=rf"{key}.*remove it"):
            files.read(key, name)


def test_a_file_is_whole_or_not_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    files = FeatureFiles(tmp_path, FILES)

    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with monkeypatch.context() as patch:
        patch.setattr(np, "save", full)
        with pytest.raises(DatasetError, match=r"No space left.*AFFORDANCE_GROUNDING_CACHE"):
            fill(files, wanted(1, []), describe)
    assert not list(tmp_path.iterdir())
