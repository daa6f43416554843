"""Published weight files, known by URL and sha256: from the cache, or fetched once.

A file is kept as it was published and its hash is verified whenever it is read, so that
nothing else is ever loaded in its place.
"""

from __future__ import annotations

import shutil
from pathlib import Path

from affordance_grounding_core.backbones.download import download
from affordance_grounding_core.backbones.table import PinnedFile
from affordance_grounding_core.errors import WeightsError
from affordance_grounding_core.files import (
    CACHE_VARIABLE,
    cached_path,
    file_digest,
    replacing,
)


def cached_file(pinned: PinnedFile) -> Path:
    """Find a published file in the cache, fetching it where it is not there yet.

    Returns:
        A file whose hash was verified just now.

    Raises:
        WeightsError: it cannot be fetched or is another file; the message says how to get it.
    """
    path = cached_path(pinned.file_name)
    if not path.is_file():
        _fetch(pinned, path)
        return path
    found = file_digest(path)
    if found != pinned.sha256:
        raise WeightsError(
            f"cached weights {path} have sha256 {found}, expected {pinned.sha256}: the file was "
            f"changed or not fully copied. Delete it and fetch {pinned.url} again"
        )
    return path


def store_file(pinned: PinnedFile, source: Path) -> Path:
    """Put a published file that was fetched elsewhere into the cache.

    Args:
        pinned: what the file should be.
        source: the file.

    Returns:
        Where it lies in the cache.

    Raises:
        WeightsError: it cannot be read, is another file, or the cache cannot be written.
    """
    try:
        found = file_digest(source)
    except OSError as error:
        raise WeightsError(
            f"weights file {source} cannot be read ({error.strerror or error}); expected the file "
            f"that {pinned.url} publishes"
        ) from error
    if found != pinned.sha256:
        raise WeightsError(
            f"{source} has sha256 {found}, expected {pinned.sha256} of {pinned.url}: it is "
            "another file or not fully copied"
        )
    target = cached_path(pinned.file_name)
    try:
        with replacing(target) as temporary:
            shutil.copyfile(source, temporary)
    except OSError as error:
        raise WeightsError(
            f"weights {source} cannot be put at {target} ({error}); free space, or name another "
            f"folder in the environment variable {CACHE_VARIABLE}"
        ) from error
    return target


def _fetch(pinned: PinnedFile, path: Path) -> None:
    try:
        with replacing(path) as temporary:
            download(pinned.url, temporary, pinned.sha256, pinned.megabytes, path.parent)
    except OSError as error:  # of the network as of the disk
        raise WeightsError(
            f"weights of {pinned.name} cannot be fetched ({type(error).__name__}: {error}). "
            f"Download {pinned.url} on a machine with a network and put the file at {path}, or run "
            f"`affordance-grounding weights {pinned.name} --file THE_FILE`; {CACHE_VARIABLE} moves "
            "the cache"
        ) from error
