"""What a process uses, as Linux tells it: memory, processor time, threads, open files."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class ProcessFigures:
    """What a process uses at one moment.

    Attributes:
        resident: memory in bytes, what it shares with others included.
        anonymous: memory in bytes that it has for itself and that is no file: heap and stacks.
        cpu_seconds: processor time since its start, in user and system mode.
        threads: number of threads.
        files: number of open file descriptors.
    """

    resident: int
    anonymous: int
    cpu_seconds: float
    threads: int
    files: int


def read_figures(process: int | None = None) -> ProcessFigures:
    """Look at a process.

    Args:
        process: its number; None: this one.

    Raises:
        OSError: no such process, or not on Linux.
    """
    folder = Path("/proc") / str(os.getpid() if process is None else process)
    lines = (line.split(":", 1) for line in (folder / "status").read_text().splitlines())
    status = {key: value.split()[0] for key, value in lines if value.split()}
    # The second field is the name in parentheses, which may hold anything.
    fields = (folder / "stat").read_text().rpartition(")")[2].split()
    user, system = int(fields[11]), int(fields[12])
    return ProcessFigures(
        resident=int(status["VmRSS"]) * 1024,
        anonymous=int(status["RssAnon"]) * 1024,
        cpu_seconds=(user + system) / os.sysconf("SC_CLK_TCK"),
        threads=int(status["Threads"]),
        files=len(list((folder / "fd").iterdir())),
    )
