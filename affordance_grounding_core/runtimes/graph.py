"""A grounding network as one static graph, the same for every runtime.

A network maps pixels and action indices to heat. The text of actions was encoded before:
its vectors are constants of the graph. Positions are interpolated for the one input size,
so that no resampling is left in the graph.
"""

from __future__ import annotations

import copy
import hashlib
import logging
import warnings
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import nn
from torch.export import ExportedProgram

from affordance_grounding_core.errors import ExportError, RuntimeUnavailableError
from affordance_grounding_core.inference.network import (
    GroundingNetwork,
    KeepsFloat32,
    KeepsFloatingPoint,
)

TOLERANCE = 1e-5
"""Largest difference of heat between the exported graph and the network itself."""

_HALVES = {"fp16": torch.float16, "bf16": torch.bfloat16}


@dataclass(frozen=True)
class GraphInput:
    """The static shape of a graph.

    Attributes:
        height: px of the network input.
        width: px of the network input.
        actions: how many actions one run answers.
        vocabulary: how many actions there are. Where one run answers them all, their indices
            are a constant of the graph and pixels its only input.
    """

    height: int
    width: int
    actions: int
    vocabulary: int

    def __post_init__(self) -> None:
        if min(self.height, self.width) < 1 or not 1 <= self.actions <= self.vocabulary:
            raise ValueError(
                "a graph needs positive sides and 1 <= actions <= vocabulary, got "
                f"{self.height} x {self.width} px, {self.actions} of {self.vocabulary} actions"
            )

    @property
    def answers_all(self) -> bool:
        """Whether one run answers the whole vocabulary."""
        return self.actions == self.vocabulary

    def example(self) -> tuple[torch.Tensor, ...]:
        """Inputs of this shape, seeded: (1, 3, h, w) float32 and, if taken, (K,) int64."""
        pixels = torch.randn(
            1, 3, self.height, self.width, generator=torch.Generator().manual_seed(0)
        )
        return (pixels,) if self.answers_all else (pixels, torch.arange(self.actions))


@dataclass(frozen=True)
class ExportedGraph:
    """A network as a graph of operators.

    Attributes:
        program: graph that PyTorch exported.
        shape: the input shape.
        operators: names of the operators it calls, sorted, each once.
        calls: how many operators it calls.
        fingerprint: sha256 of the graph without its weights, hexadecimal.
        floating: paths of the modules that int8 leaves in floating point: see
            `KeepsFloatingPoint` and `nodes_within`.
    """

    program: ExportedProgram
    shape: GraphInput
    operators: tuple[str, ...]
    calls: int
    fingerprint: str
    floating: tuple[str, ...]


class StaticNetwork(nn.Module):
    """A network with a fixed input shape and float32 at both ends.

    Args:
        network: maps (1, 3, h, w) float32 pixels and (K,) int64 indices to (K, rows, columns).
        shape: the input shape.
        precision: "fp32", "fp16" or "bf16". The latter two are casts of a copy of the
            network, see `cast_network`: no runtime has to be told.
    """

    def __init__(self, network: nn.Module, shape: GraphInput, precision: str = "fp32") -> None:
        super().__init__()
        if precision not in ("fp32", *_HALVES):
            raise ExportError(
                f"a graph is exported in one of {['fp32', *_HALVES]}, got precision {precision!r}; "
                "other precisions are the business of a runtime"
            )
        self.kind = _HALVES.get(precision, torch.float32)
        self.network = network if precision == "fp32" else cast_network(network, self.kind)
        self.register_buffer("all_actions", torch.arange(shape.vocabulary), persistent=False)
        self.eval()

    def forward(self, pixels: torch.Tensor, actions: torch.Tensor | None = None) -> torch.Tensor:
        """Compute heat.

        Args:
            pixels: (1, 3, h, w) float32, normalised.
            actions: (K,) int64 indices; None for all actions.

        Returns:
            (K, rows, columns) float32.
        """
        indices = self.all_actions if actions is None else actions
        heat: torch.Tensor = self.network(pixels.to(self.kind), indices)
        return heat.float()


def cast_network(network: nn.Module, kind: torch.dtype) -> nn.Module:
    """Copy a network into a floating point type.

    Modules that are `KeepsFloat32` stay as they are: theirs are the few numbers that 16 bits
    would spoil. What they answer, they or their callers cast.

    Args:
        network: stays as it is.
        kind: type of the copy's parameters and buffers.
    """
    copied = copy.deepcopy(network)
    for module in copied.modules():
        if isinstance(module, KeepsFloat32):
            continue
        for name, weight in module._parameters.items():
            if weight is not None and weight.is_floating_point():
                cast = weight.detach().to(kind)
                module._parameters[name] = nn.Parameter(cast, weight.requires_grad)
        for name, value in module._buffers.items():
            if value is not None and value.is_floating_point():
                module._buffers[name] = value.to(kind)
    return copied


