"""What pip and the ROS wheels leave to be done in a virtual environment."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

_BUILD_MACHINE_PYTHON = re.compile(r"/opt/python/cp3\d+-cp3\d+")
_INCLUDE = re.compile(_BUILD_MACHINE_PYTHON.pattern + r"/include/python3\.\d+")
_NUMPY_INCLUDE = re.compile(r"[^;\"\s]*/site-packages/numpy/_core/include")


def repair_cmake_paths(share: Path, python_include: Path, site_packages: Path) -> list[Path]:
    """Rewrite paths of the machine the wheels were built on.

    The wheels' CMake files name the include folders of Python and NumPy by absolute paths.

    Args:
        share: folder of the CMake files.
        python_include: folder of Python.h here.
        site_packages: where NumPy is here.

    Returns:
        The files that were changed; none on a second call.
    """
    numpy_include = (site_packages / "numpy/_core/include").as_posix()
    changed = []
    for path in sorted(share.rglob("*.cmake")):
        content = path.read_text(encoding="utf-8")
        repaired = _INCLUDE.sub(lambda _: python_include.as_posix(), content)
        repaired = _NUMPY_INCLUDE.sub(lambda _: numpy_include, repaired)
        if repaired != content:
            path.write_text(repaired, encoding="utf-8")
            changed.append(path)
    return changed


def unrepaired_paths(share: Path) -> list[Path]:
    """CMake files that still name the machine the wheels were built on."""
    return [
        path
        for path in sorted(share.rglob("*.cmake"))
        if _BUILD_MACHINE_PYTHON.search(path.read_text(encoding="utf-8"))
    ]


def forget_half_installed(site_packages: Path) -> list[str]:
    """Make pip install again what it was killed in the middle of.

    pip copies a wheel's metadata before the files outside site-packages and takes the package
    for installed from then on. It writes the file INSTALLER at the very end.

    Args:
        site_packages: where pip installs to.

    Returns:
        Names of the metadata folders that were removed.
    """
    forgotten = []
    for metadata in sorted(site_packages.glob("*.dist-info")):
        if not (metadata / "INSTALLER").is_file():
            shutil.rmtree(metadata)
            forgotten.append(metadata.name)
    return forgotten
