"""Identity of an engine: all that it depends on, as plain values.

That is the network (weights, settings, the graph it computes, the code that says so), the
input, the libraries and the device.
"""

from __future__ import annotations

import ast
import copy
import hashlib
import sys
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import torch
from torch import nn
from torch.utils._python_dispatch import TorchDispatchMode

from affordance_grounding_core.inference.network import GroundingNetwork
from affordance_grounding_core.runtimes.base import Backend, Work
from affordance_grounding_core.runtimes.graph import GraphInput, StaticNetwork, frozen

_PACKAGE = Path(__file__).parents[2]
_NAME = _PACKAGE.name
_BUILDERS = ("runtimes/**/*.py",)
_SMALL = 64
"""Numbers up to which a constant of a graph counts with its values. Larger ones are made of
weights (resized positions), which count themselves, or are indices that sizes decide."""


@dataclass(frozen=True)
class NetworkIdentity:
    """What a network is, whatever runs it.

    Attributes:
        weights_sha256: of its structure, parameters and buffers, hexadecimal.
        settings: what shapes its answer beside these.
        graph_sha256: of the operators it calls for one input shape, hexadecimal.
        code_sha256: of the source it is written in, and of what turns it into an engine.
    """

    weights_sha256: str
    settings: Mapping[str, Any]
    graph_sha256: str
    code_sha256: str

    @property
    def digest(self) -> str:
        """sha256 of weights and settings, hexadecimal: one name for a model's engines."""
        content = f"{self.weights_sha256} {sorted(self.settings.items())}"
        return hashlib.sha256(content.encode()).hexdigest()


def network_identity(network: GroundingNetwork, shape: GraphInput) -> NetworkIdentity:
    """Find out what a network is; runs it once or twice.

    Args:
        network: on any device.
        shape: the input shape.
    """
    return NetworkIdentity(
        weights_sha256=network_fingerprint(network),
        settings=network.settings(),
        graph_sha256=graph_fingerprint(network, shape),
        code_sha256=code_fingerprint(source_files(network)),
    )


def engine_identity(
    backend: Backend, work: Work, *, network: NetworkIdentity, preprocess: Any, frames: str
) -> dict[str, Any]:
    """Everything that must be the same for a stored engine to be used.

    Args:
        backend: backend that builds the engine.
        work: network and input that the engine is built for.
        network: identity of the work's network.
        preprocess: config of the grounder, a dataclass.
        frames: fingerprint of the pictures it is calibrated and gated on.
    """
    return {
        "runtime": work.candidate.runtime,
        "precision": work.candidate.precision,
        "variant": work.candidate.variant,
        **asdict(network),
        "input": asdict(work.shape),
        "preprocess": asdict(preprocess),
        "frames_sha256": frames,
        "options": dict(backend.options(work.candidate)),
        "environment": dict(backend.environment()),
    }


def engine_slot(network: NetworkIdentity, work: Work) -> str:
    """Name of the folder an engine is kept in, below the store."""
    shape = work.shape
    name = f"{work.candidate.name}-{shape.height}x{shape.width}-{shape.actions}"
    return f"{network.digest[:16]}/{name}"


def network_fingerprint(network: nn.Module) -> str:
    """sha256 of the structure of a network and all its weights and buffers, hexadecimal."""
    digest = hashlib.sha256(repr(network).encode())
    tensors = {**dict(network.named_parameters()), **dict(network.named_buffers())}
    for name, value in sorted(tensors.items()):
        digest.update(f"{name} ".encode() + _content(value))
    return digest.hexdigest()


def graph_fingerprint(network: GroundingNetwork, shape: GraphInput) -> str:
    """sha256 of the operators a network calls, their order and constants, hexadecimal.

    The network is run on a seeded input and watched, which takes one pass; exporting it would
    take seconds at every start. It is run on the processor, with a copy where it is on a GPU:
    PyTorch calls other operators there, and an engine that was built ahead is of one graph.

    Args:
        network: on any device.
        shape: the input shape.
    """
    devices = {value.device.type for value in (*network.parameters(), *network.buffers())}
    on_processor = network if devices <= {"cpu"} else copy.deepcopy(network).cpu()
    static = StaticNetwork(on_processor, shape)
    inputs = shape.example()
    known = [*static.parameters(), *static.buffers(), *inputs]
    with torch.no_grad(), frozen(static):
        static(*inputs)  # resizes positions and keeps them
        with _OperatorDigest(known) as watched:
            static(*inputs)
    return str(watched.digest.hexdigest())


