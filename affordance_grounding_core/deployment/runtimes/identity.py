"""What an engine depends on, as plain values: weights, code, input, libraries, device."""

from __future__ import annotations

import hashlib
import sys
from dataclasses import asdict
from functools import lru_cache
from pathlib import Path
from typing import Any

import torch
from torch import nn

from affordance_grounding_core import __version__
from affordance_grounding_core.deployment.runtimes.base import Backend, Candidate, Work

_PACKAGE = Path(__file__).parents[2]
_CODE = ("backbones/*.py", "deployment/*.py", "deployment/runtimes/*.py")


def engine_identity(
    backend: Backend, work: Work, *, weights: str, preprocess: Any, frames: str
) -> dict[str, Any]:
    """Everything that must be the same for a stored engine to be used.

    Args:
        backend: that builds it.
        work: it is built for.
        weights: see `network_fingerprint`.
        preprocess: config of the grounder, a dataclass.
        frames: fingerprint of the pictures it is calibrated and gated on.
    """
    return {
        "runtime": work.candidate.runtime,
        "precision": work.candidate.precision,
        "variant": work.candidate.variant,
        "weights_sha256": weights,
        "input": asdict(work.shape),
        "preprocess": asdict(preprocess),
        "frames_sha256": frames,
        "options": dict(backend.options(work.candidate)),
        "environment": dict(backend.environment()),
        "package": __version__,
        "code_sha256": code_fingerprint(type(work.network).__module__),
    }


def engine_slot(weights: str, candidate: Candidate, work: Work) -> str:
    """Name of the folder an engine is kept in, below the store."""
    shape = work.shape
    return f"{weights[:16]}/{candidate.name}-{shape.height}x{shape.width}-{shape.actions}"


def network_fingerprint(network: nn.Module) -> str:
    """sha256 of the structure of a network and all its weights and buffers, hexadecimal."""
    digest = hashlib.sha256(repr(network).encode())
    for name, value in sorted({**dict(network.named_parameters()), **_buffers(network)}.items()):
        plain = value.detach().cpu().contiguous()
        digest.update(f"{name} {tuple(plain.shape)} {plain.dtype} ".encode())
        digest.update(plain.flatten().view(torch.uint8).numpy().data)
    return digest.hexdigest()


@lru_cache(maxsize=8)
def code_fingerprint(module: str) -> str:
    """sha256 of the source that decides what an engine computes, hexadecimal.

    Args:
        module: that the network is written in; all files beside it count.
    """
    own = getattr(sys.modules[module], "__file__", None)
    paths = {path for pattern in _CODE for path in _PACKAGE.glob(pattern)}
    if own:
        paths |= set(Path(own).parent.glob("*.py"))
    digest = hashlib.sha256()
    for path in sorted(paths):
        digest.update(path.name.encode())
        digest.update(path.read_bytes())
    return digest.hexdigest()


def _buffers(network: nn.Module) -> dict[str, torch.Tensor]:
    return dict(network.named_buffers())
