"""The nodes as processes: they end cleanly when told to, whatever they are doing."""

from __future__ import annotations

import signal
import time
from pathlib import Path

import cv2
import numpy as np
import pytest
from lifecycle_msgs.msg import Transition
from lifecycle_msgs.srv import ChangeState, GetState
from node_programs import GROUNDER, Process
from ros_support import DEADLINE, Client

SIGNALS = [signal.SIGINT, signal.SIGTERM]


@pytest.mark.parametrize("number", SIGNALS, ids=["SIGINT", "SIGTERM"])
def test_the_grounder_ends_cleanly_at_work(
    processes: list[Process], client: Client, tmp_path: Path, number: int
) -> None:
    process = Process(tmp_path, "-c", GROUNDER, "--ros-args", "-p", "action:=hold")
    processes.append(process)
    client.wait_for_grounder()
    client.next_result()
    client.show()
    assert process.end(number) == 0, process.output()
    assert "Traceback" not in process.output()
    assert "ERROR" not in process.output()


# States that a process can be in when it is told to end, with the parameters that lead there and
# the line that says it is there.
STATES = {
    "unconfigured": (("autostart:=false",), "waiting for a lifecycle manager"),
    "configuring": (("model:=slow",), "loading slowly"),
    "configuring for ever": (("model:=endless",), "loading for ever"),
    "failed": (("threshold:=high",), "autostart stopped in state 'unconfigured'"),
    "inactive": (("qos_overrides./image.subscription.reliability:=perfect",), "cannot activate"),
    "active": ((), "active"),
    "with a goal": (("action:=hold",), "active"),
}


@pytest.mark.parametrize("number", SIGNALS, ids=["SIGINT", "SIGTERM"])
@pytest.mark.parametrize("state", STATES)
def test_the_grounder_ends_cleanly_in_every_state(
    processes: list[Process], tmp_path: Path, state: str, number: int
) -> None:
    parameters, line = STATES[state]
    values = [part for parameter in parameters for part in ("-p", parameter)]
    process = Process(tmp_path, "-c", GROUNDER, "--ros-args", *values)
    processes.append(process)
    process.wait_for(line)
    assert process.end(number) == 0, process.output()
    assert "Traceback" not in process.output()


@pytest.mark.parametrize("transitions", ["inactive", "finalized"])
@pytest.mark.parametrize("number", SIGNALS, ids=["SIGINT", "SIGTERM"])
def test_the_grounder_ends_cleanly_where_a_manager_led_it(
    processes: list[Process], client: Client, tmp_path: Path, transitions: str, number: int
) -> None:
    process = Process(tmp_path, "-c", GROUNDER, "--ros-args", "-p", "autostart:=false")
    processes.append(process)
    service = client.node.create_client(ChangeState, "grounder/change_state")
    client.wait(service.service_is_ready, "the node")
    # Its answer shows that the node has discovered this process, too.
    client.ask(client.node.create_client(GetState, "grounder/get_state"), GetState.Request())
    steps = {
        "inactive": [Transition.TRANSITION_CONFIGURE],
        "finalized": [Transition.TRANSITION_UNCONFIGURED_SHUTDOWN],
    }
    for step in steps[transitions]:
        request = ChangeState.Request()
        request.transition.id = step
        future = service.call_async(request)
        client.wait(future.done, "the transition")
        assert future.result().success
    process.wait_for(transitions)
    assert process.end(number) == 0, process.output()
    assert "Traceback" not in process.output()


def test_a_signal_while_the_model_hangs_ends_the_process_in_bounded_time(
    processes: list[Process], client: Client, tmp_path: Path
) -> None:
    process = Process(
        tmp_path, "-c", GROUNDER, "--ros-args", "-p", "action:=hold", "-p", "model:=hanging"
    )
    processes.append(process)
    client.wait_for_grounder()
    client.wait(lambda: "hangs now" in process.output(), "the model to be at work", client.show)
    assert process.end(signal.SIGTERM) == 1, process.output()
    assert "did not finish its image within 0.5 s" in process.output()
    assert "ending although these threads hang: inference" in process.output()
    assert "Traceback" not in process.output()


HANGING = """
import sys, threading
from rclpy.node import Node
from affordance_grounding_ros.common.process import run_node

class Own(Node):
    def __init__(self):
        super().__init__("grounder")

    def close(self):
        pass

def run(host):
    host.make(Own)
    threading.Thread(target=threading.Event().wait, name="endless").start()

sys.exit(run_node("grounder", run, sys.argv))
"""


def test_the_last_line_is_in_the_name_that_the_node_was_given(
    processes: list[Process], tmp_path: Path
) -> None:
    renamed = ("--ros-args", "-r", "__ns:=/robot", "-r", "__node:=eye")
    process = Process(tmp_path, "-c", HANGING, *renamed)
    processes.append(process)
    assert process.process.wait(DEADLINE) == 1
    assert "[robot.eye]: ending although these threads hang: endless" in process.output()


def test_two_signals_end_the_grounder_once(
    processes: list[Process], client: Client, tmp_path: Path
) -> None:
    process = Process(tmp_path, "-c", GROUNDER, "--ros-args", "-p", "action:=hold")
    processes.append(process)
    client.wait_for_grounder()
    process.process.send_signal(signal.SIGINT)
    assert process.end(signal.SIGINT) == 0, process.output()
    assert "Traceback" not in process.output()


