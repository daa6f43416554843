"""Steps that are done once, remembered by stamp files, and can be resumed after a kill."""

from __future__ import annotations

import hashlib
import os
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path


class SetupError(Exception):
    """A problem the user has to solve; the message names it and the fix."""


@dataclass(frozen=True)
class Step:
    """One part of the setup.

    Attributes:
        name: of its stamp file.
        title: what it does, for people.
        duration: how long that may take, for people.
        key: changes when the step has to be done again.
        run: does it; may be called again after it was killed at any point.
        is_intact: False where the result is gone although the stamp is there.
    """

    name: str
    title: str
    duration: str
    key: str
    run: Callable[[], None]
    is_intact: Callable[[], bool] = lambda: True


class Stamps:
    """Remembers in a folder with which key each step was last completed.

    Args:
        folder: created when the first stamp is written.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def is_done(self, step: Step) -> bool:
        """Whether the step was completed with its present key and the result is still there."""
        return self.read(step.name) == step.key and step.is_intact()

    def read(self, name: str) -> str:
        """The content of a stamp; empty where there is none."""
        path = self._folder / name
        return path.read_text(encoding="utf-8").strip() if path.is_file() else ""

    def write(self, name: str, content: str) -> None:
        """Write a stamp completely or not at all."""
        self._folder.mkdir(parents=True, exist_ok=True)
        temporary = self._folder / f"{name}.part"
        temporary.write_text(content + "\n", encoding="utf-8")
        os.replace(temporary, self._folder / name)

    def remove(self, name: str) -> None:
        """Forget a step."""
        path = self._folder / name
        if path.is_file():
            path.unlink()


def fingerprint(*parts: str, files: Iterable[Path] = ()) -> str:
    """Hash of texts and of the contents of files.

    Args:
        parts: the order matters.
        files: in the order given.

    Returns:
        sha256, hexadecimal.
    """
    digest = hashlib.sha256()
    for content in [*(part.encode() for part in parts), *(path.read_bytes() for path in files)]:
        digest.update(hashlib.sha256(content).digest())
    return digest.hexdigest()


def run_steps(
    steps: Sequence[Step], stamps: Stamps, report: Callable[[str], None] = print
) -> list[str]:
    """Do the steps that are not done yet, in order.

    Args:
        steps: all of them.
        stamps: what was done before.
        report: takes one line for people at a time.

    Returns:
        Names of the steps that were done now.
    """
    done_now: list[str] = []
    for number, step in enumerate(steps, start=1):
        if stamps.is_done(step):
            continue
        # The stamp goes first: a step killed half-way must not look done with its old key.
        stamps.remove(step.name)
        report(f"[{number}/{len(steps)}] {step.title} ({step.duration})")
        started = time.monotonic()
        step.run()
        stamps.write(step.name, step.key)
        report(f"[{number}/{len(steps)}] done in {time.monotonic() - started:.0f} s")
        done_now.append(step.name)
    return done_now