def actions_per_run(network: GroundingNetwork, vocabulary: int) -> int:
    """How many actions one run of a graph answers.

    Args:
        network: says whether one run answers all actions.
        vocabulary: number of actions.
    """
    return vocabulary if network.answers_all_at_once else 1


def export_network(
    network: nn.Module, shape: GraphInput, precision: str = "fp32", *, check: bool = True
) -> ExportedGraph:
    """Export a network for one input shape.

    Args:
        network: network to export; see `StaticNetwork`.
        shape: the input shape.
        precision: precision of the graph; see `StaticNetwork`.
        check: whether the graph is run once and compared with the network.

    Raises:
        ExportError: the network depends on its data, or graph and network differ by more than
            `TOLERANCE`.
    """
    static = StaticNetwork(network, shape, precision)
    device = next((value.device for value in static.parameters()), torch.device("cpu"))
    static.to(device)
    inputs = tuple(value.to(device) for value in shape.example())
    with torch.no_grad(), frozen(static):
        try:
            expected = static(*inputs)  # resizes frozen positions and keeps them, as constants
            program = torch.export.export(static, inputs, strict=False)
        except Exception as error:
            raise ExportError(
                f"{type(network).__name__} cannot be exported for {shape.height} x {shape.width} "
                f"px ({type(error).__name__}: {error}); use the runtime 'eager'"
            ) from error
        graph = _describe(program, shape, static)
        if check:
            difference = float((program.module()(*inputs) - expected).abs().max())
            if not difference <= TOLERANCE:
                raise ExportError(
                    f"the exported graph of {type(network).__name__} differs from the network by "
                    f"{difference:.2g}, expected at most {TOLERANCE}; use the runtime 'eager'"
                )
    return graph


@contextmanager
def frozen(module: nn.Module) -> Iterator[None]:
    """Let no parameter of a module require gradients for a while."""
    trained = [value for value in module.parameters() if value.requires_grad]
    for value in trained:
        value.requires_grad_(False)
    try:
        yield
    finally:
        for value in trained:
            value.requires_grad_(True)


def operator_name(target: Any) -> str:
    """Name of an operator with its overload, for example "aten.linear.default"."""
    return str(target) if isinstance(target, torch._ops.OpOverload) else target.__name__


def nodes_within(program: ExportedProgram, paths: Collection[str]) -> tuple[str, ...]:
    """Names of the operators that some modules of a network call.

    Args:
        program: exported network, also after operators were decomposed.
        paths: paths of the modules, as `named_modules` gives them.
    """
    return tuple(
        node.name
        for node in program.graph.nodes
        if node.op == "call_function"
        and any(path in paths for path, _ in node.meta.get("nn_module_stack", {}).values())
    )


def _describe(program: ExportedProgram, shape: GraphInput, static: nn.Module) -> ExportedGraph:
    calls = [node for node in program.graph.nodes if node.op == "call_function"]
    digest = hashlib.sha256(program.graph_module.code.encode())
    digest.update(repr(shape).encode())
    return ExportedGraph(
        program=program,
        shape=shape,
        operators=tuple(sorted({operator_name(node.target) for node in calls})),
        calls=len(calls),
        fingerprint=digest.hexdigest(),
        floating=tuple(
            path
            for path, module in static.named_modules()
            if isinstance(module, KeepsFloatingPoint)
        ),
    )


OPSET = 20
"""ONNX operator set: the first with GELU as one operator."""


def write_onnx(network: nn.Module, shape: GraphInput, path: Path, precision: str = "fp32") -> None:
    """Write a network as one ONNX file with its weights inside.

    Inputs are `pixels` and, unless the graph answers all actions, `actions`; the output is
    `heat`. See `export_network`.

    Args:
        network: network to export; see `export_network`.
        shape: the input shape.
        path: file to write.
        precision: precision of the graph; see `export_network`.

    Raises:
        ExportError: the graph cannot be written as ONNX.
        RuntimeUnavailableError: onnxscript, which PyTorch writes ONNX with, is missing.
    """
    graph = export_network(network, shape, precision)
    names = ["pixels"] if shape.answers_all else ["pixels", "actions"]
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            logging.getLogger("onnxscript").setLevel(logging.ERROR)
            program = torch.onnx.export(
                graph.program,
                (),
                dynamo=True,
                input_names=names,
                output_names=["heat"],
                opset_version=OPSET,
                verbose=False,
            )
            if program is None:
                raise ExportError("PyTorch wrote no ONNX graph")
            program.save(str(path), external_data=False)
    except ImportError as error:
        raise RuntimeUnavailableError(
            f"PyTorch needs onnxscript to write ONNX ({error}); install it with "
            "pip install 'affordance-grounding-core[onnx]'"
        ) from error
    except Exception as error:
        raise ExportError(f"the graph cannot be written as ONNX ({error})") from error
