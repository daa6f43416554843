"""The three descriptions of the package agree with each other and with the code."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ElementTree
from pathlib import Path

import pytest

import affordance_grounding_core

REPOSITORY = Path(__file__).parents[2]
CORE = REPOSITORY / "affordance_grounding_core"


def manifest() -> ElementTree.Element:
    return ElementTree.parse(REPOSITORY / "package.xml").getroot()


def test_manifest_and_code_name_the_same_version() -> None:
    assert manifest().findtext("version") == affordance_grounding_core.__version__


def test_changelog_begins_with_this_version() -> None:
    changelog = (REPOSITORY / "CHANGELOG.rst").read_text()
    first = re.search(r"^(\d+\.\d+\.\d+)\b", changelog, re.MULTILINE)
    assert first is not None
    assert first[1] == affordance_grounding_core.__version__


def test_every_message_is_built() -> None:
    listed = set(re.findall(r'"msg/(\w+\.msg)"', (REPOSITORY / "CMakeLists.txt").read_text()))
    assert listed == {path.name for path in (REPOSITORY / "msg").iterdir()}


def test_messages_name_no_package_the_manifest_does_not() -> None:
    used = {
        package
        for path in (REPOSITORY / "msg").glob("*.msg")
        for package in re.findall(r"^(\w+)/\w+", path.read_text(), re.MULTILINE)
    }
    assert used <= {element.text for element in manifest().iter("depend")}


def test_the_core_never_imports_ros() -> None:
    ros = re.compile(
        r"^\s*(?:import|from)\s+(?:rclpy|affordance_grounding_ros|\w+_msgs|ament_\w+)\b",
        re.MULTILINE,
    )
    offenders = [path for path in CORE.rglob("*.py") if ros.search(path.read_text())]
    assert offenders == []


@pytest.mark.parametrize("name", ["grounder_node", "image_player"])
def test_installed_programs_are_executable_and_use_the_active_python(name: str) -> None:
    script = REPOSITORY / "scripts" / name
    assert script.stat().st_mode & 0o111
    assert script.read_text().startswith("#!/usr/bin/env python3\n")
