"""The generated parts of the site, and the links from its pages into the repository."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from affordance_grounding_ros.images.layouts import LAYOUTS
from tools.site.blocks import REPOSITORY, pages
from tools.site.generate import PARTS, REFERENCE, command_line, commands, interfaces, messages
from tools.site.hooks import with_links, with_parts

LONGEST_README = 150


def test_the_readme_stays_short() -> None:
    assert len((REPOSITORY / "README.md").read_text().splitlines()) <= LONGEST_README


def test_every_link_between_files_leads_somewhere() -> None:
    links = [
        (page, target)
        for page in pages()
        for target in re.findall(r"\]\(([^)#\s]+)(?:#[^)\s]*)?\)", page.read_text())
        if not target.startswith("http")
    ]
    assert len(links) > 100
    assert not [
        (page.name, target) for page, target in links if not (page.parent / target).exists()
    ]


def test_every_page_is_in_the_navigation() -> None:
    navigation = (REPOSITORY / "mkdocs.yml").read_text()
    docs = REPOSITORY / "docs"
    missing = [str(page.relative_to(docs)) for page in docs.rglob("*.md")]
    assert not [name for name in missing if name not in navigation]


def test_every_training_config_has_its_place_on_the_page() -> None:
    page = (REPOSITORY / "docs" / "train" / "training.md").read_text()
    configs = [path.name for path in (REPOSITORY / "config" / "train").glob("*.yaml")]
    assert configs
    assert not [name for name in configs if f"`{name}`" not in page]


def test_the_command_line_is_shown_whole() -> None:
    text = command_line()
    for path, command in commands():
        assert f"### {path}\n" in text
        for parameter in command.params:
            if parameter.param_type_name == "option" and not parameter.hidden:
                assert parameter.opts[-1] in text


def test_every_interface_is_shown_with_its_comments() -> None:
    text = messages()
    for kind in ("msg", "srv", "action"):
        for file in (REPOSITORY / kind).glob(f"*.{kind}"):
            assert f"### {file.stem} ({kind})\n" in text
            assert file.read_text().strip() in text
    assert "`~/result`" in interfaces()


def test_every_encoding_of_images_is_named() -> None:
    page = (REPOSITORY / "docs" / "robot" / "topics.md").read_text()
    plain = [name for name in LAYOUTS if not name.startswith("bayer_")]
    assert len(plain) > 15
    assert not [name for name in plain if not re.search(rf"\b{name}\b", page)]


def test_what_the_reference_shows_exists() -> None:
    for name in REFERENCE:
        module, _, inner = name.rpartition(".")
        path = REPOSITORY / Path(*name.split("."))
        file = path.with_suffix(".py")
        if not file.is_file():
            holder = (REPOSITORY / Path(*module.split("."))).with_suffix(".py")
            holder = holder if holder.is_file() else holder.with_suffix("") / "__init__.py"
            assert re.search(rf"\b{inner}\b", holder.read_text()), name


def test_parts_take_the_place_of_their_marks() -> None:
    page = "a\n<!-- include: interfaces -->\nfallback\n<!-- end -->\nb"
    assert with_parts(page, "x.md") == f"a\n{PARTS['interfaces']()}\nb"
    with pytest.raises(ValueError, match="no part 'nothing'"):
        with_parts("<!-- include: nothing --><!-- end -->", "x.md")


def test_links_out_of_the_site_lead_to_the_repository() -> None:
    page = "[a](../../msg) [b](../../README.md#try-it) [c](../use/teach.md)"
    assert with_links(page, "robot/x.md", "https://host/us") == (
        "[a](https://host/us/tree/main/msg) [b](https://host/us/blob/main/README.md#try-it) "
        "[c](../use/teach.md)"
    )
    with pytest.raises(ValueError, match="no nothing to link to"):
        with_links("[a](../../nothing)", "robot/x.md", "https://host/us")
