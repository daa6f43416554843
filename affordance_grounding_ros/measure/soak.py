"""A long run under load: the real node as a process, a camera at 30 Hz, goals that change.

    python -m affordance_grounding_ros.soak --duration 1800 --output soak.json

Prints the figures, writes them as JSON, and ends with exit code 1 where one is beyond its limit.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from affordance_grounding_core.errors import AffordanceGroundingError
from affordance_grounding_ros.client.grounder_client import NoAnswerError
from affordance_grounding_ros.client.node_process import NodeProcess
from affordance_grounding_ros.measure.soak_client import SoakClient


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


MAXIMUM_MEMORY_GROWTH = 0.01
"""Share by which the memory may grow from the end of the warm-up to the end."""

MAXIMUM_IDLE_CPU = 0.03
"""Share of a core that may be used while there is no goal."""

MAXIMUM_OVERHEAD_MS = 5.0
"""95th percentile of the processor time that a frame costs beside the model."""


@dataclass(frozen=True)
class SoakPlan:
    """How long and how hard.

    Attributes:
        duration: seconds under load that are measured.
        warm_up: seconds under load before that, until all memory that is kept has been taken.
        idle: seconds without a goal that are measured, before and after.
        rate: images per second.
        width: width of the images, in px.
        height: height of the images, in px.
        goal_period: seconds until the goal changes.
        model: name or folder.
        inference_timeout: seconds at one image that count as an error; 0: any time is right.
        engine_timeout: seconds that the warm-up goes on for while an engine is built beside the
            answers; 0: it does not wait.
    """

    duration: float
    warm_up: float = 60.0
    idle: float = 20.0
    rate: float = 30.0
    width: int = 640
    height: int = 480
    goal_period: float = 5.0
    model: str = "default"
    inference_timeout: float = 5.0
    engine_timeout: float = 600.0

    def __post_init__(self) -> None:
        if min(self.duration, self.warm_up, self.idle, self.goal_period, self.rate) <= 0.0:
            raise ValueError("durations and rate of a soak must be greater than zero")


def run(
    plan: SoakPlan, log: Path, say: Callable[[str], None] = lambda line: None
) -> dict[str, Any]:
    """Run the node under load and measure it.

    Args:
        plan: how long and how hard.
        log: file that gets what the node prints.
        say: called with a line about every phase.

    Returns:
        The figures, ready to be written as JSON.

    Raises:
        AffordanceGroundingError: the node ended early, not cleanly, or did not answer.
    """
    parameters = {"model": plan.model, "inference_timeout": float(plan.inference_timeout)}
    arguments = ["--ros-args"]
    for name, value in parameters.items():
        arguments += ["-p", f"{name}:={value}"]
    with (
        NodeProcess("affordance_grounding_ros.grounder_node", arguments, log) as process,
        SoakClient(plan.rate, plan.width, plan.height, process.check) as client,
    ):
        say("loading the model")
        client.plan_goals(client.wait_until_active(timeout=600.0).vocabulary)
        say(f"idle for {plan.idle:g} s")
        idle_before = _idle(plan, client, process.number)
        say(f"warm-up for {plan.warm_up:g} s")
        warmed = _warm_up(plan, client, process.number, say)
        client.forget()
        say(f"load for {plan.duration:g} s")
        began, counts_before = time.monotonic(), client.frame_counts()
        ended, samples = _load(plan, plan.duration, client, process.number)
        seconds, counts = time.monotonic() - began, client.frame_counts()
        figures = {
            **client.figures(),
            "seconds": seconds,
            "frames": {name: counts[name] - counts_before[name] for name in counts},
            "memory": _memory(warmed, ended, samples),
            "cpu_under_load": (samples[-1].cpu_seconds - samples[0].cpu_seconds) / seconds,
        }
        say(f"idle for {plan.idle:g} s")
        idle_after = _idle(plan, client, process.number)
    figures["cpu_idle"] = {"before": idle_before, "after": idle_after}
    figures["errors_in_log"] = log.read_text(errors="replace").count("[ERROR]")
    return {"plan": asdict(plan), "machine": _machine(), **figures, "limits": limits(figures)}


def _warm_up(
    plan: SoakPlan, client: SoakClient, process: int, say: Callable[[str], None]
) -> ProcessFigures:
    """Loads the node until its memory is what it stays; an engine that takes over needs its own."""
    warmed, _ = _load(plan, plan.warm_up, client, process)
    end = time.monotonic() + plan.engine_timeout
    if not client.building or not plan.engine_timeout:
        return warmed
    say(f"warm-up goes on until the engine answers: {client.building}")
    while client.building and time.monotonic() < end:
        _load(plan, plan.goal_period, client, process)
    if client.building:
        raise NoAnswerError(
            f"the engine is still being built after {plan.engine_timeout:g} s: {client.building}; "
            "build it ahead with `affordance-grounding export`, or raise --engine-timeout"
        )
    return _load(plan, plan.warm_up, client, process)[0]


def _load(
    plan: SoakPlan, seconds: float, client: SoakClient, process: int
) -> tuple[ProcessFigures, list[ProcessFigures]]:
    """Changes the goals for some time; gives the use of memory at its end, and on the way."""
    samples = [read_figures(process)]
    end = time.monotonic() + seconds
    while (now := time.monotonic()) < end:
        client.next_goal()
        client.spin(min(plan.goal_period, end - now))
        samples.append(read_figures(process))
    last = samples[-max(1, len(samples) // 10) :]
    # The median of the last tenth: one moment may fall into the midst of an image or not.
    return _median(last), samples


def _median(samples: list[ProcessFigures]) -> ProcessFigures:
    return ProcessFigures(
        resident=int(statistics.median(sample.resident for sample in samples)),
        anonymous=int(statistics.median(sample.anonymous for sample in samples)),
        cpu_seconds=samples[-1].cpu_seconds,
        threads=max(sample.threads for sample in samples),
        files=max(sample.files for sample in samples),
    )


def _idle(plan: SoakPlan, client: SoakClient, process: int) -> float:
    """Share of a core that is used without a goal, while the camera goes on."""
    client.stop_goal()
    client.wait_until_unsubscribed(timeout=60.0)
    client.spin(2.0)
    began, before = time.monotonic(), read_figures(process)
    client.spin(plan.idle)
    used = read_figures(process).cpu_seconds - before.cpu_seconds
    return used / (time.monotonic() - began)


def _memory(
    warmed: ProcessFigures, ended: ProcessFigures, samples: list[ProcessFigures]
) -> dict[str, Any]:
    return {
        "start_bytes": warmed.resident,
        "end_bytes": ended.resident,
        "growth": ended.resident / warmed.resident - 1.0,
        "anonymous_start_bytes": warmed.anonymous,
        "anonymous_end_bytes": ended.anonymous,
        "peak_bytes": max(sample.resident for sample in samples),
        "threads": [warmed.threads, ended.threads],
        "files": [warmed.files, ended.files],
    }


def limits(figures: dict[str, Any]) -> dict[str, bool]:
    """Which limits are kept, by what they ask for.

    Args:
        figures: what `run` returned.
    """
    frames = figures["frames"]
    overhead = figures["overhead_cpu_ms"]["p95"]
    return {
        "some frames were processed": frames["processed"] > 0,
        "no error": frames["failed"] + frames["refused"] + figures["errors_in_log"] == 0,
        f"memory growth < {MAXIMUM_MEMORY_GROWTH:.0%}": (
            figures["memory"]["growth"] < MAXIMUM_MEMORY_GROWTH
        ),
        f"idle CPU < {MAXIMUM_IDLE_CPU:.0%} of a core": (
            max(figures["cpu_idle"].values()) < MAXIMUM_IDLE_CPU
        ),
        f"overhead per frame p95 <= {MAXIMUM_OVERHEAD_MS:g} ms of processor time": (
            overhead is not None and overhead <= MAXIMUM_OVERHEAD_MS
        ),
    }


def _machine() -> dict[str, Any]:
    return {
        "processor": platform.machine(),
        "cores": os.cpu_count(),
        "python": platform.python_version(),
        "numpy": np.__version__,
    }


def table(figures: dict[str, Any]) -> str:
    """The figures for people.

    Args:
        figures: what `run` returned.
    """
    frames, memory, idle = figures["frames"], figures["memory"], figures["cpu_idle"]
    latency, inference = figures["latency_ms"], figures["inference_ms"]
    overhead, processor = figures["overhead_ms"], figures["overhead_cpu_ms"]
    lines = [
        f"duration           {figures['seconds']:.0f} s under load, goals changed "
        f"{figures['goals']} times",
        f"frames             {frames['received']} in, {frames['processed']} processed, "
        f"{frames['dropped']} dropped for newer ones, {frames['idle']} without a goal, "
        f"{frames['failed'] + frames['refused']} errors",
        f"latency            p50 {latency['p50']} ms, p95 {latency['p95']} ms, max "
        f"{latency['max']} ms (image's stamp to publishing)",
        f"inference          p50 {inference['p50']} ms, p95 {inference['p95']} ms, max "
        f"{inference['max']} ms",
        f"overhead per frame p50 {overhead['p50']} ms, p95 {overhead['p95']} ms by the clock; p50 "
        f"{processor['p50']} ms, p95 {processor['p95']} ms of processor time",
        f"memory             {memory['start_bytes'] / 2**20:.1f} MiB at the start, "
        f"{memory['end_bytes'] / 2**20:.1f} MiB at the end ({memory['growth']:+.2%})",
        f"CPU                idle {idle['before']:.1%} and {idle['after']:.1%} of a core, under "
        f"load {figures['cpu_under_load']:.0%}",
    ]
    kept = [
        f"{'kept  ' if ok else 'BROKEN'}             {name}"
        for name, ok in figures["limits"].items()
    ]
    return "\n".join([*lines, *kept])


def main(arguments: list[str] | None = None) -> int:
    """Run a soak.

    Args:
        arguments: command line, the process's own where None.

    Returns:
        Exit code: 0 if all limits were kept.
    """
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--duration", type=float, default=1800.0, help="seconds under load")
    parser.add_argument("--warm-up", type=float, default=60.0, help="seconds before that")
    parser.add_argument("--idle", type=float, default=20.0, help="seconds without a goal")
    parser.add_argument("--goal-period", type=float, default=5.0, help="seconds of one goal")
    parser.add_argument("--model", default="default", help="name or checkpoint folder")
    parser.add_argument(
        "--inference-timeout",
        type=float,
        default=5.0,
        help="seconds at one image that count as an error; 0: any time is right",
    )
    parser.add_argument(
        "--engine-timeout",
        type=float,
        default=600.0,
        help="seconds to wait for an engine that is built at the first start; 0: do not wait",
    )
    parser.add_argument("--output", type=Path, default=Path("soak.json"), help="file of figures")
    options = parser.parse_args(arguments)
    try:
        plan = SoakPlan(
            duration=options.duration,
            warm_up=options.warm_up,
            idle=options.idle,
            goal_period=options.goal_period,
            model=options.model,
            inference_timeout=options.inference_timeout,
            engine_timeout=options.engine_timeout,
        )
        with tempfile.TemporaryDirectory(prefix="affordance_grounding_soak_") as folder:
            figures = run(plan, Path(folder) / "grounder.log", lambda line: print(line, flush=True))
        options.output.write_text(json.dumps(figures, indent=2) + "\n", encoding="utf-8")
    except (AffordanceGroundingError, OSError, ValueError) as error:
        print(f"soak failed: {error}", file=sys.stderr)
        return 1
    print(table(figures))
    return 0 if all(figures["limits"].values()) else 1


if __name__ == "__main__":
    raise SystemExit(main())
