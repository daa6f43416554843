"""What libraries say, in the log of the node: with its name, a severity, one line each."""

from __future__ import annotations

import logging
from typing import Any

from affordance_grounding_ros.common.problem_log import one_line

OWN = "affordance_grounding_core"


class RosLogHandler(logging.Handler):
    """Hands records of Python's logging on to the log of a node.

    Args:
        logger: of rclpy.
    """

    def __init__(self, logger: Any) -> None:
        super().__init__()
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


def log_libraries(logger: Any) -> logging.Handler:
    """Send what this process's libraries log, and Python's warnings, to the log of a node.

    The core reports what it is doing; of others only warnings are of interest.

    Args:
        logger: of rclpy.

    Returns:
        The handler, for who wants to take it away again.
    """
    handler = RosLogHandler(logger)
    logging.getLogger().addHandler(handler)
    logging.getLogger(OWN).setLevel(logging.INFO)
    logging.captureWarnings(True)
    return handler
