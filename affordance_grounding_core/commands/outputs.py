"""Callbacks of options that check output folders and files before a command starts."""

from __future__ import annotations

import os
from pathlib import Path

import typer

from affordance_grounding_core.errors import OutputError
from affordance_grounding_core.files import reason_not_writable


def output_folder(parameter: typer.CallbackParam, folder: Path | None) -> Path | None:
    """Accept a folder that can be made and written.

    Raises:
        OutputError: it cannot; the message says why.
    """
    if folder is not None and (reason := reason_not_writable(folder.expanduser())):
        raise _refused(_name(parameter), "folder", folder, reason)
    return folder


def output_file(parameter: typer.CallbackParam, file: Path | None) -> Path | None:
    """Accept a file that can be written, in a folder that may have to be made.

    Raises:
        OutputError: it cannot; the message says why.
    """
    if file is not None:
        require_file(_name(parameter), file)
    return file


def require_file(option: str, file: Path) -> None:
    """Make sure that a file can be written.

    Args:
        option: that names it.
        file: in a folder that may have to be made.

    Raises:
        OutputError: it cannot; the message says why.
    """
    if file.is_dir():
        reason: str | None = "it is a folder"
    elif file.exists():
        reason = None if os.access(file, os.W_OK) else "it is read-only"
    else:
        reason = reason_not_writable(file.parent)
    if reason:
        raise _refused(option, "file", file, reason)


def _name(parameter: typer.CallbackParam) -> str:
    options = [name for name in parameter.opts if name.startswith("--")]
    return (options or [parameter.metavar or str(parameter.name)])[0]


def _refused(option: str, kind: str, path: Path, reason: str) -> OutputError:
    return OutputError(
        f"{option!r} names {kind} {str(path)!r}, which cannot be written ({reason}): name another "
        "one, or change its permissions"
    )
