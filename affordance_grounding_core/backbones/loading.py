"""From the name of a backbone to a frozen backbone with its weights."""

from __future__ import annotations

from pathlib import Path

import torch

from affordance_grounding_core.backbones import dino, dinov2
from affordance_grounding_core.backbones.pinned_files import (
    DINO_VITS16,
    DINOV2_VITB14,
    cached_file,
)
from affordance_grounding_core.backbones.transformer_backbone import TransformerBackbone
from affordance_grounding_core.backbones.weights import load_pinned, read_weights

BACKBONES = (*dino.ARCHITECTURES, *dinov2.ARCHITECTURES)
"""Names of the backbones that describe patches."""

_PUBLISHED = {pinned.name: pinned for pinned in (DINO_VITS16, DINOV2_VITB14)}


def build_descriptor_backbone(name: str) -> TransformerBackbone:
    """Build a backbone with random weights, to be loaded with others.

    Raises:
        ValueError: another name than those of `BACKBONES`.
    """
    if name in dino.ARCHITECTURES:
        return dino.Dino(name)
    if name in dinov2.ARCHITECTURES:
        return dinov2.Dinov2(name)
    raise ValueError(f"backbone must be one of {sorted(BACKBONES)}, got {name!r}")


def load_descriptor_backbone(name: str, path: Path | None = None) -> TransformerBackbone:
    """Build a backbone and load its weights.

    Args:
        name: one of `BACKBONES`.
        path: local file of its weights; the cached or published ones where None.

    Raises:
        ValueError: another name.
        WeightsError: the weights cannot be fetched, verified or read, or do not fit.
    """
    backbone = build_descriptor_backbone(name)
    backbone.load_tensors(_read(name, path))
    return backbone


def _read(name: str, path: Path | None) -> dict[str, torch.Tensor]:
    if name not in _PUBLISHED:
        return load_pinned(path=path)
    tensors = read_weights(path if path is not None else cached_file(_PUBLISHED[name]))
    tensors.pop("mask_token", None)  # of DINOv2's training; no use in inference
    return tensors
