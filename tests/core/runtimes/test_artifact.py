"""Stored engines: what may be used is used, everything else is named and built again."""

from __future__ import annotations

import json
import logging
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from affordance_grounding_core.runtimes.engines import store as artifact
from affordance_grounding_core.runtimes.engines.manifest import difference
from affordance_grounding_core.runtimes.engines.store import ArtifactStore, Verdict
from affordance_grounding_core.runtimes.gate import GateFigures

REPOSITORY = Path(__file__).parents[3]
IDENTITY = {
    "weights_sha256": "ab" * 32,
    "input": {"height": 56, "width": 56},
    "environment": {"torch": "2.14.1", "gpu": "Orin"},
    "blocks": (6, 9),
}
SLOT = "abab/fake-fp32-56x56-3"
FIGURES = GateFigures(16, 48, True, 1.0, 1.0, 0.0, 1.0, 0.0, 48)


def start(program: str, *arguments: str) -> subprocess.Popen[str]:
    """Start a Python process of its own; a copy of this one would have locks of dead threads."""
    return subprocess.Popen(
        [sys.executable, "-c", program, *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": str(REPOSITORY), "OMP_NUM_THREADS": "1"},
    )


def said_by(process: subprocess.Popen[str]) -> str:
    """Wait for a process that has to succeed: what it printed."""
    try:
        said, problem = process.communicate(timeout=120)
    finally:
        process.kill()
    assert process.returncode == 0, problem
    return said.strip()


class Build:
    """Counts builds and writes one file."""

    def __init__(self, content: bytes = b"engine", failures: tuple[str, ...] = ()) -> None:
        self.calls = 0
        self.content = content
        self.failures = failures

    def __call__(self, folder: Path) -> Verdict:
        self.calls += 1
        assert list(folder.iterdir()) == []
        (folder / "engine.bin").write_bytes(self.content)
        return Verdict(FIGURES, self.failures)


@pytest.fixture
def store(tmp_path: Path) -> ArtifactStore:
    return ArtifactStore(tmp_path / "engines")


def test_an_engine_is_built_once(store: ArtifactStore) -> None:
    build = Build()
    first = store.find_or_build(SLOT, IDENTITY, build)
    second = store.find_or_build(SLOT, IDENTITY, build)
    assert build.calls == 1
    assert first.folder == second.folder == store.root / SLOT
    assert first.manifest == second.manifest
    assert second.manifest.gate == FIGURES
    assert (second.folder / "engine.bin").read_bytes() == b"engine"


def test_nothing_else_is_left_in_the_store(store: ArtifactStore) -> None:
    store.find_or_build(SLOT, IDENTITY, Build())
    store.find_or_build(SLOT, {**IDENTITY, "weights_sha256": "cd"}, Build())
    left = {path.name for path in (store.root / SLOT).parent.iterdir()}
    assert left <= {Path(SLOT).name, f"{Path(SLOT).name}.lock"}
    assert {path.name for path in (store.root / SLOT).iterdir()} == {"engine.bin", "manifest.json"}


@pytest.mark.parametrize(
    ("changed", "named"),
    [
        ({"weights_sha256": "cd"}, "weights_sha256 ('cd' wanted"),
        ({"input": {"height": 70, "width": 56}}, "input.height (70 wanted, 56 stored)"),
        (
            {"environment": {"torch": "2.15.0", "gpu": "Orin"}},
            "environment.torch ('2.15.0' wanted, '2.14.1' stored)",
        ),
        (
            {"environment": {"torch": "2.14.1", "gpu": "H100"}},
            "environment.gpu ('H100' wanted, 'Orin' stored)",
        ),
        ({"precision": "int8"}, "precision ('int8' wanted, None stored)"),
    ],
)
def test_another_identity_is_named_and_built_again(
    store: ArtifactStore, changed: dict[str, Any], named: str, caplog: pytest.LogCaptureFixture
) -> None:
    store.find_or_build(SLOT, IDENTITY, Build(b"old"))
    build = Build(b"new")
    with caplog.at_level(logging.WARNING):
        found = store.find_or_build(SLOT, {**IDENTITY, **changed}, build)
    assert build.calls == 1
    assert named in caplog.text
    assert (found.folder / "engine.bin").read_bytes() == b"new"


def test_why_an_engine_is_not_used_is_said_once_a_store(
    store: ArtifactStore, caplog: pytest.LogCaptureFixture
) -> None:
    store.find_or_build(SLOT, IDENTITY, Build())
    for weights in ("cd", "cd", "ef"):
        assert store.find(SLOT, {**IDENTITY, "weights_sha256": weights}) is None
    store.find_or_build(SLOT, {**IDENTITY, "weights_sha256": "cd"}, Build())
    said = [record.getMessage() for record in caplog.records]
    assert [line.count("is of another weights_sha256") for line in said] == [1, 1]
    assert "('cd' wanted" in said[0]
    assert "('ef' wanted" in said[1]


def truncate(folder: Path) -> None:
    (folder / "engine.bin").write_bytes(b"eng")


def remove_engine(folder: Path) -> None:
    (folder / "engine.bin").unlink()


def add_file(folder: Path) -> None:
    (folder / "more.so").write_bytes(b"\x7fELF")


def link_engine(folder: Path) -> None:
    shutil.copy(folder / "engine.bin", folder.parent / "elsewhere.bin")
    (folder / "engine.bin").unlink()
    (folder / "engine.bin").symlink_to(folder.parent / "elsewhere.bin")


def remove_manifest(folder: Path) -> None:
    (folder / "manifest.json").unlink()


def cut_manifest(folder: Path) -> None:
    text = (folder / "manifest.json").read_text()
    (folder / "manifest.json").write_text(text[: len(text) // 2])


def list_manifest(folder: Path) -> None:
    (folder / "manifest.json").write_text("[1, 2]")


def old_manifest(folder: Path) -> None:
    content = json.loads((folder / "manifest.json").read_text())
    (folder / "manifest.json").write_text(json.dumps({**content, "manifest_version": 0}))


def binary_manifest(folder: Path) -> None:
    (folder / "manifest.json").write_bytes(b"\xff\xfe\x00")


def open_to_all(folder: Path) -> None:
    folder.chmod(0o777)


def file_in_place(folder: Path) -> None:
    shutil.rmtree(folder)
    folder.write_text("no folder")


def link_in_place(folder: Path) -> None:
    moved = folder.with_name("moved")
    folder.rename(moved)
    folder.symlink_to(moved)


@pytest.mark.parametrize(
    "damage",
    [
        truncate,
        remove_engine,
        add_file,
        link_engine,
        remove_manifest,
        cut_manifest,
        list_manifest,
        old_manifest,
        binary_manifest,
        open_to_all,
        file_in_place,
        link_in_place,
    ],
)
def test_damaged_and_foreign_files_are_refused_and_built_again(
    store: ArtifactStore, damage: Callable[[Path], None], caplog: pytest.LogCaptureFixture
) -> None:
    store.find_or_build(SLOT, IDENTITY, Build())
    damage(store.root / SLOT)
    assert store.find(SLOT, IDENTITY) is None
    build = Build(b"fresh")
    with caplog.at_level(logging.WARNING):
        found = store.find_or_build(SLOT, IDENTITY, build)
    assert build.calls == 1
    assert str(store.root / SLOT) in caplog.text
    assert (found.folder / "engine.bin").read_bytes() == b"fresh"
    assert store.find(SLOT, IDENTITY) is not None


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a folder to another user")
def test_a_folder_of_another_user_is_refused(store: ArtifactStore) -> None:
    store.find_or_build(SLOT, IDENTITY, Build())
    os.chown(store.root / SLOT, 12345, 12345)
    assert store.find(SLOT, IDENTITY) is None


AS_A_STRANGER = """
import json, os, sys
from pathlib import Path

from affordance_grounding_core.runtimes.engines.store import ArtifactStore

root, slot, identity = sys.argv[1:]
os.setgid(54321)
os.setuid(54321)
found = ArtifactStore(Path(root)).find(slot, json.loads(identity))
print("nothing" if found is None else "an engine")
"""


def found_by_a_stranger(store: ArtifactStore) -> str:
    """What a process of a user whom the system knows nothing of finds."""
    # JSON has no tuples, which identities are stored as, too.
    return said_by(start(AS_A_STRANGER, str(store.root), SLOT, json.dumps(IDENTITY)))


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can start a process as another user")
def test_an_engine_that_root_has_built_serves_every_user_and_another_users_serves_nobody() -> None:
    def build(folder: Path) -> Verdict:
        (folder / "engine.bin").touch(mode=0o600)  # As some libraries write.
        return Verdict(FIGURES)

    with tempfile.TemporaryDirectory() as folder:  # pytest's own are for one user.
        Path(folder).chmod(0o755)
        store = ArtifactStore(Path(folder))
        store.find_or_build(SLOT, IDENTITY, build)
        assert found_by_a_stranger(store) == "an engine"
        os.chown(store.root / SLOT, 12345, 12345)
        assert found_by_a_stranger(store) == "nothing"


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can start a process as another user")
def test_a_store_that_may_not_be_entered_is_an_empty_one(store: ArtifactStore) -> None:
    store.find_or_build(SLOT, IDENTITY, Build())
    store.root.chmod(0o700)
    assert found_by_a_stranger(store) == "nothing"


def test_a_build_that_fails_leaves_the_last_engine(store: ArtifactStore) -> None:
    store.find_or_build(SLOT, IDENTITY, Build())

    def fail(folder: Path) -> Verdict:
        (folder / "engine.bin").write_bytes(b"half")
        raise MemoryError("the device is full")

    with pytest.raises(MemoryError):
        store.find_or_build(SLOT, {**IDENTITY, "package": "2"}, fail)
    assert store.find(SLOT, IDENTITY) is not None
    assert not list((store.root / SLOT).parent.glob(".*"))


def test_a_failed_gate_is_remembered_without_its_engine(store: ArtifactStore) -> None:
    build = Build(failures=("cosine 0.9 is below 0.98",))
    store.find_or_build(SLOT, IDENTITY, build)
    found = store.find_or_build(SLOT, IDENTITY, build)
    assert build.calls == 1
    assert found.manifest.failures == ("cosine 0.9 is below 0.98",)
    assert found.manifest.gate == FIGURES
    assert not (found.folder / "engine.bin").exists()


def test_where_the_store_cannot_be_written_a_temporary_engine_serves(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    blocked = tmp_path / "file"
    blocked.write_text("a file where the folder should be")
    store = ArtifactStore(blocked / "engines")
    with caplog.at_level(logging.WARNING):
        found = store.find_or_build(SLOT, IDENTITY, Build())
    assert "engines cannot be kept" in caplog.text
    assert "AFFORDANCE_GROUNDING_CACHE" in caplog.text
    assert (found.folder / "engine.bin").read_bytes() == b"engine"
    store.close()
    assert not found.folder.exists()


BUILDER = """
import json, os, sys, time
from pathlib import Path

from affordance_grounding_core.runtimes.engines.store import ArtifactStore, Verdict

root, slot, identity, builds, go = sys.argv[1:]

def build(folder):
    (Path(builds) / str(os.getpid())).touch()
    last = time.monotonic() + 60
    while not Path(go).exists():
        assert time.monotonic() < last, "nobody said go"
        time.sleep(0.01)
    (folder / "engine.bin").write_bytes(b"engine")
    return Verdict(None)

found = ArtifactStore(Path(root)).find_or_build(slot, json.loads(identity), build)
print((found.folder / "engine.bin").read_text())
"""


def test_two_processes_that_want_one_engine_build_it_once(tmp_path: Path) -> None:
    builds, go = tmp_path / "builds", tmp_path / "go"
    builds.mkdir()
    arguments = (str(tmp_path / "engines"), SLOT, json.dumps(IDENTITY), str(builds), str(go))
    processes = [start(BUILDER, *arguments) for _ in range(2)]
    last = time.monotonic() + 60
    while not list(builds.iterdir()) and time.monotonic() < last:
        time.sleep(0.01)
    go.touch()
    assert [said_by(process) for process in processes] == ["engine", "engine"]
    assert len(list(builds.iterdir())) == 1


def test_a_lock_that_is_never_released_is_an_error_with_advice(
    store: ArtifactStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(artifact, "_LOCK_SECONDS", 0.05)
    (store.root / SLOT).parent.mkdir(parents=True)
    held = artifact.FileLock(store.root / f"{SLOT}.lock")
    with held, pytest.raises(artifact.ArtifactError, match="remove the file"):
        store.find_or_build(SLOT, IDENTITY, Build())


def test_the_difference_of_equal_identities_is_empty() -> None:
    assert difference(IDENTITY, dict(IDENTITY)) == ""
