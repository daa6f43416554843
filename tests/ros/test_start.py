"""The start of a node: answered from the first second, with a name and a severity in every line."""

from __future__ import annotations

import functools
import logging
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from lifecycle_msgs.srv import GetState
from node_programs import GROUNDER, REPOSITORY, Process
from rcl_interfaces.msg import Log
from rcl_interfaces.srv import GetParameters, SetParameters
from rclpy.context import Context
from rclpy.node import Node
from rclpy.qos import DurabilityPolicy, QoSProfile, ReliabilityPolicy
from ros_support import DEADLINE, Client, overrides

from affordance_grounding_core import __version__
from affordance_grounding_ros.common.library_log import log_libraries
from affordance_grounding_ros.grounder_node import main as grounder_main
from affordance_grounding_ros.player.image_player import main as player_main

LINE = re.compile(r"\[(DEBUG|INFO|WARN|ERROR|FATAL)\] \[[\d.]+\] \[grounder\]: ")


def start(processes: list[Process], folder: Path, *values: str, **changed: str | None) -> Process:
    parameters = [part for value in values for part in ("-p", value)]
    process = Process(folder, "-c", GROUNDER, "--ros-args", *parameters, **changed)
    processes.append(process)
    return process


def call(client: Client, kind: Any, name: str, request: Any) -> Any:
    return client.ask(client.node.create_client(kind, f"grounder/{name}"), request)


def set_values(client: Client, **values: Any) -> Any:
    changes = [one.to_parameter_msg() for one in overrides(**values)]
    request = SetParameters.Request(parameters=changes)
    return call(client, SetParameters, "set_parameters", request).results


def test_services_are_answered_while_the_model_loads(
    processes: list[Process], client: Client, tmp_path: Path
) -> None:
    process = start(processes, tmp_path, "model:=endless")
    process.wait_for("loading for ever")
    state = call(client, GetState, "get_state", GetState.Request()).current_state
    assert state.label == "configuring"
    values = call(client, GetParameters, "get_parameters", GetParameters.Request(names=["model"]))
    assert values.values[0].string_value == "endless"
    changes = [one.to_parameter_msg() for one in overrides(threshold=0.6, model="other")]
    answers = call(
        client, SetParameters, "set_parameters", SetParameters.Request(parameters=changes)
    )
    threshold, model = answers.results
    assert threshold.successful
    assert not model.successful
    assert "needs a reconfigure" in model.reason
    client.wait_for_status("meanwhile", state="unconfigured")
    assert process.end(signal.SIGINT) == 0, process.output()


def test_every_line_says_who_speaks_and_how_serious_it_is(
    processes: list[Process], client: Client, tmp_path: Path
) -> None:
    process = start(processes, tmp_path, "model:=endless")
    process.wait_for("a library warns")
    process.wait_for("loading for ever")
    lines = [line for line in process.output().splitlines() if line != "loading for ever"]
    strange = [line for line in lines if not LINE.match(line)]
    assert strange == []
    found = {LINE.sub(r"\1 ", line) for line in lines}
    assert "INFO loading model 'endless' ..." in found
    assert "INFO building an engine of two lines" in found
    assert any(line.startswith("WARN ") and "a library warns" in line for line in found)


def test_the_core_speaks_in_the_name_of_the_node_once_and_on_rosout(
    processes: list[Process], client: Client, tmp_path: Path
) -> None:
    heard: list[Log] = []
    everything = QoSProfile(
        depth=100,
        durability=DurabilityPolicy.TRANSIENT_LOCAL,
        reliability=ReliabilityPolicy.RELIABLE,
    )
    client.node.create_subscription(Log, "/rosout", heard.append, everything)
    renamed = ("-r", "__ns:=/left_arm", "-r", "__node:=eyes")
    process = Process(tmp_path, "-c", GROUNDER, "--ros-args", "-p", "model:=endless", *renamed)
    processes.append(process)
    process.wait_for("loading for ever")

    def said() -> list[tuple[str, int]]:
        found = [one for one in heard if one.msg == "building an engine of two lines"]
        return [(one.name, one.level) for one in found]

    client.wait(said, "the line on /rosout")
    process.end(signal.SIGINT)
    lines = [line for line in process.output().splitlines() if "building an engine" in line]
    assert len(lines) == 1
    assert re.fullmatch(
        r"\[INFO\] \[[\d.]+\] \[left_arm\.eyes\]: building an engine of two lines", lines[0]
    )
    assert said() == [("left_arm.eyes", 20)]  # 20: INFO


def test_a_parameter_that_was_set_while_the_model_loads_holds(
    processes: list[Process], client: Client, tmp_path: Path
) -> None:
    process = start(processes, tmp_path, "model:=slow", "action:=hold")
    process.wait_for("loading slowly")
    changes = [one.to_parameter_msg() for one in overrides(threshold=0.875, action="cut_with")]
    answers = call(
        client, SetParameters, "set_parameters", SetParameters.Request(parameters=changes)
    )
    assert all(answer.successful for answer in answers.results), answers
    client.wait_for_grounder()
    result = client.next_result()
    assert result.threshold == 0.875
    assert result.action == "cut_with"


@pytest.fixture
def handler_free() -> Iterator[None]:
    root, handlers = logging.getLogger(), list(logging.getLogger().handlers)
    yield
    root.handlers[:] = handlers
    logging.captureWarnings(False)


