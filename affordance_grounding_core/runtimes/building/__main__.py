"""The process that builds one engine; started by `beside.BuildProcesses`, ends with its parent."""

from __future__ import annotations

import contextlib
import json
import logging
import os
import shutil
import sys
import threading
from pathlib import Path
from typing import Any, TextIO

import torch

from affordance_grounding_core.errors import abbreviate_error
from affordance_grounding_core.runtimes.building.beside import MARK
from affordance_grounding_core.runtimes.building.job import BuildJob


def main(file: Path) -> int:
    """Build what a file describes; the file and its folder are removed as soon as it is read.

    Args:
        file: job file that `BuildProcesses` wrote.

    Returns:
        Exit code.
    """
    with contextlib.suppress(OSError):
        os.setpgid(0, 0)  # Ctrl-C is for the parent, which ends us
    with _channel() as channel:
        _end_with_parent(file.parent)
        logging.basicConfig(format="%(levelname)s: %(message)s", level=logging.WARNING)
        try:
            job: BuildJob = torch.load(file, map_location="cpu", weights_only=False)
            shutil.rmtree(file.parent, ignore_errors=True)
            job.perform(lambda line: _say(channel, line=line))
        except Exception as error:
            logging.getLogger(__name__).debug("build failed", exc_info=True)
            _say(channel, error=f"{_kind(error)}{abbreviate_error(error)}")
            return 1
    return 0


def _channel() -> TextIO:
    """Take standard output for reports; what libraries print goes to standard error."""
    channel = os.fdopen(os.dup(sys.stdout.fileno()), "w", encoding="utf-8")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    return channel


def _say(channel: TextIO, **event: Any) -> None:
    with contextlib.suppress(BrokenPipeError):
        channel.write(f"{MARK}{json.dumps(event)}\n")
        channel.flush()


def _kind(error: Exception) -> str:
    own = type(error).__module__.startswith("affordance_grounding_core.")
    return "" if own else f"{type(error).__name__}: "


def _end_with_parent(folder: Path) -> None:
    """End when standard input does: the parent holds its other end and never writes."""

    def watch() -> None:
        os.read(sys.stdin.fileno(), 1)
        shutil.rmtree(folder, ignore_errors=True)
        os._exit(1)

    threading.Thread(target=watch, name="parent watch", daemon=True).start()


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
