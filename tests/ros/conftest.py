"""Every test here talks over real DDS, in a domain of its own and on this machine only."""

from __future__ import annotations

import gc
import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import rclpy
from node_programs import Process
from rclpy.context import Context
from ros_domain import enter_own_domain
from ros_support import Client, Scene

from affordance_grounding_core.teaching.file import FILE_VARIABLE

enter_own_domain()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    here = os.path.dirname(__file__)
    for item in items:
        if str(item.path).startswith(here):
            item.add_marker(pytest.mark.ros)


@pytest.fixture(autouse=True)
def own_taught_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """File of taught actions of the user who runs the tests: never the real one."""
    file = tmp_path / "own" / "taught.safetensors"
    monkeypatch.setenv(FILE_VARIABLE, str(file))
    return file


@pytest.fixture
def context() -> Iterator[Context]:
    """A ROS context that ends with the test."""
    context = Context()
    rclpy.init(context=context)
    yield context
    if context.ok():
        rclpy.shutdown(context=context)
    # rclpy keeps the parts of a lifecycle node in a cycle; until that is found, the node is still
    # listed, and the next test's node is not the only one of its name.
    gc.collect()


@pytest.fixture
def scene(context: Context) -> Iterator[Scene]:
    """A grounder without a network, not yet started, and a client on its topics."""
    scene = Scene(context)
    yield scene
    scene.stop()


@pytest.fixture
def log(monkeypatch: pytest.MonkeyPatch) -> Callable[[], list[tuple[str, str]]]:
    """Lines logged by nodes in this process, as (level, text)."""
    from rclpy.impl import rcutils_logger

    lines: list[tuple[str, str]] = []
    original = rcutils_logger._rclpy.rclpy_logging_rcutils_log

    def record(severity: int, name: str, message: str, *place: object) -> None:
        lines.append((rcutils_logger.LoggingSeverity(severity).name.lower(), message))
        original(severity, name, message, *place)

    monkeypatch.setattr(rcutils_logger._rclpy, "rclpy_logging_rcutils_log", record)
    return lambda: list(lines)


@pytest.fixture
def processes() -> Iterator[list[Process]]:
    started: list[Process] = []
    yield started
    for process in started:
        if process.process.poll() is None:
            process.process.kill()
            process.process.wait()


@pytest.fixture
def client(context: Context) -> Iterator[Client]:
    client = Client(context)
    yield client
    client.executor.shutdown()
    client.node.destroy_node()
