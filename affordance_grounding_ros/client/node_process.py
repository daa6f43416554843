"""A node in a process of its own, started and ended the way an operator would."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path
from types import TracebackType

from affordance_grounding_core.errors import AffordanceGroundingError


class NodeProcessError(AffordanceGroundingError, RuntimeError):
    """A node's process that ended too early or not cleanly."""


class NodeProcess:
    """Runs a module of this package as a process; use it in a `with` statement.

    Args:
        module: full name of the module, which has a `main`.
        arguments: command line of the node.
        log: file that gets everything the process prints.
    """

    def __init__(self, module: str, arguments: list[str], log: Path) -> None:
        self.name = module.rsplit(".", 1)[-1]
        self._log = log
        with log.open("wb") as output:
            self._process = subprocess.Popen(
                [sys.executable, "-m", module, *arguments],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
            )

    @property
    def number(self) -> int:
        """The system's number of the process."""
        return self._process.pid

    def __enter__(self) -> NodeProcess:
        """Nothing is done; the process runs already."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """End the process; an error on the way out hides none that came before."""
        try:
            self.stop()
        except NodeProcessError:
            if error is None:
                raise

    def check(self) -> None:
        """Look whether the process still runs.

        Raises:
            NodeProcessError: it has ended.
        """
        if (code := self._process.poll()) is not None:
            raise NodeProcessError(f"{self.name} ended with exit code {code}; {self._last_lines()}")

    def stop(self, timeout: float = 60.0) -> None:
        """End the process as Ctrl-C would, and by force if it does not listen.

        Args:
            timeout: seconds it has to end by itself; the grounder waits up to half a minute for
                the image at work.

        Raises:
            NodeProcessError: it did not end in time, or not with exit code 0.
        """
        if self._process.poll() is None:
            self._process.send_signal(signal.SIGINT)
        try:
            code = self._process.wait(timeout)
        except subprocess.TimeoutExpired as error:
            self._process.kill()
            self._process.wait()
            raise NodeProcessError(
                f"{self.name} did not end within {timeout:g} s of SIGINT; {self._last_lines()}"
            ) from error
        if code != 0:
            raise NodeProcessError(f"{self.name} ended with exit code {code}; {self._last_lines()}")

    def _last_lines(self, count: int = 12) -> str:
        lines = self._log.read_text(errors="replace").splitlines()[-count:]
        return f"the end of {self._log}:\n  " + "\n  ".join(lines or ["(empty)"])
