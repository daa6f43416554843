"""Builds engines beside the answers: one at a time, in a process of its own, at low priority."""

from __future__ import annotations

import contextlib
import json
import logging
import os
import queue
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable
from pathlib import Path
from typing import IO, Protocol, cast

import torch

from affordance_grounding_core.errors import AffordanceGroundingError, ExportError
from affordance_grounding_core.runtimes.building.job import BuildJob

_log = logging.getLogger(__name__)

MARK = "\x1e"
"""Begins a line by which the process reports; others are what libraries print."""

NICENESS = 10
"""Of the process that builds: a tenth of the processor where the answers want all of it. With 19
it would be a hundredth, and the engine of a busy robot would take an hour."""


class BuildsEndedError(AffordanceGroundingError):
    """A build that was stopped, or not begun, because nobody waits for engines any more."""


class Beside(Protocol):
    """Does work beside the answers, and builds engines there."""

    def submit(self, task: Callable[[], None]) -> None:
        """Have a task done, after those before it; returns at once.

        Args:
            task: raises nothing.
        """
        ...

    def build(self, job: BuildJob, report: Callable[[str], None]) -> None:
        """Build an engine into its store; called by a task, returns when it is done.

        Args:
            job: what to build.
            report: takes lines on the progress.

        Raises:
            ExportError: it could not be built; the message says why.
            BuildsEndedError: `close` was called.
        """
        ...

    def close(self) -> None:
        """Stop the build under way and do no further task."""
        ...


class BuildProcesses:
    """A thread that does tasks in turn, and a process for each build."""

    def __init__(self) -> None:
        self._tasks: queue.SimpleQueue[Callable[[], None] | None] = queue.SimpleQueue()
        self._thread: threading.Thread | None = None
        self._process: subprocess.Popen[str] | None = None
        self._lock = threading.Lock()
        self._closed = False

    def submit(self, task: Callable[[], None]) -> None:
        """Have a task done, after those before it; returns at once."""
        self._tasks.put(task)
        if self._thread is None:
            # A daemon: a program that ends without closing its grounder does not wait for builds.
            self._thread = threading.Thread(target=self._work, name="engines", daemon=True)
            self._thread.start()

    def build(self, job: BuildJob, report: Callable[[str], None]) -> None:
        """Build an engine in a process of its own; see `Beside`."""
        folder = Path(tempfile.mkdtemp(prefix="affordance_grounding_build_"))
        file = folder / "job.pt"
        try:
            torch.save(job, file)
            process = self._start(file)
            with process:  # closes its pipes
                error, last = _listen(cast("IO[str]", process.stdout), report)
                code = process.wait()
        finally:
            with contextlib.suppress(OSError):  # the process removes it when it has read it
                file.unlink(missing_ok=True)
                folder.rmdir()
            self._process = None
        if self._closed:
            raise BuildsEndedError("the runtime was closed during the build")
        if error or code:
            raise ExportError(error or _describe_end(code, last))

    def close(self) -> None:
        """Stop the build under way and do no further task; see `Beside`."""
        with self._lock:
            self._closed = True
            if self._process is not None:
                self._process.kill()
        self._tasks.put(None)
        if self._thread is not None and self._thread is not threading.current_thread():
            self._thread.join()

    def _start(self, file: Path) -> subprocess.Popen[str]:
        if not sys.executable:
            raise ExportError(
                "Python does not know its own program (sys.executable), so that no process can "
                "build engines; build them ahead with `affordance-grounding export`"
            )
        paths = os.pathsep.join(path or os.getcwd() for path in sys.path)
        with self._lock:
            if self._closed:
                raise BuildsEndedError("the runtime was closed before the build")
            self._process = subprocess.Popen(
                [sys.executable, "-m", "affordance_grounding_core.runtimes.building", str(file)],
                stdin=subprocess.PIPE,  # never written to: its end tells the process of ours
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                env={**os.environ, "PYTHONPATH": paths},
                encoding="utf-8",
                errors="replace",
                # Not a session of its own: Linux shares the processor out among sessions first
                # (autogroup), and niceness counts only within one.
            )
            with contextlib.suppress(OSError):  # it has ended
                niceness = max(NICENESS, os.getpriority(os.PRIO_PROCESS, 0))
                os.setpriority(os.PRIO_PROCESS, self._process.pid, niceness)
            return self._process

    def _work(self) -> None:
        while (task := self._tasks.get()) is not None and not self._closed:
            task()


def _listen(output: IO[str], report: Callable[[str], None]) -> tuple[str, str]:
    """Follow a process until it ends; returns its error and the last line libraries printed."""
    error, last = "", ""
    for text in output:
        printed, mark, event = text.partition(MARK)
        if printed.strip():
            last = printed.strip()
            _log.debug("build: %s", last)
        if mark:
            content = json.loads(event)
            error = content.get("error", error)
            if "line" in content:
                report(content["line"])
    return error, last


def _describe_end(code: int, last: str) -> str:
    if code < 0:
        reason = ", as when memory is short" if code == -9 else ""
        return f"the process that built it was ended by signal {-code}{reason}"
    return f"the process that built it ended with exit code {code} ({last or 'without a word'})"
