"""Weights of OpenAI's CLIP ViT-B/16: from a file, the cache or their publisher."""

from __future__ import annotations

import warnings
from pathlib import Path

import torch

from affordance_grounding_core.backbones.pinned_files import cached_file
from affordance_grounding_core.backbones.table import CLIP_VITB16
from affordance_grounding_core.backbones.weights import read_weights
from affordance_grounding_core.errors import WeightsError
from affordance_grounding_core.files import file_digest

_DESCRIPTIONS = ("input_resolution", "context_length", "vocab_size")
"""Entries of the published file that are no weights."""


def load_clip_tensors(path: Path | None = None) -> dict[str, torch.Tensor]:
    """Read the weights of both encoders.

    Args:
        path: a state dict in open_clip's names (.safetensors, .pth, .bin) or the published
            ViT-B-16.pt; the cached or published file where None.

    Returns:
        Tensors by open_clip's names, float32.

    Raises:
        WeightsError: the file cannot be fetched, verified or read.
    """
    if path is None:
        return _read_published(cached_file(CLIP_VITB16))
    if path.is_file() and path.suffix == ".pt" and file_digest(path) == CLIP_VITB16.sha256:
        return _read_published(path)
    tensors = read_weights(path)
    return {name: value.float() for name, value in tensors.items() if name not in _DESCRIPTIONS}


def _read_published(path: Path) -> dict[str, torch.Tensor]:
    """Read the published file, a TorchScript archive; only called once its hash is verified."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", FutureWarning)  # that TorchScript is on its way out
            archive = torch.jit.load(str(path), map_location="cpu")  # type: ignore[no-untyped-call]
    except RuntimeError as error:
        raise WeightsError(f"weights file {path} cannot be read ({error})") from error
    tensors = archive.state_dict()
    return {name: value.float() for name, value in tensors.items() if name not in _DESCRIPTIONS}
