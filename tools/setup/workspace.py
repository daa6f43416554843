"""Where things lie in the repository."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from tools.setup.steps import SetupError, Stamps

DISTRIBUTIONS = ("kilted", "jazzy")
"""ROS 2 distributions that PyPI has; the first is the one that is taken unasked."""

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

    Each distribution but the first of `DISTRIBUTIONS` has an environment, a build and an install
    space of its own, with its name behind theirs.

    Attributes:
        root: the repository's folder.
        distribution: one of `DISTRIBUTIONS`.

    Raises:
        SetupError: PyPI has no such distribution.
    """

    root: Path
    distribution: str = DISTRIBUTIONS[0]

    def __post_init__(self) -> None:
        if self.distribution not in DISTRIBUTIONS:
            raise SetupError(
                f"DISTRO={self.distribution}: PyPI has ROS 2 {' and '.join(DISTRIBUTIONS)}; for "
                "another distribution, source its setup.bash and leave DISTRO out"
            )

    @property
    def environment(self) -> Path:
        """The virtual environment."""
        return self._own(".venv")

    @property
    def build_space(self) -> Path:
        """Where colcon builds."""
        return self._own("build")

    @property
    def install_space(self) -> Path:
        """Where colcon installs."""
        return self._own("install")

    @property
    def python(self) -> Path:
        """The interpreter of the virtual environment."""
        return self.environment / "bin/python"

    @property
    def versions(self) -> Path:
        """The pinned versions of all packages but ROS 2's."""
        return self.root / "tools/setup/versions.txt"

    @property
    def python_requirements(self) -> Path:
        """The packages that do not depend on ROS."""
        return self.root / "tools/setup/requirements-python.txt"

    @property
    def ros_requirements(self) -> Path:
        """ROS 2 from PyPI."""
        return self.root / "tools/setup" / self.distribution / "requirements.txt"

    @property
    def ros_versions(self) -> Path:
        """The pinned versions of ROS 2 from PyPI."""
        return self.root / "tools/setup" / self.distribution / "versions.txt"

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
        interfaces: list[Path] = []
        for kind in ("action", "msg", "srv"):
            interfaces += sorted((self.root / kind).glob(f"*.{kind}"))
        return [self.root / "CMakeLists.txt", self.root / "package.xml", *interfaces]

    def _own(self, name: str) -> Path:
        first = self.distribution == DISTRIBUTIONS[0]
        return self.root / (name if first else f"{name}-{self.distribution}")
