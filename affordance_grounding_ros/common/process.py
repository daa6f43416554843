"""Runs a node as a process: started, interrupted and ended without a traceback."""

from __future__ import annotations

import os
import signal
import sys
import threading
import time
from collections.abc import Callable
from typing import Protocol

import rclpy
from rclpy.executors import ExternalShutdownException
from rclpy.node import Node

from affordance_grounding_ros.common.compatibility import shut_down_ros
from affordance_grounding_ros.common.problem_log import one_line


class ClosableNode(Protocol):
    """A node that lets go of what it holds."""

    def close(self) -> None:
        """Free everything but the node itself."""
        ...

    def destroy_node(self) -> None:
        """Free the node."""
        ...


def run_node(
    name: str,
    run: Callable[[Callable[[ClosableNode], None]], None],
    args: list[str] | None,
    refusals: tuple[type[Exception], ...] = (),
) -> int:
    """Run a node until it ends, or until SIGINT or SIGTERM.

    Args:
        name: of the node, for its log.
        run: makes the node, hands it to the function it is given, and spins it.
        args: command line, the process's own where None.
        refusals: errors that end the process with their message alone.

    Returns:
        Exit code: 0 after SIGINT, SIGTERM and an ordinary end; 1 after a refusal, and where the
        command line or a parameter file cannot be read.
    """
    try:
        rclpy.init(args=args)
    except KeyboardInterrupt:
        return 0
    except Exception as error:
        fatal(name, one_line(f"command line refused: {type(error).__name__}: {error}"))
        return 1
    made: list[ClosableNode] = []
    try:
        # Made now, not by spin: a signal in the midst of making it leaves half an executor,
        # whose end is a traceback.
        rclpy.get_global_executor()
        run(made.append)
    except (KeyboardInterrupt, ExternalShutdownException):
        pass
    except refusals as error:
        fatal(name, str(error))
        return 1
    except Exception:
        # Whatever fails once the context is down, fails because it is down.
        if rclpy.ok():
            raise
    finally:
        # A second signal, as from Ctrl-C under a launch, must not break the clean-up off.
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        for node in made:
            node.close()
            node.destroy_node()
        shut_down_ros()
        _leave_hanging_threads(name)
    return 0


def fatal(name: str, message: str) -> None:
    """Log the one line a process ends with.

    Args:
        name: of the node.
        message: names the thing, what was expected, what came, and the fix.
    """
    rclpy.logging.get_logger(name).fatal(message)


def spin(node: Node, report: Callable[[Exception], object]) -> None:
    """Spin a node for as long as the process lives, whatever its callbacks raise.

    Args:
        node: to spin.
        report: called with what a callback raised.

    Raises:
        ExternalShutdownException: the process is to end.
        KeyboardInterrupt: likewise.
    """
    while not _spun(node, report):
        time.sleep(0.1)  # What goes wrong all the time must not use the processor up.


def _spun(node: Node, report: Callable[[Exception], object]) -> bool:
    """Spins until something is raised, and says whether that is the end."""
    try:
        rclpy.spin(node)
    except ExternalShutdownException:
        raise
    except Exception as error:
        if not rclpy.ok():
            raise
        report(error)
        return False
    return True


def _leave_hanging_threads(name: str) -> None:
    """Ends the process where a thread would keep it alive for ever; `close` has waited for it.

    Thread pools, as libraries leave them behind, end with the interpreter by themselves.
    """
    main = threading.main_thread()
    hanging = [
        thread
        for thread in threading.enumerate()
        if thread is not main and not thread.daemon and not thread.name.startswith("ThreadPool")
    ]
    if not hanging:
        return
    names = ", ".join(thread.name for thread in hanging)
    print(f"{name}: ending although these threads hang: {names}", file=sys.stderr, flush=True)
    sys.stdout.flush()
    os._exit(1)
