"""Atomic file writes, and where a user's files lie.

A home that is missing or a cache that cannot be written is no error: a folder for temporary files
serves.
"""

from __future__ import annotations

import hashlib
import json
import logging
import os
import secrets
import stat
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any

logger = logging.getLogger(__name__)

CACHE_VARIABLE = "AFFORDANCE_GROUNDING_CACHE"
"""Environment variable that names another cache folder."""

_NAME = "affordance_grounding"


def replace_file(path: Path, content: bytes) -> None:
    """Write a file beside its place and move it there, making the folder where needed.

    Whoever reads the path sees the old file or the whole new one, also where several
    processes write it or one of them is killed.

    Args:
        path: file to write.
        content: all of it.

    Raises:
        OSError: it cannot be written; what was there before is still there.
    """
    with replacing(path) as temporary:
        temporary.write_bytes(content)


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Let a file be written beside its place, and move it there at the end.

    The file is readable as the user's umask says, not by its owner alone.

    Args:
        path: file to write; its folder is made where needed.

    Yields:
        An empty file to write to. Where writing fails it is removed, and what was at `path` stays.

    Raises:
        OSError: it cannot be written.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{secrets.token_hex(8)}.part")
    try:
        temporary.touch(exist_ok=False)
        mode = temporary.stat().st_mode
        yield temporary
        temporary.chmod(mode)  # safetensors writes files that only their owner can read.
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


def replace_json(path: Path, content: dict[str, Any]) -> None:
    """Write a JSON file with `replace_file`.

    Args:
        path: file to write.
        content: plain values; numbers are finite, so that every JSON reader accepts them.

    Raises:
        OSError: it cannot be written.
        ValueError: a number is not finite.
    """
    text = json.dumps(content, indent=1, ensure_ascii=False, allow_nan=False)
    replace_file(path, f"{text}\n".encode())


def file_digest(path: Path) -> str:
    """Hash a file: sha256, hexadecimal."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()


def cache_directory() -> Path:
    """Folder of downloaded weights: $AFFORDANCE_GROUNDING_CACHE or the user's cache."""
    if os.environ.get(CACHE_VARIABLE):
        return Path(os.environ[CACHE_VARIABLE])
    base = os.environ.get("XDG_CACHE_HOME")
    return Path(base) / _NAME if base else _below_home(".cache")


def data_directory() -> Path:
    """Folder of what belongs to the user and cannot be fetched again."""
    base = os.environ.get("XDG_DATA_HOME")
    return Path(base) / _NAME if base else _below_home(".local", "share")


def cached_path(name: str) -> Path:
    """Where a file of the cache lies, or is to be put.

    Args:
        name: of the file.

    Returns:
        In the cache, where it is there or can be written. Elsewhere a folder for temporary files
        takes its place, and the log says so once.
    """
    usual = cache_directory() / name
    # Not `Path.is_file`, which raises where a folder on the way may not be entered.
    if os.path.isfile(usual) or reason_not_writable(usual.parent) is None:
        return usual
    spare = temporary_directory() / name
    if not spare.is_file():
        _say_spare(usual.parent, spare.parent, str(reason_not_writable(usual.parent)))
    return spare


def temporary_directory() -> Path:
    """Folder for this user's files until the machine starts again; nobody else can write it."""
    folder = Path(tempfile.gettempdir()) / f"{_NAME}-{os.getuid()}"
    try:
        folder.mkdir(mode=0o700, exist_ok=True)
        found = folder.lstat()
        foreign = found.st_uid != os.geteuid() or found.st_mode & (stat.S_IWGRP | stat.S_IWOTH)
        if stat.S_ISDIR(found.st_mode) and not foreign:
            return folder
    except OSError:
        pass
    return _own_directory()


def reason_not_writable(folder: Path) -> str | None:
    """Find out whether a folder can be made and written, leaving nothing behind.

    Args:
        folder: need not exist.

    Returns:
        None where it can; otherwise the system's reason, with the folder that is in the way.
    """
    nearest = folder
    while not os.path.exists(nearest) and nearest != nearest.parent:
        nearest = nearest.parent
    if not os.path.isdir(nearest):
        return f"{nearest} is no folder"
    try:
        with tempfile.TemporaryFile(dir=nearest):
            return None
    except OSError as error:
        return f"{nearest}: {error.strerror or error}"


def _below_home(*parts: str) -> Path:
    try:
        home = Path.home()
    except RuntimeError:  # Neither $HOME nor an entry for this user.
        spare = temporary_directory()
        _say_homeless(spare)
        return spare
    return home.joinpath(*parts, _NAME)


@cache
def _own_directory() -> Path:
    return Path(tempfile.mkdtemp(prefix=f"{_NAME}-"))


@cache
def _say_homeless(spare: Path) -> None:
    logger.warning(
        "this user has no home folder: files are kept in %s until the machine starts again; set "
        "HOME, or %s for what is downloaded",
        spare,
        CACHE_VARIABLE,
    )


@cache
def _say_spare(usual: Path, spare: Path, reason: str) -> None:
    logger.warning(
        "cache %s cannot be written (%s): files are kept in %s until the machine starts again; "
        "make it writable or name another folder in the environment variable %s",
        usual,
        reason,
        spare,
        CACHE_VARIABLE,
    )


LOG_VARIABLE = "ROS_LOG_DIR"
"""Environment variable that names another folder for the log files of ROS."""


def choose_log_folder() -> str:
    """Make sure that ROS can write its log; call it before ROS is started.

    Containers and units run as users whose home is missing or cannot be written, and ROS would
    refuse to start. Then $ROS_LOG_DIR is set to a folder for temporary files.

    Returns:
        A warning that says so; empty where the usual folder serves.
    """
    folder = _usual_log_folder()
    problem = "this user has no home folder" if folder is None else reason_not_writable(folder)
    if problem is None:
        if "HOME" not in os.environ:  # ROS knows no other way to find the home.
            os.environ[LOG_VARIABLE] = str(folder)
        return ""
    spare = temporary_directory() / "ros_log"
    os.environ[LOG_VARIABLE] = str(spare)
    return (
        f"logs are kept in {spare} until the machine starts again ({problem}); set HOME or "
        f"{LOG_VARIABLE} to a folder that can be written"
    )


def _usual_log_folder() -> Path | None:
    if named := os.environ.get(LOG_VARIABLE):
        return Path(named)
    if named := os.environ.get("ROS_HOME"):
        return Path(named) / "log"
    try:
        return Path.home() / ".ros" / "log"
    except RuntimeError:  # Neither $HOME nor an entry for this user.
        return None
