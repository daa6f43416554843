"""Parameters as a table: declared, validated before they apply, refused with the reason."""

from __future__ import annotations

import copy
import difflib
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from rcl_interfaces.msg import (
    FloatingPointRange,
    IntegerRange,
    ParameterDescriptor,
    SetParametersResult,
)
from rclpy.node import Node
from rclpy.parameter import Parameter

from affordance_grounding_core.actions.vocabulary import abbreviate
from affordance_grounding_ros.common.compatibility import keep_parameter_types
from affordance_grounding_ros.common.problem_log import ProblemLog

Value = bool | int | float | str

MAXIMUM_TEXT_LENGTH = 4096
"""Longest value of a text parameter, in characters."""


class ParameterError(ValueError):
    """A parameter value that is not acceptable; the message says what would be."""


@dataclass(frozen=True)
class ParameterSpecification:
    """One row of a parameter table.

    Attributes:
        name: name of the parameter.
        default: value where none is given; its type is the parameter's type.
        description: one sentence or two for `ros2 param describe`, docs/robot/parameters.md and the
            YAML file.
        minimum: least number allowed, inclusive.
        maximum: greatest number allowed, inclusive.
        one_of: the only texts allowed; any where empty.
        read_only: fixed at the start of the process.
        needs_reconfigure: takes effect when the node is configured, and is refused afterwards.
    """

    name: str
    default: Value
    description: str
    minimum: float | None = None
    maximum: float | None = None
    one_of: tuple[str, ...] = ()
    read_only: bool = False
    needs_reconfigure: bool = False

    def __post_init__(self) -> None:
        self.validate(self.default)

    @property
    def type_name(self) -> str:
        """Type as ROS calls it: "bool", "integer", "double" or "string"."""
        names = {bool: "bool", int: "integer", float: "double", str: "string"}
        return names[type(self.default)]

    @property
    def constraints(self) -> str:
        """Requirement on a value beyond its type, in words; empty if anything goes."""
        if self.one_of:
            return f"one of {list(self.one_of)}"
        if self.minimum is not None and self.maximum is not None:
            return f"in [{self.minimum:g}, {self.maximum:g}]"
        if self.minimum is not None:
            return f"at least {self.minimum:g}"
        return "" if self.maximum is None else f"at most {self.maximum:g}"

    @property
    def when(self) -> str:
        """When a change takes effect, in words."""
        if self.read_only:
            return "only at the start"
        return "at the next configuration" if self.needs_reconfigure else "at once"

    def brought(self, value: object) -> object:
        """A whole number as a double where a double is expected, or as the text that it is one of.

        Args:
            value: unchecked value of a command line, a file or a service call.

        Returns:
            Anything else as it is. YAML, and with it `-p image_turn:=90`, makes numbers of digits.
        """
        if type(value) is not int:
            return value
        if isinstance(self.default, float):
            return float(value)
        return str(value) if str(value) in self.one_of else value

    def validate(self, value: object) -> Value:
        """Check a value and bring it to the parameter's type.

        Args:
            value: unchecked value of a command line, a file or a service call.

        Returns:
            The value, with whole numbers as `brought` makes them.

        Raises:
            ParameterError: wrong type, not finite, out of range or not one of the choices.
        """
        value = self.brought(value)
        if type(value) is not type(self.default):
            raise ParameterError(
                f"parameter '{self.name}' must be {self._expected()}, got "
                f"{_type_of(value)} {abbreviate(str(value))}; for example {self.default!r}"
            )
        accepted: Value = value
        if isinstance(accepted, str):
            self._validate_text(accepted)
        elif not self._in_range(accepted):
            raise ParameterError(
                f"parameter '{self.name}' must be {self._expected()}, got {accepted}"
            )
        return accepted

    def problem(self, value: object) -> str:
        """Reason for which `validate` would refuse a value; empty if it is acceptable.

        Args:
            value: unchecked value, as in `validate`.
        """
        try:
            self.validate(value)
        except ParameterError as error:
            return str(error)
        return ""

    def descriptor(self) -> ParameterDescriptor:
        """For `ros2 param describe`.

        Typing is dynamic, because rclpy otherwise ends the process when a value given at the
        start has the wrong type; `validate` checks the type instead, with a better message.
        """
        return ParameterDescriptor(
            name=self.name,
            description=f"{self.description} Takes effect {self.when}.",
            additional_constraints=self._expected(),
            read_only=self.read_only,
            dynamic_typing=True,
        )

    def described(self, descriptor: ParameterDescriptor) -> ParameterDescriptor:
        """A descriptor with the range of numbers, for tools that draw sliders.

        rclpy gets no range: it would end the process for a value out of range at the start, and
        refuse one later without saying what the parameter is for.

        Args:
            descriptor: what `descriptor` returned; left as it is.
        """
        if self.minimum is None or self.maximum is None:
            return descriptor
        told = copy.deepcopy(descriptor)
        if isinstance(self.default, float):
            limits = FloatingPointRange(from_value=self.minimum, to_value=self.maximum)
            told.floating_point_range = [limits]
        else:
            limits = IntegerRange(from_value=int(self.minimum), to_value=int(self.maximum))
            told.integer_range = [limits]
        return told

    def _expected(self) -> str:
        article = "an" if self.type_name == "integer" else "a"
        return f"{article} {self.type_name} {self.constraints}".rstrip()

    def _in_range(self, value: float) -> bool:
        above = self.minimum is None or value >= self.minimum
        below = self.maximum is None or value <= self.maximum
        return math.isfinite(value) and above and below

    def _validate_text(self, value: str) -> None:
        if self.one_of and value not in self.one_of:
            raise ParameterError(
                f"parameter '{self.name}' must be {self.constraints}, got {abbreviate(value)}"
            )
        if len(value) > MAXIMUM_TEXT_LENGTH or not value.isprintable():
            raise ParameterError(
                f"parameter '{self.name}' must be printable text of at most "
                f"{MAXIMUM_TEXT_LENGTH} characters, got {len(value)} characters: "
                f"{abbreviate(value)}"
            )


