"""Log of libraries in the log of the node: with its name and a severity, one line each."""

from __future__ import annotations

import logging
from typing import Any

from affordance_grounding_ros.common.problem_log import one_line

OWN = "affordance_grounding_core"


class RosLogHandler(logging.Handler):
    """Hands records of Python's logging on to the log of a node.

    Safe from any thread: rclpy waits for nothing but its own log's lock, and holds it only while
    it writes the line.

    Args:
        logger: rclpy's logger that speaks until there is a node.
    """

    def __init__(self, logger: Any) -> None:
        super().__init__()
        self._logger = logger

    def speak_as(self, logger: Any) -> None:
        """Log in another name from now on, so that `/rosout` has the lines too.

        Args:
            logger: the node's own, which knows its namespace and the name it was given.
        """
        self._logger = logger

    def emit(self, record: logging.LogRecord) -> None:
        """Log a record."""
        try:
            line = one_line(record.getMessage())
            # One place in the source for each severity: rclpy tells its callers apart by it.
            if record.levelno >= logging.ERROR:
                self._logger.error(line)
            elif record.levelno >= logging.WARNING:
                self._logger.warning(line)
            elif record.levelno >= logging.INFO:
                self._logger.info(line)
            else:
                self._logger.debug(line)
        except Exception:  # A line that cannot be made must not end what is reported.
            self.handleError(record)


def log_libraries(logger: Any) -> RosLogHandler:
    """Send what this process's libraries log, and Python's warnings, to the log of a node.

    The core reports what it is doing; of others only warnings are of interest. A second call takes
    the place of the first, so that no line comes twice.

    Args:
        logger: rclpy's logger that speaks until there is a node.

    Returns:
        What hands the lines on.
    """
    root = logging.getLogger()
    for earlier in [one for one in root.handlers if isinstance(one, RosLogHandler)]:
        root.removeHandler(earlier)
    handler = RosLogHandler(logger)
    root.addHandler(handler)
    logging.getLogger(OWN).setLevel(logging.INFO)
    logging.captureWarnings(True)
    return handler
