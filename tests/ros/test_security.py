"""What the node must never do with what it is sent; see docs/robot/security.md."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest
from node_programs import GROUNDER, Process
from ros_support import DEADLINE

import affordance_grounding_ros.grounder_node as grounder_node

PACKAGE = "affordance_grounding_ros"
FOLDER = Path(grounder_node.__file__).parent

FORBIDDEN_MODULES = {
    "ctypes", "ftplib", "glob", "http", "marshal", "pathlib", "pickle", "requests",
    "runpy", "shelve", "shutil", "socket", "subprocess", "tempfile", "urllib", "xmlrpc",
}  # fmt: skip
"""Ways to files, programs, networks and code."""

FORBIDDEN_CALLS = {"__import__", "compile", "eval", "exec", "open"}
ALLOWED_OF_OS = {"_exit", "pipe", "read", "set_blocking"}
"""The end of the process, and the pipe by which a signal wakes it: no name of a file among them."""


def modules_of_the_node() -> dict[str, ast.Module]:
    """Sources of the node's module and all of this package that it imports, by name."""
    found: dict[str, ast.Module] = {}
    open_names = ["grounder_node"]
    while open_names:
        name = open_names.pop()
        path = FOLDER.joinpath(*name.split(".")).with_suffix(".py")
        if name in found or not path.is_file():
            continue
        tree = found[name] = ast.parse(path.read_text())
        for node in ast.walk(tree):
            if not isinstance(node, ast.ImportFrom) or not node.module:
                continue
            if node.module.partition(".")[0] == PACKAGE:
                module = node.module.removeprefix(PACKAGE).lstrip(".")
                # A module, or a name in it that may be a module itself.
                inner = [f"{module}.{alias.name}".lstrip(".") for alias in node.names]
                open_names += [module, *inner]
    return found


MODULES = modules_of_the_node()


def test_the_modules_of_the_node_are_found() -> None:
    expected = {"grounder_node", "node.goals", "node.pipeline", "images.conversions"}
    assert expected | {"common.parameters", "depth.input", "health.status"} <= set(MODULES)
    rooms = {name.partition(".")[0] for name in MODULES}
    assert rooms.isdisjoint({"soak", "measure", "demo", "player"})


@pytest.mark.parametrize("name", MODULES)
def test_the_node_reaches_no_file_program_network_or_pickle(name: str) -> None:
    for node in ast.walk(MODULES[name]):
        imported: list[str] = []
        if isinstance(node, ast.Import):
            imported = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module:
            imported = [node.module]
        for module in imported:
            assert module.split(".")[0] not in FORBIDDEN_MODULES, f"{name} imports {module}"
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
            assert node.func.id not in FORBIDDEN_CALLS, f"{name} calls {node.func.id}"
        if isinstance(node, ast.Call) and getattr(node.func, "attr", "") == "import_module":
            written = [isinstance(argument, ast.Constant) for argument in node.args]
            assert all(written), f"{name} imports a module whose name comes from elsewhere"
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
            is_os = node.value.id == "os"
            assert not is_os or node.attr in ALLOWED_OF_OS, f"{name} uses os.{node.attr}"


SECURITY_FILES = (
    "cert.pem",
    "governance.p7s",
    "identity_ca.cert.pem",
    "key.pem",
    "permissions.p7s",
    "permissions_ca.cert.pem",
)


@pytest.mark.parametrize("files", [(), SECURITY_FILES], ids=["no keys", "keys that are none"])
def test_where_security_cannot_be_enforced_the_node_does_not_start_unprotected(
    processes: list[Process], tmp_path: Path, files: tuple[str, ...]
) -> None:
    enclave = tmp_path / "keystore" / "enclaves" / "grounder"
    enclave.mkdir(parents=True)
    for name in files:
        (enclave / name).touch()
    process = Process(
        tmp_path,
        *("-c", GROUNDER, "--ros-args", "--enclave", "/grounder"),
        ROS_SECURITY_KEYSTORE=str(tmp_path / "keystore"),
        ROS_SECURITY_ENABLE="true",
        ROS_SECURITY_STRATEGY="Enforce",
    )
    processes.append(process)
    assert process.process.wait(DEADLINE) == 1
    reason = process.output().splitlines()[-1]
    assert reason.startswith("[FATAL]")
    assert "no node can be made" in reason or "command line refused" in reason
    assert "Traceback" not in process.output()
