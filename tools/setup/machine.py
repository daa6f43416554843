"""What the machine offers: Python interpreters, build tools, ROS 2 distributions, disk space."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from tools.setup.steps import SetupError

OLDEST_PYTHON = (3, 10)
NEWEST_PYTHON = (3, 14)
# 3.11 first: what the tests run on most.
CANDIDATES = ("python3.11", "python3.12", "python3.10", "python3.13", "python3.14", "python3")
WHEELS = "wheels"
"""Stands for ROS 2 from PyPI where otherwise a distribution's prefix stands."""

_RCLPY_MARKER = "share/ament_index/resource_index/packages/rclpy"
_PROGRAM_PACKAGES = {"gcc": "gcc", "g++": "g++", "cmake": "cmake", "make": "make"}
_PROBE = """
import os, sys, sysconfig
print(sys.version_info[0], sys.version_info[1])
try:
    import ensurepip, venv
    print("yes")
except ImportError:
    print("no")
print(os.path.isfile(os.path.join(sysconfig.get_paths()["include"], "Python.h")) and "yes" or "no")
"""


@dataclass(frozen=True)
class Interpreter:
    """A Python that was found.

    Attributes:
        command: its path.
        version: major and minor.
        makes_environments: the modules venv and ensurepip are there.
        has_headers: Python.h is there; ROS messages compile against it.
    """

    command: str
    version: tuple[int, int]
    makes_environments: bool
    has_headers: bool

    @property
    def is_supported(self) -> bool:
        """Whether the version is one the pinned packages exist for."""
        return OLDEST_PYTHON <= self.version <= NEWEST_PYTHON

    @property
    def missing_packages(self) -> list[str]:
        """Debian packages that would make it usable."""
        name = f"python{self.version[0]}.{self.version[1]}"
        missing = [] if self.makes_environments else [f"{name}-venv"]
        return missing if self.has_headers else [*missing, f"{name}-dev"]


def probe(command: str) -> Interpreter | None:
    """Ask an interpreter what it is; None where it does not run."""
    path = shutil.which(command)
    if path is None:
        return None
    # Not `-I`: old interpreters, and launchers such as pyenv's, have to be survived too.
    answer = subprocess.run(
        [path, "-c", _PROBE], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, check=False
    )
    words = answer.stdout.decode(errors="replace").split()
    if answer.returncode != 0 or len(words) != 4:
        return None
    return Interpreter(path, (int(words[0]), int(words[1])), words[2] == "yes", words[3] == "yes")


def choose(found: Iterable[Interpreter]) -> Interpreter:
    """Choose the interpreter to build the environment with.

    Args:
        found: best first.

    Raises:
        SetupError: none can be used; names the packages to install.
    """
    supported = [interpreter for interpreter in found if interpreter.is_supported]
    for interpreter in supported:
        if not interpreter.missing_packages:
            return interpreter
    if supported:
        first = supported[0]
        raise SetupError(
            f"{first.command} lacks what a virtual environment and ROS messages need. On Debian "
            f"or Ubuntu: sudo apt install {' '.join(first.missing_packages)}"
        )
    raise SetupError(
        "no Python 3.10 to 3.14 on PATH. On Debian or Ubuntu: sudo apt install python3 "
        "python3-venv python3-dev. For another interpreter: make setup PYTHON=/path/to/python3.11"
    )


def find_python(requested: str | None) -> Interpreter:
    """Find the interpreter for ROS 2 from PyPI.

    Args:
        requested: the command the user asked for; None searches PATH.

    Raises:
        SetupError: none can be used.
    """
    commands = (requested,) if requested else CANDIDATES
    return choose(filter(None, map(probe, commands)))


def find_distribution_python(prefix: str) -> Interpreter:
    """Find the interpreter a sourced ROS 2 distribution was built for.

    Raises:
        SetupError: none imports rclpy, or it cannot make an environment.
    """
    for command in ("python3", "/usr/bin/python3", *CANDIDATES):
        interpreter = probe(command)
        if interpreter and _imports_rclpy(interpreter):
            return choose([interpreter])
    raise SetupError(
        f"ROS 2 in {prefix} is sourced, but no python3 imports its rclpy. Repair the "
        "distribution, or unset ROS_DISTRO to install ROS 2 from PyPI instead"
    )


def _imports_rclpy(interpreter: Interpreter) -> bool:
    command = [interpreter.command, "-c", "import rclpy"]
    return subprocess.run(command, stderr=subprocess.DEVNULL, check=False).returncode == 0


def ros_source(environ: Mapping[str, str], recorded: str) -> str:
    """Where ROS 2 comes from.

    Args:
        environ: of the process.
        recorded: what the present environment was built on; empty where there is none.

    Returns:
        The prefix of a distribution, or `WHEELS`.
    """
    if environ.get("ROS_DISTRO"):
        for prefix in environ.get("AMENT_PREFIX_PATH", "").split(os.pathsep):
            if prefix and (Path(prefix) / _RCLPY_MARKER).is_file():
                return prefix
    # Tests may run later in a shell where the distribution is not sourced.
    if recorded not in {"", WHEELS} and (Path(recorded) / "setup.bash").is_file():
        return recorded
    return WHEELS


def check_tools(ros: str) -> None:
    """Check that messages can be compiled.

    Raises:
        SetupError: programs are missing; names the packages to install.
    """
    missing = [name for name in _PROGRAM_PACKAGES if shutil.which(name) is None]
    packages = [_PROGRAM_PACKAGES[name] for name in missing]
    if ros != WHEELS and shutil.which("colcon") is None:
        # The colcon of PyPI would bring another empy than the distribution's generators need.
        missing.append("colcon")
        packages.append("python3-colcon-common-extensions")
    if missing:
        raise SetupError(
            f"missing programs: {', '.join(missing)}. On Debian or Ubuntu: sudo apt install "
            f"{' '.join(packages)}"
        )


def check_disk(folder: Path, gigabytes: float) -> None:
    """Check for free space.

    Raises:
        SetupError: there is less than asked for.
    """
    free = shutil.disk_usage(folder).free / 1e9
    if free < gigabytes:
        raise SetupError(
            f"{folder} has {free:.1f} GB free, the environment needs about {gigabytes:g} GB; free "
            "some space, or take the smaller CPU build of torch (see `make help`)"
        )
