"""Pages on adding a thing name files that exist, and their code does what they say."""

from __future__ import annotations

import re
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import cv2
import numpy as np
import pytest
import typer
from typer.testing import CliRunner

from affordance_grounding_core.backbones import table
from affordance_grounding_core.errors import RuntimeUnavailableError
from affordance_grounding_core.methods import base
from affordance_grounding_core.runtimes import request
from affordance_grounding_core.runtimes.base import Backend
from affordance_grounding_core.runtimes.building import ladder
from affordance_grounding_core.runtimes.request import RuntimeRequest
from tools.site.blocks import REPOSITORY, blocks

PAGES = sorted((REPOSITORY / "docs" / "develop").glob("*.md"))
PATH = re.compile(r"`([\w./]+/[\w./]*|[\w]+\.(?:md|rst|toml|txt|xml|py))`")


def namespace(page: str) -> dict[str, Any]:
    """What the Python of a page defines."""
    names: dict[str, Any] = {"__name__": "page"}
    for block in blocks(REPOSITORY / "docs" / "develop" / page):
        if block.language == "python":
            exec(compile(block.text, block.place, "exec"), names)
    return names


@pytest.mark.parametrize("page", PAGES, ids=[page.stem for page in PAGES])
def test_every_file_that_a_page_names_exists(page: Path) -> None:
    for line in page.read_text(encoding="utf-8").splitlines():
        if not line.startswith("| `"):
            continue
        for name in PATH.findall(line):
            path = REPOSITORY / name
            if "NAME" in name:
                path = REPOSITORY / name.partition("NAME")[0]
                assert path.is_dir(), f"{page.name}: no folder {path} for {name}"
            elif "/" in name or (REPOSITORY / name).suffix in (".md", ".rst"):
                assert path.exists(), f"{page.name}: no {name}"


@pytest.mark.parametrize("kind", ["add_command", "add_topic", "add_runtime", "add_backbone"])
def test_pages_name_the_files_to_touch(kind: str) -> None:
    text = (REPOSITORY / "docs" / "develop" / f"{kind}.md").read_text(encoding="utf-8")
    assert "| file | what to do |" in text
    assert len(re.findall(r"^\| `", text, re.M)) >= 5


def test_a_command_as_the_page_writes_it_runs(tmp_path: Path) -> None:
    cv2.imwrite(str(tmp_path / "wide.png"), np.zeros((3, 5, 3), np.uint8))
    app = typer.Typer()
    app.command()(namespace("add_command.md")["size"])
    said = CliRunner().invoke(app, [str(tmp_path / "wide.png")])
    assert said.exit_code == 0
    assert said.output.strip().endswith("wide.png: 5 x 3 px")


def test_a_runtime_as_the_page_writes_it_is_a_candidate(monkeypatch: pytest.MonkeyPatch) -> None:
    names = namespace("add_runtime.md")
    row, backend = names["row"], names["NewBackend"]
    wanted = {name for name in vars(Backend) if not name.startswith("_")}
    assert wanted <= set(dir(backend))
    module = ModuleType("affordance_grounding_core.runtimes.new")
    monkeypatch.setitem(sys.modules, module.__name__, module)
    monkeypatch.setattr(module, "NewBackend", backend, raising=False)
    monkeypatch.setattr(ladder, "BACKENDS", {**ladder.BACKENDS, row.name: row.make_backend})
    monkeypatch.setattr(ladder, "_FLAVOURS", {row.name: row.choose_flavours})
    monkeypatch.setattr(request, "RUNTIMES", (*request.RUNTIMES, row.name))
    found = ladder.make_ladder(RuntimeRequest("new"))
    assert [one.name for one in found.candidates] == ["new-fp32"]
    with pytest.raises(RuntimeUnavailableError, match="ask for fp32"):
        ladder.make_ladder(RuntimeRequest("new", "int8"))


def test_a_backbone_as_the_page_writes_it_is_a_row(monkeypatch: pytest.MonkeyPatch) -> None:
    row = namespace("add_backbone.md")["row"]
    monkeypatch.setattr(table, "_ROWS", (*table._ROWS, row))
    assert table.architectures("dinov2")["dinov2_vitl14"] == "vit_large_patch14_dinov2.lvd142m"


def test_a_method_as_the_page_writes_it_is_a_row() -> None:
    row = namespace("add_method.md")["row"]
    known = next(iter(base.METHODS.values()))
    assert type(row) is type(known)


def test_regions_are_what_their_page_says() -> None:
    assert len(namespace("add_region_extractor.md")["regions"]) == 1