# Sends itself a signal at every line of the code that makes, spins and ends the node: also at the
# lines where another one has just been noticed.
SIGNALLED = """
import os, signal, sys
from affordance_grounding_ros.common import process

FIRST = {first!r}
seen = False

def at_line(frame, event, argument):
    global seen
    if event == "line" and frame.f_code.co_filename == process.__file__:
        seen = seen or frame.f_code.co_name == FIRST
        if seen:
            os.kill(os.getpid(), signal.{number})
    return at_line

sys.settrace(at_line)
"""


@pytest.mark.parametrize("number", ["SIGINT", "SIGTERM"])
@pytest.mark.parametrize("first", ["make", "spin", "close", "_leave_hanging_threads"])
def test_signals_at_every_line_end_the_grounder_once(
    processes: list[Process], tmp_path: Path, first: str, number: str
) -> None:
    program = SIGNALLED.format(first=first, number=number) + GROUNDER
    process = Process(tmp_path, "-c", program, "--ros-args", "-p", "action:=hold")
    processes.append(process)
    if first in ("close", "_leave_hanging_threads"):
        process.wait_for("active")
        process.process.send_signal(signal.SIGINT)
    assert process.process.wait(DEADLINE) == 0, process.output()
    assert "Traceback" not in process.output()


def test_a_stream_of_signals_ends_the_grounder_once(
    processes: list[Process], client: Client, tmp_path: Path
) -> None:
    process = Process(tmp_path, "-c", GROUNDER, "--ros-args", "-p", "action:=hold")
    processes.append(process)
    client.wait_for_grounder()
    deadline = time.monotonic() + DEADLINE
    while process.process.poll() is None:
        assert time.monotonic() < deadline, process.output()
        process.process.send_signal(signal.SIGINT)
        process.process.send_signal(signal.SIGTERM)
        time.sleep(0.001)
    assert process.process.returncode == 0, process.output()
    assert "Traceback" not in process.output()


def test_wrong_values_on_the_command_line_are_reported_and_the_node_stays(
    processes: list[Process], client: Client, tmp_path: Path
) -> None:
    values = ("-p", "threshold:=high", "-p", "image_timeout:=-3")
    process = Process(tmp_path, "-c", GROUNDER, "--ros-args", *values)
    processes.append(process)
    process.wait_for("parameter 'threshold' must be a double in [0, 1], got string 'high'")
    process.wait_for("parameter 'image_timeout' must be a double in [0, 3600], got -3.0")
    client.wait_for_status("failed", state="unconfigured", level="2")
    assert process.end(signal.SIGINT) == 0
    assert "Traceback" not in process.output()


BAD_COMMAND_LINES = {
    "no such file": (("--params-file", "/no/such.yaml"), "/no/such.yaml"),
    "unknown option": (("--bogus",), "--bogus"),
    "values of two types": (("-p", "threshold:=[1, high]"), "threshold:=[1, high]"),
    "impossible name": (("-r", "__node:=9 lives"), "9 lives"),
}


@pytest.mark.parametrize("kind", BAD_COMMAND_LINES)
def test_a_command_line_that_cannot_be_read_ends_the_process_with_the_reason(
    processes: list[Process], tmp_path: Path, kind: str
) -> None:
    arguments, expectation = BAD_COMMAND_LINES[kind]
    process = Process(tmp_path, "-c", GROUNDER, "--ros-args", *arguments)
    processes.append(process)
    assert process.process.wait(DEADLINE) == 1, process.output()
    line = next(line for line in process.output().splitlines() if "FATAL" in line)
    assert "command line refused" in line
    assert expectation in line
    assert "Traceback" not in process.output()


@pytest.fixture
def photograph(tmp_path: Path) -> Path:
    path = tmp_path / "photograph.png"
    assert cv2.imwrite(str(path), np.full((20, 30, 3), 200, np.uint8))
    return path


def play(tmp_path: Path, *values: str) -> Process:
    parameters = [part for value in values for part in ("-p", value)]
    module = "affordance_grounding_ros.player.image_player"
    return Process(tmp_path, "-m", module, "--ros-args", *parameters)


@pytest.mark.parametrize("number", SIGNALS, ids=["SIGINT", "SIGTERM"])
def test_the_player_ends_cleanly(
    processes: list[Process], tmp_path: Path, photograph: Path, number: int
) -> None:
    process = play(tmp_path, f"path:={photograph}")
    processes.append(process)
    process.wait_for("playing")
    assert process.end(number) == 0, process.output()
    assert "Traceback" not in process.output()


def test_the_player_ends_by_itself_after_the_last_frame(
    processes: list[Process], tmp_path: Path, photograph: Path
) -> None:
    process = play(tmp_path, f"path:={photograph}", "loop:=false")
    processes.append(process)
    assert process.process.wait(DEADLINE) == 0, process.output()


def test_the_player_says_what_it_cannot_play(processes: list[Process], tmp_path: Path) -> None:
    process = play(tmp_path, "path:=/no/such/file.png")
    processes.append(process)
    assert process.process.wait(DEADLINE) == 1
    assert "path '/no/such/file.png' does not exist" in process.output()
    assert "Traceback" not in process.output()
