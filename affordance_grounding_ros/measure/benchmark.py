"""What the node costs beside the model: message in to result out, over the middleware.

    python -m affordance_grounding_ros.measure.benchmark --model default --output node.json

The real node runs as a process; a client in this one sends an image, waits for its result and
sends the next. Then a node that answers at once (`echo_node`) takes its place: what is left is the
cost of the middleware, and of Python on both sides of it. `affordance-grounding benchmark --node`
runs this and shows its rows.
"""

from __future__ import annotations

import argparse
import json
import re
import sys
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from affordance_grounding_core.errors import AffordanceGroundingError
from affordance_grounding_core.inference.image_memory import keep_freed_memory
from affordance_grounding_ros.client.node_process import NodeProcess
from affordance_grounding_ros.measure.ping_client import (
    PingClient,
    distribution_ms,
    picture,
    told_ms,
)
from affordance_grounding_ros.measure.soak import read_figures

SIZES = ((640, 480), (1280, 720), (1920, 1080))
"""Width and height in px of the images."""


@dataclass(frozen=True)
class NodePlan:
    """What is measured.

    Attributes:
        model: name or folder.
        runtime: see the node's parameter.
        frames: images that are measured, of each size.
        warm_up: images before them, of each size.
        sizes: width and height in px of the images.
    """

    model: str = "default"
    runtime: str = "auto"
    frames: int = 200
    warm_up: int = 10
    sizes: tuple[tuple[int, int], ...] = SIZES

    def __post_init__(self) -> None:
        if self.frames < 1 or self.warm_up < 1 or not self.sizes:
            raise ValueError(
                "a benchmark of the node needs at least one image, one for warm-up and one size, "
                f"got {self.frames}, {self.warm_up} and {len(self.sizes)}"
            )
        if any(min(size) < 1 for size in self.sizes):
            raise ValueError(f"sizes of images must be positive, got {self.sizes}")


def run(
    plan: NodePlan, folder: Path, say: Callable[[str], None] = lambda line: None
) -> dict[str, Any]:
    """Measure every size, each with a node of its own.

    Args:
        plan: what is measured.
        folder: gets the log of every node.
        say: called with a line about every phase.

    Returns:
        "rows" as `affordance-grounding benchmark` writes them, and "node": the figures of each
        size, ready to be written as JSON.

    Raises:
        AffordanceGroundingError: a node ended early, not cleanly, or did not answer.
    """
    keep_freed_memory()  # What the system takes for the client's memory is not the node's cost.
    rows: list[dict[str, Any]] = []
    figures: dict[str, Any] = {}
    for width, height in plan.sizes:
        name = f"{width}x{height}"
        say(f"{name}: loading the model")
        found = _measure(plan, width, height, folder / f"{name}.log", say)
        found["echo_ms"] = _measure_echo(plan, width, height, folder / f"{name}.echo.log")
        figures[name] = found
        rows += result_rows(name, found)
    return {"rows": rows, "node": figures}


def result_rows(name: str, figures: dict[str, Any]) -> list[dict[str, Any]]:
    """Rows of one size: overhead, its processor time, message in to result out, inference, echo.

    Args:
        name: name of the size, for example "640x480".
        figures: figures of that size.
    """
    runtime, _, precision = figures["runtime"].rpartition("-")
    works = {
        f"node-{name}": "overhead_ms",
        f"node-{name} processor time": "overhead_cpu_ms",
        f"node-{name} total": "total_ms",
        f"node-{name} inference": "inference_ms",
        f"node-{name} echo": "echo_ms",
    }
    return [
        {
            "work": work,
            "runtime": runtime,
            "precision": precision,
            "median_ms": figures[key]["p50"],
            "p95_ms": figures[key]["p95"],
            "ratio": None,
            "max_error": None,
            "gate": "-",
            "memory_mb": figures["memory"]["growth_bytes"] / 1e6 if work.endswith(name) else None,
        }
        for work, key in works.items()
    ]


