"""Nodes as processes, for the tests of how they start and end."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from ros_support import DEADLINE

REPOSITORY = Path(__file__).parents[2]

# The node as `main` runs it, with a model that needs no weights.
GROUNDER = """
import logging, sys, threading, time, warnings
from affordance_grounding_ros import grounder_node
from affordance_grounding_ros.node.pipeline import Pipeline
from ros_support import BrightnessRuntime, make_grounder

class Hanging(BrightnessRuntime):
    def run(self, pixels, actions):
        if self.calls:  # The first call is the warm-up.
            print("hangs now", flush=True)
            threading.Event().wait()
        return super().run(pixels, actions)

def load(model, runtime, input_size):
    if model == "slow":
        print("loading slowly", flush=True)
        time.sleep(2.0)
    if model == "endless":
        logging.getLogger("affordance_grounding_core").info("building an engine\\nof two lines")
        warnings.warn("a library warns")
        print("loading for ever", flush=True)
        threading.Event().wait()
    if model == "hanging":
        Pipeline.STOP_TIMEOUT = 0.5
        return make_grounder(Hanging())
    return make_grounder(BrightnessRuntime())

GrounderNode = grounder_node.GrounderNode
grounder_node.GrounderNode = lambda: GrounderNode(grounder_loader=load)
sys.exit(grounder_node.main(sys.argv))
"""


class Process:
    """A Python process whose output goes to a file."""

    def __init__(
        self,
        folder: Path,
        *arguments: str,
        python: Sequence[str] = (sys.executable,),
        **changed: str | None,
    ) -> None:
        self.log = folder / "log.txt"
        environment = {**os.environ, **changed}
        search = [str(REPOSITORY), str(Path(__file__).parent), *sys.path]
        with self.log.open("wb") as output:
            self.process = subprocess.Popen(
                [*python, *arguments],
                stdout=output,
                stderr=subprocess.STDOUT,
                env={
                    **{name: value for name, value in environment.items() if value is not None},
                    "PYTHONPATH": os.pathsep.join(filter(None, search)),
                },
            )

    def output(self) -> str:
        return self.log.read_text(errors="replace")

    def wait_for(self, text: str) -> None:
        deadline = time.monotonic() + DEADLINE
        while text not in self.output():
            assert self.process.poll() is None, f"ended early:\n{self.output()}"
            assert time.monotonic() < deadline, f"no {text!r} in:\n{self.output()}"
            time.sleep(0.05)

    def end(self, number: int) -> int:
        self.process.send_signal(number)
        return self.process.wait(DEADLINE)
