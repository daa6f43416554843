"""A home or a cache that cannot be used is a warning; a temporary folder serves."""

from __future__ import annotations

import logging
import os
import stat
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from affordance_grounding_core import files
from affordance_grounding_core.teaching.file import default_file


@pytest.fixture(autouse=True)
def fresh(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing was said yet, no variable names a folder, and temporary files are the test's."""
    files._say_spare.cache_clear()
    files._say_homeless.cache_clear()
    for name in (files.CACHE_VARIABLE, "XDG_CACHE_HOME", "XDG_DATA_HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    (tmp_path / "temporary").mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "temporary"))


def no_home(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse() -> Path:
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.setattr(Path, "home", refuse)


def test_the_cache_is_the_named_one_or_the_users(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert files.cache_directory() == tmp_path / "home/.cache/affordance_grounding"
    monkeypatch.setenv("XDG_CACHE_HOME", "/xdg")
    assert files.cache_directory() == Path("/xdg/affordance_grounding")
    monkeypatch.setenv(files.CACHE_VARIABLE, "/named")
    assert files.cache_directory() == Path("/named")
    assert files.data_directory() == tmp_path / "home/.local/share/affordance_grounding"


def test_without_a_home_a_temporary_folder_serves_and_one_line_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    no_home(monkeypatch)
    spare = tmp_path / "temporary" / f"affordance_grounding-{os.getuid()}"
    assert files.cache_directory() == spare
    assert files.cached_path("a").parent == spare
    assert default_file() == spare / "taught.safetensors"
    assert [record.levelno for record in caplog.records] == [logging.WARNING]
    assert "this user has no home folder" in caplog.text
    assert stat.S_IMODE(spare.stat().st_mode) == 0o700


def test_a_file_of_a_cache_that_cannot_be_written_is_used(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(files, "reason_not_writable", lambda folder: f"{folder}: read-only")
    baked = files.cache_directory() / "weights"
    baked.parent.mkdir(parents=True)
    baked.write_bytes(b"")
    assert files.cached_path("weights") == baked
    assert caplog.text == ""
    assert files.cached_path("others").parent == files.temporary_directory()
    files.cached_path("more")
    assert caplog.text.count("cannot be written") == 1


@pytest.mark.parametrize("way", ["link", "open"])
def test_a_temporary_folder_that_others_can_write_is_not_used(tmp_path: Path, way: str) -> None:
    spare = tmp_path / "temporary" / f"affordance_grounding-{os.getuid()}"
    if way == "link":
        (tmp_path / "elsewhere").mkdir()
        spare.symlink_to(tmp_path / "elsewhere")
    else:
        spare.mkdir()
        spare.chmod(0o777)
    files._own_directory.cache_clear()
    used = files.temporary_directory()
    assert used != spare
    assert stat.S_IMODE(used.stat().st_mode) == 0o700
    assert files.temporary_directory() == used


def test_whether_a_folder_can_be_written_is_found_out_without_a_trace(tmp_path: Path) -> None:
    assert files.reason_not_writable(tmp_path / "a" / "b") is None
    assert list(tmp_path.iterdir()) == [tmp_path / "temporary"]
    (tmp_path / "file").write_text("")
    assert files.reason_not_writable(tmp_path / "file" / "b") == f"{tmp_path / 'file'} is no folder"
    assert "/proc" in str(files.reason_not_writable(Path("/proc/nowhere")))


@pytest.mark.parametrize("home", ["/", "/proc", None])
@pytest.mark.parametrize("user", ["this", "unknown"])
def test_a_command_of_a_user_without_a_home_ends_without_a_traceback(
    tmp_path: Path, home: str | None, user: str
) -> None:
    environment = {**os.environ, "TMPDIR": str(tmp_path), "PYTHONPATH": os.pathsep.join(sys.path)}
    del environment["HOME"]
    program = "from affordance_grounding_core.commands.cli import main; main()"
    if home is not None:
        environment["HOME"] = home
    elif user == "this":
        program = f"import pwd; pwd.getpwuid = {{}}.__getitem__; {program}"
    if user == "unknown":  # As containers are run with.
        if os.getuid() != 0:
            pytest.skip("only root can run a command as another user")
        if not is_readable_by_all(Path(os.__file__)):
            pytest.skip("only its owner can read this Python")
        tmp_path.chmod(0o777)
        for folder in list(tmp_path.parents)[:2]:
            folder.chmod(0o711)
        program = f"import os; os.setgid(54321); os.setuid(54321); {program}"
    run = subprocess.run(
        [sys.executable, "-c", program, "teach", "list"],
        env=environment,
        cwd="/",
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert run.returncode == 0, run.stderr
    assert len(run.stderr.splitlines()) == (home is None), run.stderr
    assert run.stdout.startswith("nothing has been taught yet in ")


def is_readable_by_all(file: Path) -> bool:
    own = file.resolve()
    folders = all(folder.stat().st_mode & stat.S_IXOTH for folder in own.parents)
    return folders and bool(own.stat().st_mode & stat.S_IROTH)