def _type_of(value: object) -> str:
    names = {bool: "bool", int: "integer", float: "double", str: "string", type(None): "no value"}
    return names.get(type(value), type(value).__name__)


class ParameterTable:
    """The parameters of one node.

    Args:
        specifications: one for each parameter.

    Raises:
        ValueError: a name that occurs twice.
    """

    def __init__(self, specifications: Sequence[ParameterSpecification]) -> None:
        self.specifications = {row.name: row for row in specifications}
        if len(self.specifications) != len(specifications):
            raise ValueError("a parameter is in the table twice; names must be unique")

    def declare(self, node: Node, given: Mapping[str, Any]) -> None:
        """Declare every parameter, and warn about values given for parameters that do not exist.

        A value given at the start is kept even if it is not acceptable, and `read` refuses it:
        the node comes up, says what is wrong, and can be put right.

        Args:
            node: node to declare the parameters on.
            given: values the node was started with, by name.
        """
        keep_parameter_types(node, self._brought)
        for row in self.specifications.values():
            value = row.brought(given.get(row.name, row.default))
            node.declare_parameter(row.name, value, row.descriptor(), ignore_override=True)
        for name in given:
            if node.has_parameter(name) or name.startswith("qos_overrides."):
                continue
            closest = difflib.get_close_matches(name, self.specifications, n=1)
            hint = f"did you mean '{closest[0]}'?" if closest else "see `ros2 param list`"
            node.get_logger().warning(
                f"parameter {abbreviate(name)} does not exist and has no effect; {hint}"
            )

    def described(self, name: str, descriptor: ParameterDescriptor) -> ParameterDescriptor:
        """A descriptor as it is told to other nodes, with ranges.

        Args:
            name: name of any parameter of the node.
            descriptor: rclpy's own descriptor.
        """
        row = self.specifications.get(name)
        return row.described(descriptor) if row else descriptor

    def _brought(self, name: str, value: object) -> object:
        row = self.specifications.get(name)
        return row.brought(value) if row else value

    def read(self, node: Node) -> dict[str, Value]:
        """Take all values.

        Returns:
            Validated values by name.

        Raises:
            ParameterError: names every value that is not acceptable.
        """
        given = {name: node.get_parameter(name).value for name in self.specifications}
        problems = [self.specifications[name].problem(value) for name, value in given.items()]
        if any(problems):
            raise ParameterError("; ".join(filter(None, problems)))
        return {name: self.specifications[name].validate(value) for name, value in given.items()}

    def check_change(
        self, changes: Sequence[Parameter[Any]], in_use: Mapping[str, Value] | None
    ) -> dict[str, Value]:
        """Validate a change before it applies.

        Args:
            changes: parameters that rclpy hands over; those not in the table are left alone.
            in_use: values the node was configured with; None while it is not configured.

        Returns:
            Validated values by name, of the changed parameters only.

        Raises:
            ParameterError: a value that is not acceptable, or not now.
        """
        values: dict[str, Value] = {}
        for change in changes:
            row = self.specifications.get(change.name)
            if row is None:
                continue
            value = values[row.name] = row.validate(change.value)
            if row.needs_reconfigure and in_use is not None and value != in_use[row.name]:
                raise ParameterError(
                    f"parameter '{row.name}' needs a reconfigure: deactivate and clean up the "
                    f"node (`ros2 lifecycle set NODE deactivate`, then `cleanup`), set it, then "
                    "`configure` and `activate`"
                )
        return values


def change_callback(
    apply: Callable[[Sequence[Parameter[Any]]], None], problems: ProblemLog
) -> Callable[[list[Parameter[Any]]], SetParametersResult]:
    """Make a callback for rclpy from a function that raises where a change is refused.

    Args:
        apply: validates and applies a change; raises ValueError (`ParameterError` is one)
            before it has applied anything.
        problems: gets a line for every refusal.
    """

    def on_set(changes: list[Parameter[Any]]) -> SetParametersResult:
        try:
            apply(changes)
        except ValueError as error:
            problems.report_command(f"parameters not changed: {error}")
            return SetParametersResult(successful=False, reason=str(error))
        return SetParametersResult(successful=True)

    return on_set
