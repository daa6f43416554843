"""The renderer's rooms import only those before them, and no folder is wider than a shelf."""

from __future__ import annotations

import ast
from pathlib import Path

PROJECT = Path(__file__).parents[1]
PACKAGE = PROJECT / "render_affordances"

ROOMS = ("meshes", "shapes", "cameras", "hands", "acts", "scenes", "dataset", "gate")
"""In the order of README.md."""

WIDTH = 16
"""Most entries of a folder, `__init__.py` not counted."""


def imports(file: Path) -> set[str]:
    """Modules that a file imports anywhere."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            found |= {f"{node.module}.{alias.name}" for alias in node.names}
    return found


def imported_rooms(file: Path) -> set[str]:
    return {name.split(".")[1] for name in imports(file) if name.startswith("render_affordances.")}


def test_a_room_imports_only_rooms_before_it() -> None:
    folders = {folder.name for folder in PACKAGE.iterdir() if folder.is_dir()}
    assert folders - {"__pycache__"} == set(ROOMS)
    for place, room in enumerate(ROOMS):
        for file in (PACKAGE / room).rglob("*.py"):
            later = imported_rooms(file) - {room} - set(ROOMS[:place])
            assert not later, f"{file.relative_to(PROJECT)} imports {sorted(later)}"


def test_only_the_gate_needs_the_robots_package() -> None:
    needing = {
        file.parent.name
        for file in PACKAGE.rglob("*.py")
        if any(name.startswith("affordance_grounding") for name in imports(file))
    }
    assert needing == {"gate"}


def test_no_folder_is_wider_than_a_shelf() -> None:
    for folder in (PROJECT, *PROJECT.rglob("*")):
        if folder.is_dir() and folder.name != "__pycache__":
            entries = {one.name for one in folder.iterdir()} - {"__init__.py", "__pycache__"}
            assert len(entries) <= WIDTH, f"{folder.relative_to(PROJECT)}: {len(entries)} entries"
