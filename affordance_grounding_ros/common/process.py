"""Runs a node as a process: started, told to stop and ended without a traceback."""

from __future__ import annotations

import os
import sys
import threading
import time
from collections.abc import Callable
from typing import Any, Protocol, TypeVar

import rclpy
from rclpy.executors import Executor, ExternalShutdownException
from rclpy.node import Node
from rclpy.signals import SignalHandlerOptions

from affordance_grounding_core.errors import AffordanceGroundingError
from affordance_grounding_core.files import choose_log_folder
from affordance_grounding_ros.common.command_line import Program
from affordance_grounding_ros.common.compatibility import shut_down_ros
from affordance_grounding_ros.common.library_log import RosLogHandler, log_libraries
from affordance_grounding_ros.common.problem_log import one_line
from affordance_grounding_ros.common.signals import StopSignals

ABANDONED = "loading"
"""Beginning of the names of threads that need not finish before the process ends."""


class ClosableNode(Protocol):
    """A node that lets go of what it holds."""

    def get_logger(self) -> Any:
        """The node's own log."""
        ...

    def close(self) -> None:
        """Free everything but the node itself."""
        ...

    def destroy_node(self) -> None:
        """Free the node."""
        ...


OwnNode = TypeVar("OwnNode", bound=ClosableNode)


class NodeRefusedError(AffordanceGroundingError, RuntimeError):
    """A node that the middleware does not make."""


class Host:
    """The process around a node.

    Args:
        name: speaks in the log until there is a node.
        signals: tell when the process is to end.
        library_log: hands on what libraries log.

    Attributes:
        speaker: name in the log of what the process says: the last node's, which may have been
            given another name or a namespace.
    """

    def __init__(self, name: str, signals: StopSignals, library_log: RosLogHandler) -> None:
        self.speaker = name
        self._signals = signals
        self._library_log = library_log
        self._nodes: list[ClosableNode] = []

    @property
    def stopped(self) -> bool:
        """Whether the process is to end."""
        return self._signals.requested or not rclpy.ok()

    def make(self, kind: Callable[[], OwnNode]) -> OwnNode:
        """Make a node that is closed and destroyed at the end; libraries log in its name.

        Args:
            kind: makes it.

        Raises:
            NodeRefusedError: the middleware makes no node, for example for its security.
        """
        try:
            node = kind()
        except RuntimeError as error:  # rclpy's own are of this kind.
            if self.stopped:
                raise
            raise NodeRefusedError(
                one_line(f"no node can be made: {type(error).__name__}: {error}")
            ) from error
        self._nodes.append(node)
        self.speaker = node.get_logger().name
        self._library_log.speak_as(node.get_logger())
        return node

    def spin(self, node: Node, report: Callable[[Exception], object]) -> None:
        """Spin a node until the process is to end, whatever its callbacks raise.

        Args:
            node: node to spin.
            report: called with what a callback raised.
        """
        executor = rclpy.get_global_executor()
        executor.add_node(node)
        while not self.stopped:
            if error := self._spun(executor):
                report(error)
                time.sleep(0.1)  # What goes wrong all the time must not use the processor up.
        executor.remove_node(node)

    def spin_once(self, node: Node) -> None:
        """Spin a node until one of its callbacks has been run, or the process is to end.

        Args:
            node: node to spin.
        """
        executor = rclpy.get_global_executor()
        executor.add_node(node)
        executor.spin_once_until_future_complete(self._signals.future())

    def _spun(self, executor: Executor) -> Exception | None:
        """Spins until something is raised, and gives it unless that is the end."""
        try:
            executor.spin_until_future_complete(self._signals.future())
        except Exception as error:
            return None if self.stopped else error
        return None

    def close(self) -> None:
        """Close and destroy the nodes."""
        for node in self._nodes:
            node.close()
            node.destroy_node()


def run_program(
    program: Program,
    run: Callable[[Host], None],
    args: list[str] | None,
    refusals: tuple[type[Exception], ...] = (),
) -> int:
    """Run a node's program: answer `--help` and `--version`, refuse what is not known, or run.

    Args:
        program: says what it is.
        run: what the program does, as in `run_node`.
        args: command line, as in `run_node`.
        refusals: errors that end the process, as in `run_node`.

    Returns:
        Exit code, as in `run_node`.
    """
    if said := program.answer(args):
        print(said)
        return 0
    if refusal := program.refusal(args):
        fatal(program.node, f"command line refused: {refusal}")
        return 1
    return run_node(program.node, run, args, refusals)


def run_node(
    name: str,
    run: Callable[[Host], None],
    args: list[str] | None,
    refusals: tuple[type[Exception], ...] = (),
) -> int:
    """Run a node until it ends, or until SIGINT or SIGTERM.

    Args:
        name: name of the node, for its log.
        run: has the host make the node and spin it.
        args: command line, the process's own where None.
        refusals: errors that end the process with their message alone.

    Returns:
        Exit code: 0 after SIGINT, SIGTERM and an ordinary end; 1 after a refusal, and where the
        command line or a parameter file cannot be read or the middleware makes no node.
    """
    refused: tuple[type[Exception], ...] = (NodeRefusedError, *refusals)
    with StopSignals() as signals:
        warning = choose_log_folder()
        try:
            rclpy.init(args=args, signal_handler_options=SignalHandlerOptions.NO)
        except Exception as error:
            fatal(name, one_line(f"command line refused: {type(error).__name__}: {error}"))
            return 1
        library_log = log_libraries(rclpy.logging.get_logger(name))
        if warning:
            rclpy.logging.get_logger(name).warning(warning)
        host = Host(name, signals, library_log)
        try:
            run(host)
        except ExternalShutdownException:
            pass
        except refused as error:
            fatal(host.speaker, str(error))
            return 1
        except Exception:
            # Whatever fails once the context is down, fails because it is down.
            if rclpy.ok():
                raise
        finally:
            host.close()
            shut_down_ros()
            _leave_hanging_threads(host.speaker)
    return 0


def fatal(name: str, message: str) -> None:
    """Log the one line a process ends with.

    Args:
        name: name of the node.
        message: names the thing, what was expected, what came, and the fix.
    """
    rclpy.logging.get_logger(name).fatal(message)


def _leave_hanging_threads(name: str) -> None:
    """Ends the process where a thread would keep it alive for ever; `close` has waited for it.

    Thread pools, as libraries leave them behind, end with the interpreter by themselves.
    """
    main = threading.main_thread()
    threads = [thread for thread in threading.enumerate() if thread is not main]
    hanging = [
        thread.name
        for thread in threads
        if not thread.daemon and not thread.name.startswith("ThreadPool")
    ]
    # What is half loaded has begun threads that nobody ends.
    abandoned = any(thread.name.startswith(ABANDONED) for thread in threads)
    if not hanging and not abandoned:
        return
    if not abandoned:
        names = ", ".join(hanging)
        log = rclpy.logging.get_logger(name)
        log.error(f"ending although these threads hang: {names}")
    # The interpreter's own end would wait for such threads, or pull it from under their feet.
    sys.stdout.flush()
    os._exit(0 if abandoned else 1)
