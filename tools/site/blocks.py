"""The code blocks of pages, and the commands in them.

A block that the tests do not run says why in the line before it: `<!-- not run: REASON -->`.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[2]

_BLOCK = re.compile(
    r"(?:^<!-- not run: (?P<reason>[^\n]+?) -->\n\s*)?"
    r"^```(?P<language>\w*)\n(?P<text>.*?)^```$",
    re.MULTILINE | re.DOTALL,
)


@dataclass(frozen=True)
class Block:
    """A code block of a page.

    Attributes:
        page: path of the page in the repository.
        line: number of its first line of code.
        language: word behind the fence; empty where there is none.
        text: code.
        reason: why the tests do not run it; empty where they do.
    """

    page: str
    line: int
    language: str
    text: str
    reason: str

    @property
    def place(self) -> str:
        """Page and line, for people."""
        return f"{self.page}:{self.line}"

    def commands(self) -> list[list[str]]:
        """Words of every command of a shell block, in order."""
        text = self.text
        if self.language == "console":
            text = "\n".join(
                line.removeprefix("$ ") for line in text.splitlines() if line.startswith("$ ")
            )
        joined = text.replace("\\\n", " ")
        lines = (shlex.split(line, comments=True) for line in joined.splitlines())
        return [words for line in lines for words in _split(line) if words]


def _split(words: list[str]) -> Iterator[list[str]]:
    """Take a line apart at `&&`."""
    command: list[str] = []
    for word in words:
        if word == "&&":
            yield command
            command = []
        else:
            command.append(word)
    yield command


def pages() -> list[Path]:
    """Every page for people: the README, what lies beside it, and docs/."""
    beside = [REPOSITORY / name for name in ("README.md", "CONTRIBUTING.md", "SECURITY.md")]
    return [*beside, *sorted((REPOSITORY / "docs").rglob("*.md"))]


def blocks(page: Path) -> list[Block]:
    """Read the code blocks of a page.

    Args:
        page: file.
    """
    text = page.read_text(encoding="utf-8")
    name = str(page.relative_to(REPOSITORY))
    return [
        Block(
            name,
            text.count("\n", 0, match.start("text")) + 1,
            match["language"],
            match["text"],
            match["reason"] or "",
        )
        for match in _BLOCK.finditer(text)
    ]