class _OperatorDigest(TorchDispatchMode):
    """Watches the operators that are called.

    Args:
        known: tensors whose values count elsewhere: weights, buffers, inputs.
    """

    def __init__(self, known: Iterable[torch.Tensor]) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.digest = hashlib.sha256()
        # The tensors are kept, so that no other one takes the address of one that is gone.
        self._seen = {id(value): value for value in known}

    def __torch_dispatch__(
        self, operator: Any, types: Any, arguments: tuple[Any, ...] = (), options: Any = None
    ) -> Any:
        """Note one call and make it."""
        self.digest.update(str(operator).encode())
        for value in (*arguments, *(options or {}).items()):
            self._note(value)
        output = operator(*arguments, **(options or {}))
        for value in _tensors(output):
            self._seen[id(value)] = value
        return output

    def _note(self, value: Any) -> None:
        if isinstance(value, torch.Tensor):
            self.digest.update(f"{tuple(value.shape)} {value.dtype} ".encode())
            if id(value) not in self._seen and value.numel() <= _SMALL:
                self.digest.update(_content(value))
        elif isinstance(value, (list, tuple)):
            for one in value:
                self._note(one)
        else:
            self.digest.update(f"{value} ".encode())


def _tensors(value: Any) -> Iterator[torch.Tensor]:
    if isinstance(value, torch.Tensor):
        yield value
    elif isinstance(value, (list, tuple)):
        for one in value:
            yield from _tensors(one)


def _content(value: torch.Tensor) -> bytes:
    plain = value.detach().cpu().contiguous()
    heading = f"{tuple(plain.shape)} {plain.dtype} ".encode()
    return heading + plain.flatten().view(torch.uint8).numpy().tobytes()


def code_fingerprint(files: Iterable[Path]) -> str:
    """sha256 of the names and contents of source files, hexadecimal."""
    digest = hashlib.sha256()
    for path in sorted(files):
        digest.update(path.name.encode())
        digest.update(path.read_bytes())
    return digest.hexdigest()


def source_files(network: nn.Module) -> frozenset[Path]:
    """Files that decide what an engine of a network computes.

    Those in which the classes of its modules are written, whatever they import of this package,
    and what turns networks into engines.
    """
    files = {path for pattern in _BUILDERS for path in _PACKAGE.glob(pattern)}
    for name in {type(module).__module__ for module in network.modules()}:
        if name.partition(".")[0] == _NAME:
            files |= _closure(name)
        elif not name.startswith("torch."):  # libraries count with their versions
            own = sys.modules[name].__file__
            files |= {Path(own)} if own and "site-packages" not in own else set()
    return frozenset(files)


@lru_cache(maxsize=256)
def _closure(name: str) -> frozenset[Path]:
    """Files of a module of this package and of all that it imports of it."""
    found: dict[str, Path] = {}
    waiting = [name]
    while waiting:
        module = waiting.pop()
        path = _module_file(module)
        if module in found or path is None:
            continue
        found[module] = path
        waiting += _imports(path)
    return frozenset(found.values())


def _imports(path: Path) -> Iterator[str]:
    """Names that a file imports from this package: modules, and what may be names in them."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names if alias.name.startswith(f"{_NAME}."))
        elif isinstance(node, ast.ImportFrom) and (node.module or "").startswith(f"{_NAME}."):
            yield str(node.module)
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def _module_file(name: str) -> Path | None:
    """File of a module of this package, None for a name that is no module."""
    path = _PACKAGE.parent / Path(*name.split("."))
    for file in (path.with_suffix(".py"), path / "__init__.py"):
        if file.is_file():
            return file
    return None
