"""Hooks of mkdocs: generated parts go into their pages, links into the repository lead there.

A page marks a part by `<!-- include: NAME -->` and `<!-- end -->`; what stands between is for
readers of the repository.
"""

from __future__ import annotations

import os
import re
import sys
from pathlib import Path, PurePosixPath
from typing import Any

REPOSITORY = Path(__file__).resolve().parents[2]
# mkdocs imports a hook by its path, so that the package beside it is not on the path by itself.
sys.path.insert(0, str(REPOSITORY))

from tools.site.generate import PARTS  # noqa: E402

_PART = re.compile(r"<!-- include: ([\w ]+) -->.*?<!-- end -->", re.DOTALL)
_LINK = re.compile(r"(?<=\]\()(\.\./[^)#\s]+)(#[^)\s]*)?(?=\))")


def on_page_markdown(markdown: str, page: Any, config: Any, **_: Any) -> str:
    """Complete a page.

    Args:
        markdown: of the page.
        page: of mkdocs.
        config: of mkdocs.

    Raises:
        ValueError: a part or a file that does not exist.
    """
    source = page.file.src_uri
    return with_links(with_parts(markdown, source), source, config["repo_url"])


def with_parts(markdown: str, source: str) -> str:
    """Put generated parts in the places of their marks.

    Args:
        markdown: of the page.
        source: its path below docs/.

    Raises:
        ValueError: a part that does not exist.
    """

    def part(match: re.Match[str]) -> str:
        if match[1] not in PARTS:
            raise ValueError(f"docs/{source}: no part {match[1]!r}; there are {sorted(PARTS)}")
        return PARTS[match[1]]()

    return _PART.sub(part, markdown)


def with_links(markdown: str, source: str, repository_url: str) -> str:
    """Lead links to files outside docs/ to the repository.

    Args:
        markdown: of the page.
        source: its path below docs/.
        repository_url: where the files can be read.

    Raises:
        ValueError: a link to a file that does not exist.
    """

    def link(match: re.Match[str]) -> str:
        beside = PurePosixPath("docs", source).parent
        path = os.path.normpath(beside / match[1])
        if path.startswith("docs/"):
            return match[0]
        if not (REPOSITORY / path).exists():
            raise ValueError(f"docs/{source}: there is no {path} to link to")
        kind = "tree" if (REPOSITORY / path).is_dir() else "blob"
        return f"{repository_url}/{kind}/main/{path}{match[2] or ''}"

    return _LINK.sub(link, markdown)
