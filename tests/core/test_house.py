"""The house keeps its shape: what imports what, how wide a folder is, how long a function is.

Every import counts, those inside functions too. What breaks a rule today stands in a list below
by name with its reason; a name that breaks it no more must leave the list.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

from affordance_grounding_core.methods.base import METHODS as METHOD_TABLE

REPOSITORY = Path(__file__).parents[2]
PACKAGES = ("affordance_grounding_core", "affordance_grounding_ros")
CORE, ROS = PACKAGES
MEASURED = (*PACKAGES, "tools/studies")
"""Whose folders are not too wide, and whose functions are not too long."""

WIDTH, WIDTH_AT_THE_TOP = 16, 20
"""Most entries of a folder, `__init__.py` not counted."""

LONGEST_FUNCTION = 60

FORBIDDEN = {
    "inference": ("runtimes", "methods", "training", "loading", "benchmark", "commands"),
    "runtimes": ("methods", "training", "loading", "benchmark", "commands", "teaching"),
    "data": ("evaluation", "methods", "training", "inference.grounder", "runtimes"),
    "labelling": ("methods", "training"),
    "evaluation": ("methods", "training", "runtimes", "commands"),
    "checkpoints": ("methods", "runtimes", "training", "inference", "evaluation"),
    "backbones": ("methods", "runtimes", "training", "inference", "evaluation", "data"),
    "actions": ("backbones", "data", "inference", "methods", "runtimes", "training"),
    "training": ("methods", "commands", "benchmark"),
    "errors": ("actions", "backbones", "data", "inference", "methods", "runtimes"),
    "files": ("actions", "backbones", "data", "inference", "methods", "runtimes"),
    "images": ("actions", "backbones", "data", "inference", "methods", "runtimes"),
}
"""Room of the core to what none of its files imports."""

FORBIDDEN_IN_ROS = {
    "node": ("demo", "measure", "player"),
    "depth": ("demo", "measure", "player", "client", "node"),
    "images": ("demo", "measure", "player", "client", "node", "depth", "health"),
    "common": ("demo", "measure", "player", "client", "node", "depth", "health", "images"),
    "health": ("demo", "measure", "player", "client", "depth", "node"),
}
"""Room of the node's package to what none of its files imports."""

METHODS = tuple(METHOD_TABLE)

FILES_OF_A_METHOD = (
    *("README.md", "__init__.py", "checkpoint.py", "config.py", "data.py", "losses.py"),
    *("network.py", "task.py", "training.py"),
)
"""Files that every method has; `official.py` is that of methods with published checkpoints."""

DEFINITIONS = (ast.FunctionDef, ast.ClassDef)

ALLOWED_IMPORTS: dict[tuple[str, str], str] = {}
"""(file, module) that break a rule today, with the reason."""

ALLOWED_CIRCLES: dict[frozenset[str], str] = {}
"""Rooms that import each other today, with the reason."""

ALLOWED_LONG: dict[str, str] = {}
"""Functions of more than 60 lines today, with the reason."""

ALLOWED_WIDE: dict[str, str] = {}
"""Folders of more entries today, with the reason."""


def sources(package: str) -> list[Path]:
    return sorted((REPOSITORY / package).rglob("*.py"))


def name_of(path: Path) -> str:
    dotted = ".".join(path.relative_to(REPOSITORY).with_suffix("").parts)
    return dotted.removesuffix(".__init__")


@cache
def tree_of(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))


def is_module(name: str) -> bool:
    path = REPOSITORY.joinpath(*name.split("."))
    return path.with_suffix(".py").is_file() or (path / "__init__.py").is_file()


def imports_of(path: Path) -> Iterator[str]:
    """Modules of our packages that a file imports anywhere, for types alone included."""
    for node in ast.walk(tree_of(path)):
        if isinstance(node, ast.Import):
            found = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            inner = [f"{node.module}.{alias.name}" for alias in node.names]
            found = [one if is_module(one) else str(node.module) for one in inner]
        else:
            continue
        yield from (one for one in found if one.partition(".")[0] in PACKAGES and is_module(one))


def room_of(module: str) -> str:
    """The first name below the package; "" for the package itself."""
    return module.partition(".")[2].partition(".")[0]


def breaches() -> dict[tuple[str, str], str]:
    found = {}
    for package, rules in ((CORE, FORBIDDEN), (ROS, FORBIDDEN_IN_ROS)):
        for path in sources(package):
            name = name_of(path)
            inside = name.removeprefix(f"{package}.")
            for module in imports_of(path):
                if not module.startswith(f"{package}."):
                    continue
                target = module.removeprefix(f"{package}.")
                for forbidden in rules.get(room_of(name), ()):
                    if target == forbidden or target.startswith(f"{forbidden}."):
                        found[inside, target] = f"{room_of(name)} imports no {forbidden}"
    for method in METHODS:
        for path in sources(CORE):
            inside = name_of(path).removeprefix(f"{CORE}.")
            if not inside.startswith(f"methods.{method}."):
                continue
            for module in imports_of(path):
                target = module.removeprefix(f"{CORE}.")
                others = [one for one in METHODS if one != method]
                if any(target.startswith(f"methods.{other}") for other in others):
                    found[inside, target] = "a method imports no other"
    return found


