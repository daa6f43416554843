"""Benchmark of the ROS node: what it costs beside the model, in a process of its own."""

from __future__ import annotations

import importlib.util
import json
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from affordance_grounding_core.benchmark.report import Row
from affordance_grounding_core.errors import RuntimeUnavailableError
from affordance_grounding_core.loading import load_grounder

_SIZES = ((480, 640), (720, 1280))
"""Height and width in px of images, one for each aspect ratio that the node is measured at."""

MODULE = "affordance_grounding_ros.measure.benchmark"
"""Run as a program: this package never imports ROS."""


@dataclass(frozen=True)
class NodeFigures:
    """What the node's benchmark says.

    Attributes:
        rows: for each size of image: overhead (`node-640x480`), its processor time in the
            inference thread, message in to result out, inference, and message in to result out
            of a node that does nothing (`node-640x480 echo`).
        details: details by size, as `node_benchmark` writes them.
    """

    rows: tuple[Row, ...]
    details: dict[str, Any]


def measure_node(model: str, runtime: str, frames: int) -> NodeFigures:
    """Run the node and a client, image by image, over the middleware.

    Args:
        model: name or folder.
        runtime: runtime of the node; see `load_grounder`.
        frames: images of each size.

    Raises:
        RuntimeUnavailableError: ROS 2 or this project's ROS package is not there, or the node
            did not answer.
    """
    _require_ros()
    _build_engines(model, runtime)
    with tempfile.TemporaryDirectory(prefix="affordance_grounding_benchmark_") as folder:
        output = Path(folder) / "node.json"
        command = [sys.executable, "-m", MODULE, f"--model={model}", f"--runtime={runtime}"]
        command += [f"--frames={frames}", f"--output={output}"]
        # Its progress goes to stderr: stdout belongs to the table.
        done = subprocess.run(command, stdout=sys.stderr.fileno(), check=False)
        if done.returncode != 0 or not output.is_file():
            raise RuntimeUnavailableError(
                f"the node could not be measured: {MODULE} ended with exit code "
                f"{done.returncode}; what it printed says why"
            )
        return read_figures(json.loads(output.read_text(encoding="utf-8")))


def _build_engines(model: str, runtime: str) -> None:
    """Build what the node would build beside its first answers, which would be PyTorch's."""
    grounder = load_grounder(model, runtime)
    try:
        for height, width in _SIZES:
            grounder.warm_up(height, width)
    finally:
        grounder.close()


def read_figures(content: dict[str, Any]) -> NodeFigures:
    """Read what the node's benchmark wrote.

    Args:
        content: "rows" and "node".
    """
    return NodeFigures(tuple(Row(**row) for row in content["rows"]), content["node"])


def _require_ros() -> None:
    for module in ("rclpy", "affordance_grounding_ros", "affordance_grounding_ros.msg", MODULE):
        if importlib.util.find_spec(module) is None:
            raise RuntimeUnavailableError(
                f"--node needs ROS 2 and this project's ROS package, and {module} is missing: "
                "build it (make setup) and run in its environment (make shell)"
            )
