"""Builds the environment of this repository: `make setup`, or `python3 -m tools.setup`.

Reads the environment variables TORCH_INDEX_URL (package index of another torch build, for
example the CPU one), SETUP_PYTHON (interpreter to use) and SETUP_DISTRO (ROS 2 distribution to
take from PyPI, into an environment of its own).
"""

from __future__ import annotations

import fcntl
import os
import sys
from pathlib import Path

from tools.setup.machine import WHEELS
from tools.setup.plan import make_plan
from tools.setup.steps import SetupError, run_steps
from tools.setup.workspace import DISTRIBUTIONS, Workspace

_AGAIN = "`make setup` goes on where it stopped."


def main() -> int:
    """Bring the environment up to date.

    Returns:
        Exit code: 0 when it is up to date, 1 on a problem, 130 when interrupted.
    """
    # Line by line, so that ours keep their place among the output of the commands.
    sys.stdout.reconfigure(line_buffering=True)  # type: ignore[union-attr]
    distribution = os.environ.get("SETUP_DISTRO") or DISTRIBUTIONS[0]
    try:
        workspace = Workspace(Path(__file__).resolve().parents[2], distribution)
        _wait_for_others()
        steps = make_plan(workspace, os.environ, os.environ.get("SETUP_PYTHON") or None)
        done_now = run_steps(steps, workspace.stamps)
    except SetupError as error:
        print(f"\nerror: {error}\nOnce that is solved, {_AGAIN}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print(f"\nInterrupted: {_AGAIN}", file=sys.stderr)
        return 130
    if done_now:
        ros = workspace.stamps.read("ros")
        wheels = f"ROS 2 {distribution.capitalize()} from PyPI"
        source = wheels if ros == WHEELS else f"ROS 2 in {ros}"
        print(f"Ready: {workspace.environment}, {source}. Next: make demo, make test, make help")
    return 0


def _wait_for_others() -> None:
    # Never closed: held until this process, and a pip that outlives it when it is killed, end.
    folder = os.open(Path(__file__).parent, os.O_RDONLY)
    os.set_inheritable(folder, True)
    try:
        fcntl.flock(folder, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        print("Another `make setup` is at work here; waiting for it.")
        fcntl.flock(folder, fcntl.LOCK_EX)


if __name__ == "__main__":
    sys.exit(main())
