"""Writing files so that a reader, or the next run, never meets half of one."""

from __future__ import annotations

import json
import os
import secrets
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
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{secrets.token_hex(8)}.part")
    try:
        with temporary.open("xb") as stream:
            stream.write(content)
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