def test_every_room_imports_only_what_lies_below_it() -> None:
    found = breaches()
    new = {pair: rule for pair, rule in found.items() if pair not in ALLOWED_IMPORTS}
    assert not new, "\n".join(f"{a} imports {b}: {rule}" for (a, b), rule in sorted(new.items()))
    gone = ALLOWED_IMPORTS.keys() - found.keys()
    assert not gone, f"these break no rule any more; take them off the list: {sorted(gone)}"


@pytest.mark.parametrize("method", METHODS)
def test_every_method_has_the_same_files(method: str) -> None:
    folder = REPOSITORY / CORE / "methods" / method
    missing = [name for name in FILES_OF_A_METHOD if not (folder / name).is_file()]
    assert not missing, f"method {method} lacks {missing}"
    assert not (folder / "inference.py").exists(), "checkpoint.py builds the grounder"
    defined = {
        name: {node.name for node in tree_of(folder / name).body if isinstance(node, DEFINITIONS)}
        for name in ("checkpoint.py", "training.py", "official.py")
        if (folder / name).is_file()
    }
    assert "build_grounder" in defined["checkpoint.py"]
    assert {"train_from_config", "outcome_lines"} <= defined["training.py"]
    assert ("random_grounder" in defined["checkpoint.py"]) == bool(
        METHOD_TABLE[method].random_model
    )
    imports = {f"import_{kind}" for kind in METHOD_TABLE[method].published}
    assert ("official.py" in defined) == bool(imports)
    assert imports <= defined.get("official.py", set())
    shown = (folder / "README.md").read_text(encoding="utf-8")
    modules = {path.name for path in folder.glob("*.py")} - {"__init__.py"}
    assert all(f"`{name}`" in shown for name in modules), "a file that README.md does not name"


def test_every_folder_of_methods_is_a_row_of_the_table() -> None:
    folders = {path.parent.name for path in (REPOSITORY / CORE / "methods").glob("*/__init__.py")}
    assert folders == set(METHODS)


@pytest.mark.parametrize("package", PACKAGES)
def test_no_room_imports_another_that_imports_it(package: str) -> None:
    edges: dict[str, set[str]] = {}
    for path in sources(package):
        own = room_of(name_of(path))
        for module in imports_of(path):
            other = room_of(module)
            if module.startswith(f"{package}.") and other != own and own and other:
                edges.setdefault(own, set()).add(other)
    circles = {
        frozenset({room, other})
        for room in edges
        for other in reachable(room, edges)
        if room in reachable(other, edges) and room != other
    }
    new = circles - ALLOWED_CIRCLES.keys()
    assert not new, f"circles of rooms: {sorted(map(sorted, new))}"
    own_circles = {pair for pair in ALLOWED_CIRCLES if pair & edges.keys()}
    assert own_circles <= circles, "a circle is gone; take it off the list"


def reachable(start: str, edges: dict[str, set[str]]) -> set[str]:
    found: set[str] = set()
    waiting = [start]
    while waiting:
        for other in edges.get(waiting.pop(), ()):
            if other not in found:
                found.add(other)
                waiting.append(other)
    return found


def test_no_module_imports_another_that_imports_it() -> None:
    edges = {
        name_of(path): {module for module in imports_of(path) if module != name_of(path)}
        for package in PACKAGES
        for path in sources(package)
    }
    inner = {name: {one for one in found if one in edges} for name, found in edges.items()}
    circles = sorted(name for name in inner if name in reachable(name, inner))
    assert not circles, f"modules on a circle of imports: {circles}"


def test_the_core_never_imports_ros() -> None:
    for path in sources(CORE):
        for node in ast.walk(tree_of(path)):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            if isinstance(node, ast.ImportFrom):
                names = [str(node.module)]
            roots = {name.partition(".")[0] for name in names}
            assert roots.isdisjoint({"rclpy", "cv_bridge", ROS}), f"{path} imports {roots}"


def test_no_function_is_longer_than_a_screen() -> None:
    found = {}
    for package in MEASURED:
        for path in sources(package):
            for node in ast.walk(tree_of(path)):
                if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
                    length = (node.end_lineno or node.lineno) - node.lineno + 1
                    if length > LONGEST_FUNCTION:
                        found[f"{name_of(path)}.{node.name}"] = length
    new = {name: length for name, length in found.items() if name not in ALLOWED_LONG}
    assert not new, f"functions of more than {LONGEST_FUNCTION} lines: {new}"
    gone = ALLOWED_LONG.keys() - found.keys()
    assert not gone, f"short enough now; take them off the list: {sorted(gone)}"


def test_no_folder_is_wider_than_a_shelf() -> None:
    found = {}
    for package in MEASURED:
        for folder in (REPOSITORY / package, *(REPOSITORY / package).rglob("*")):
            if not folder.is_dir() or folder.name == "__pycache__":
                continue
            entries = {one.name for one in folder.iterdir()} - {"__init__.py", "__pycache__"}
            limit = WIDTH_AT_THE_TOP if folder.name == package else WIDTH
            if len(entries) > limit:
                found[folder.relative_to(REPOSITORY).as_posix()] = len(entries)
    new = {name: width for name, width in found.items() if name not in ALLOWED_WIDE}
    assert not new, f"folders of too many entries: {new}"
    gone = ALLOWED_WIDE.keys() - found.keys()
    assert not gone, f"narrow enough now; take them off the list: {sorted(gone)}"
