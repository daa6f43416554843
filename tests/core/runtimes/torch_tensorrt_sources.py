"""Reads an installed torch-tensorrt as text: it cannot be imported without NVIDIA's libraries."""

from __future__ import annotations

import ast
import importlib.util
import os
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import torch
from torch.export import ExportedProgram

FOLDER_VARIABLE = "AFFORDANCE_GROUNDING_TORCH_TENSORRT"
"""Names the unpacked package where it is not installed."""


def installed_folder() -> Path | None:
    """Folder of the package torch_tensorrt, or None."""
    named = os.environ.get(FOLDER_VARIABLE)
    if named:
        return Path(named)
    found = importlib.util.find_spec("torch_tensorrt")  # finds it without importing it
    places = list(found.submodule_search_locations or ()) if found else []
    return Path(places[0]) if places else None


@dataclass(frozen=True)
class Sources:
    """The Python files of one version."""

    folder: Path

    @cached_property
    def converters(self) -> frozenset[str]:
        """Operators with a converter, such as "aten.linear.default"; packets without overload."""
        return frozenset(
            name
            for path in (self.folder / "dynamo/conversion").glob("*.py")
            for name in _decorated(path, "dynamo_tensorrt_converter")
        )

    @cached_property
    def own_decompositions(self) -> frozenset[str]:
        """Operators that torch-tensorrt takes apart by its own rules."""
        path = self.folder / "dynamo/lowering/_decompositions.py"
        return frozenset(_decorated(path, "register_torch_trt_decomposition"))

    @cached_property
    def groups(self) -> Any:
        """The module of PyTorch's decompositions it enables and disables; needs PyTorch alone."""
        path = self.folder / "dynamo/lowering/_decomposition_groups.py"
        found = importlib.util.spec_from_file_location("torch_tensorrt_decomposition_groups", path)
        assert found is not None
        assert found.loader is not None
        module = importlib.util.module_from_spec(found)
        found.loader.exec_module(module)
        return module

    def parameters(self, file: str, function: str) -> frozenset[str]:
        """Names of the parameters of a function, without those `**kwargs` would swallow."""
        tree = ast.parse((self.folder / file).read_text(encoding="utf-8"))
        (found,) = (
            node
            for node in tree.body
            if isinstance(node, ast.FunctionDef) and node.name == function
        )
        arguments = [*found.args.posonlyargs, *found.args.args, *found.args.kwonlyargs]
        return frozenset(argument.arg for argument in arguments)

    def lowered(self, program: ExportedProgram) -> set[str]:
        """Operators of a program after PyTorch's part of the lowering; attention is kept whole."""
        kept = set(self.groups.torch_disabled_decompositions) | {
            torch.ops.aten.scaled_dot_product_attention.default
        }
        rules = {**self.groups.ENABLED_TORCH_DECOMPOSITIONS, **composite_decompositions()}
        table = {operator: rule for operator, rule in rules.items() if operator not in kept}
        return {
            str(node.target)
            for node in program.run_decompositions(table).graph.nodes
            if node.op == "call_function" and isinstance(node.target, torch._ops.OpOverload)
        }

    def uncovered(self, operators: set[str]) -> set[str]:
        """Operators that neither a converter nor a decomposition of its own handles."""
        known = self.converters | self.own_decompositions
        return {
            name
            for name in operators
            if name not in known and name.rsplit(".", 1)[0] not in known and name not in REMOVED
        }


REMOVED = frozenset({"aten._assert_tensor_metadata.default", "aten.detach.default"})
"""Operators that its lowering passes remove: they compute nothing."""


def composite_decompositions() -> dict[Any, Any]:
    """PyTorch's rules for composite operators, which torch-tensorrt starts from."""
    from torch._export.utils import (
        _collect_all_valid_cia_ops_for_aten_namespace,
        _get_decomp_for_cia,
    )

    return {
        operator: _get_decomp_for_cia(operator)
        for operator in _collect_all_valid_cia_ops_for_aten_namespace()
    }


def _decorated(path: Path, decorator: str) -> Iterator[str]:
    """First arguments of a decorator in a file, without "torch.ops."."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    for node in ast.walk(tree):
        if (
            isinstance(node, ast.Call)
            and isinstance(node.func, ast.Name)
            and node.func.id == decorator
            and node.args
        ):
            yield ast.unparse(node.args[0]).removeprefix("torch.ops.")
