"""Command line of a node's program: `--help`, `--version`, and the refusal of unknown arguments."""

from __future__ import annotations

import sys
import textwrap
from collections.abc import Sequence
from dataclasses import dataclass

from rclpy.utilities import remove_ros_args

from affordance_grounding_core import __version__
from affordance_grounding_ros.common.parameters import ParameterTable

_WIDTH = 100


@dataclass(frozen=True)
class Program:
    """A node's program, for people.

    Attributes:
        name: name of the executable.
        node: name of the node, for its log.
        summary: what it does, a sentence.
        parameters: parameters of the node.
        example: arguments that show how it is used.
    """

    name: str
    node: str
    summary: str
    parameters: ParameterTable
    example: str

    def answer(self, args: Sequence[str] | None) -> str:
        """Text that answers the command line before any node is started.

        Args:
            args: command line with the program's name first; the process's own where None.

        Returns:
            Help or version where asked for; empty otherwise.
        """
        own = self._own(args)
        if {"-h", "--help"} & set(own):
            return self.help
        return f"{self.name} {__version__}" if "--version" in own else ""

    def refusal(self, args: Sequence[str] | None) -> str:
        """Why the command line is not one of this program's; empty where it is.

        Args:
            args: command line, as in `answer`.
        """
        unknown = self._own(args)
        if not unknown:
            return ""
        return (
            f"argument {unknown[0]!r} is not known; parameters and topics are given as "
            f"`--ros-args {self.example}`, and `--help` lists them"
        )

    @property
    def help(self) -> str:
        """How the program is used."""
        lines = [
            f"usage: ros2 run affordance_grounding_ros {self.name} [--help | --version] "
            "[--ros-args ...]",
            "",
            *textwrap.wrap(self.summary, _WIDTH),
            "",
            f"example: ros2 run affordance_grounding_ros {self.name} --ros-args {self.example}",
            "",
            "Parameters (`-p NAME:=VALUE`, or a YAML file by `--params-file FILE`):",
        ]
        for row in self.parameters.specifications.values():
            limits = f", {row.constraints}" if row.constraints else ""
            text = f"{row.description} ({row.type_name}{limits}; default: {row.default!r})"
            lines.append(f"  {row.name}")
            lines += textwrap.wrap(
                text, _WIDTH, initial_indent="      ", subsequent_indent="      "
            )
        return "\n".join(lines)

    def _own(self, args: Sequence[str] | None) -> list[str]:
        given = list(sys.argv if args is None else args)
        try:
            return list(remove_ros_args(given))[1:]
        except Exception:  # ROS's own arguments are wrong: its start says so.
            return []