@pytest.mark.usefixtures("handler_free")
def test_a_line_that_cannot_be_made_ends_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    class Silent:
        def warning(self, line: str) -> None:
            raise RuntimeError("no log any more")

    log_libraries(Silent())
    logging.getLogger("some.library").warning("hello")


@pytest.mark.usefixtures("handler_free")
def test_lines_of_many_threads_come_once_each_with_their_severity(
    context: Context, log: Callable[[], list[tuple[str, str]]]
) -> None:
    node = Node("talker", context=context)
    log_libraries(node.get_logger())
    log_libraries(node.get_logger())  # As where a second node is made in the process.
    core = logging.getLogger("affordance_grounding_core.some.module")
    levels = {"DEBUG": "", "INFO": "info", "WARNING": "warn", "ERROR": "error"}

    def talk(thread: int) -> None:
        for number in range(20):
            for level in levels:
                core.log(logging.getLevelName(level), "%d %d %s", thread, number, level)

    threads = [threading.Thread(target=talk, args=(number,), daemon=True) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(DEADLINE)
    assert not any(thread.is_alive() for thread in threads)
    node.destroy_node()
    expected = {
        (severity, f"{thread} {number} {level}")
        for thread in range(8)
        for number in range(20)
        for level, severity in levels.items()
        if severity
    }
    found = [line for line in log() if line[1].endswith(tuple(levels))]
    assert len(found) == len(expected)
    assert set(found) == expected


HOMES = {
    "no home": {"HOME": None},
    "a home that is the root": {"HOME": "/"},
    "a home that is missing": {"HOME": "/proc/no/home"},
    "a log folder that cannot be made": {"ROS_LOG_DIR": "/proc/no/log"},
}


@pytest.mark.parametrize("case", HOMES)
def test_the_node_starts_whatever_its_home_is(
    processes: list[Process], client: Client, tmp_path: Path, case: str
) -> None:
    process = start(processes, tmp_path, TMPDIR=str(tmp_path), **HOMES[case])
    client.wait_for_grounder()
    assert process.end(signal.SIGINT) == 0, process.output()
    assert "Traceback" not in process.output()


STRANGER = 54321
"""A user that the system knows nothing of, as containers are started with `--user`."""


@functools.cache
def stranger_python() -> tuple[str, ...]:
    """Command of a Python that such a user may run; empty where there is none."""
    if os.geteuid() != 0 or shutil.which("setpriv") is None:
        return ()
    drop = ("setpriv", f"--reuid={STRANGER}", f"--regid={STRANGER}", "--clear-groups")
    drop += ("--inh-caps=-all", "--bounding-set=-all")
    version = f"python{sys.version_info[0]}.{sys.version_info[1]}"
    for python in (sys.executable, f"/usr/bin/{version}"):
        path = os.pathsep.join(filter(None, [str(REPOSITORY), *sys.path]))
        finished = subprocess.run(
            [*drop, python, "-c", "import rclpy, numpy, affordance_grounding_ros.msg"],
            env={**os.environ, "PYTHONPATH": path},
            capture_output=True,
            check=False,
        )
        if finished.returncode == 0:
            return (*drop, python)
    return ()


@pytest.fixture
def open_folder() -> Iterator[Path]:
    """A folder that every user may write, as /tmp is; pytest's own are for one user."""
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o777)
        yield Path(folder)


@pytest.mark.parametrize("home", [None, "/", "/root"], ids=["none", "the root", "another's"])
def test_the_node_starts_for_a_user_that_nobody_knows(
    processes: list[Process], tmp_path: Path, open_folder: Path, home: str | None
) -> None:
    if not stranger_python():
        pytest.skip(
            "only root can start a process as another user, by setpriv and a Python that "
            "this user may read"
        )
    # Without a model: the import of PyTorch alone takes its time. Nor is anything heard of this
    # node here, because processes of two users share no memory.
    module = ("-m", "affordance_grounding_ros.grounder_node")
    arguments = ("--ros-args", "-p", "autostart:=false")
    process = Process(
        tmp_path,
        *module,
        *arguments,
        python=stranger_python(),
        HOME=home,
        TMPDIR=str(open_folder),
    )
    processes.append(process)
    process.wait_for("waiting for a lifecycle manager")
    assert process.end(signal.SIGINT) == 0, process.output()
    assert f"logs are kept in {open_folder}/" in process.output()
    assert "Traceback" not in process.output()
    assert [line for line in process.output().splitlines() if not LINE.match(line)] == []


@pytest.mark.parametrize("main", [grounder_main, player_main])
def test_programs_say_how_they_are_used(main: Any, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["program", "--help"]) == 0
    said = capsys.readouterr().out
    assert "--ros-args -" in said
    assert "Parameters" in said
    assert main(["program", "--version"]) == 0
    assert capsys.readouterr().out.split()[-1] == __version__


def test_an_argument_that_is_not_known_is_refused_with_the_way(
    processes: list[Process], tmp_path: Path
) -> None:
    process = Process(tmp_path, "-c", GROUNDER, "--model", "default")
    processes.append(process)
    assert process.process.wait(DEADLINE) == 1
    assert "argument '--model' is not known" in process.output()
    assert "-p action:=hold" in process.output()