def _measure(
    plan: NodePlan, width: int, height: int, log: Path, say: Callable[[str], None]
) -> dict[str, Any]:
    parameters = {"model": plan.model, "runtime": plan.runtime}
    arguments = ["--ros-args"]
    for key, value in parameters.items():
        arguments += ["-p", f"{key}:={value}"]
    image = picture(height, width)
    with (
        NodeProcess("affordance_grounding_ros.grounder_node", arguments, log) as process,
        PingClient(process.check) as client,
    ):
        client.start(timeout=600.0)
        for _ in range(plan.warm_up):
            client.ask(image)
        say(f"{width}x{height}: {plan.frames} images")
        answers: list[tuple[float, float]] = []
        memory = [read_figures(process.number).anonymous]
        for _ in range(plan.frames):
            answers.append(client.ask(image))
            memory.append(read_figures(process.number).anonymous)
        status = client.next_status()
        lost = client.lost
    total, inference = np.asarray(answers).T
    return {
        "runtime": status.runtime,
        "frames": plan.frames,
        "lost": lost,
        "total_ms": distribution_ms(total, 3),
        "inference_ms": distribution_ms(inference, 3),
        "overhead_ms": distribution_ms(total - inference, 3),
        "overhead_thread_ms": told_ms(status.overhead),
        "overhead_cpu_ms": told_ms(status.overhead_cpu),
        "memory": memory_growth(memory),
    }


def _measure_echo(plan: NodePlan, width: int, height: int, log: Path) -> dict[str, float | None]:
    """Message in to result out of a node that does nothing between."""
    image = picture(height, width)
    with (
        NodeProcess("affordance_grounding_ros.measure.echo_node", [], log) as process,
        PingClient(process.check) as client,
    ):
        client.start(timeout=60.0)
        for _ in range(plan.warm_up):
            client.ask(image)
        seconds = [client.ask(image)[0] for _ in range(plan.frames)]
    return distribution_ms(seconds, 3)


def memory_growth(anonymous: Sequence[int]) -> dict[str, float]:
    """How much memory the node has taken while it was measured.

    Args:
        anonymous: bytes before the first image and after each.

    Returns:
        Medians of the first and the last quarter, their difference, and that for each image.
    """
    quarter = max(1, len(anonymous) // 4)
    first = float(np.median(anonymous[:quarter]))
    last = float(np.median(anonymous[-quarter:]))
    between = max(1, len(anonymous) - quarter)
    return {
        "start_bytes": first,
        "end_bytes": last,
        "growth_bytes": last - first,
        "growth_bytes_per_frame": (last - first) / between,
    }


def _size(text: str) -> tuple[int, int]:
    if not re.fullmatch(r"\d{1,5}x\d{1,5}", text):
        raise argparse.ArgumentTypeError(f"expected WIDTHxHEIGHT such as 640x480, got {text!r}")
    width, height = text.split("x")
    return int(width), int(height)


def main(arguments: list[str] | None = None) -> int:
    """Measure the node.

    Args:
        arguments: command line, the process's own where None.

    Returns:
        Exit code: 0 if the figures were written.
    """
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--model", default="default", help="name or checkpoint folder")
    parser.add_argument("--runtime", default="auto", help="as the node's parameter")
    parser.add_argument("--frames", type=int, default=200, help="images of each size")
    parser.add_argument(
        "--size", type=_size, action="append", metavar="WxH", help="may be given several times"
    )
    parser.add_argument("--output", type=Path, default=Path("node.json"), help="file of figures")
    options = parser.parse_args(arguments)
    try:
        plan = NodePlan(
            options.model, options.runtime, options.frames, sizes=tuple(options.size or SIZES)
        )
        with tempfile.TemporaryDirectory(prefix="affordance_grounding_node_") as folder:
            figures = run(plan, Path(folder), lambda line: print(line, flush=True))
        options.output.write_text(json.dumps(figures, indent=2) + "\n", encoding="utf-8")
    except (AffordanceGroundingError, OSError, ValueError) as error:
        print(f"benchmark of the node failed: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
