"""Writing files so that a reader, or the next run, never meets half of one."""

from __future__ import annotations

import json
import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any


def replace_file(path: Path, content: bytes) -> None:
    """Write a file beside its place and move it there, making the folder where needed.

    Whoever reads the path sees the old file or the whole new one, also where several
    processes write it or one of them is killed.

    Args:
        path: file to write.
        content: all of it.

    Raises:
        OSError: it cannot be written; what was there before is still there.
    """
    with replacing(path) as temporary:
        temporary.write_bytes(content)


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Let a file be written beside its place, and move it there at the end.

    The file is readable as the user's umask says, not by its owner alone.

    Args:
        path: file to write; its folder is made where needed.

    Yields:
        An empty file to write to. Where writing fails it is removed, and what was at `path` stays.

    Raises:
        OSError: it cannot be written.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{secrets.token_hex(8)}.part")
    try:
        temporary.touch(exist_ok=False)
        mode = temporary.stat().st_mode
        yield temporary
        temporary.chmod(mode)  # safetensors writes files that only their owner can read.
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


def replace_json(path: Path, content: dict[str, Any]) -> None:
    """Write a JSON file with `replace_file`.

    Args:
        path: file to write.
        content: plain values; numbers are finite, so that every JSON reader accepts them.

    Raises:
        OSError: it cannot be written.
        ValueError: a number is not finite.
    """
    text = json.dumps(content, indent=1, ensure_ascii=False, allow_nan=False)
    replace_file(path, f"{text}\n".encode())
