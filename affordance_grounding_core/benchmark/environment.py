"""Environment of a result: packages, machine, and hashes of configs and data."""

from __future__ import annotations

import hashlib
import importlib.metadata
import os
import platform
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import torch

PACKAGES = ("affordance-grounding-core", "torch", "lightning", "numpy", "open-clip-torch", "timm")


def environment() -> dict[str, Any]:
    """Return versions of Python and packages, the system, and the devices PyTorch sees."""
    return {
        "python": platform.python_version(),
        "packages": {name: _version(name) for name in PACKAGES},
        "system": platform.platform(),
        "cores": os.cpu_count(),
        "devices": [
            torch.cuda.get_device_name(number) for number in range(torch.cuda.device_count())
        ],
    }


def file_hash(path: Path) -> str:
    """Return the sha256 of a file, hexadecimal."""
    return hashlib.sha256(path.read_bytes()).hexdigest()


def listing_hash(folder: Path, files: Iterable[Path]) -> str:
    """Return the sha256 of names and sizes, hexadecimal: the same data listing, the same hash.

    Args:
        folder: folder that the names count from.
        files: below it, in any order.
    """
    lines = sorted(f"{file.relative_to(folder)} {file.stat().st_size}" for file in files)
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()


def _version(name: str) -> str | None:
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return None
