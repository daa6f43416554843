"""Loads a frozen backbone with its weights by its name."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

import torch

from affordance_grounding_core.backbones.dino import Dino
from affordance_grounding_core.backbones.dinov2 import Dinov2
from affordance_grounding_core.backbones.pinned_files import cached_file
from affordance_grounding_core.backbones.table import BACKBONES, PinnedWeights, architectures
from affordance_grounding_core.backbones.transformer_backbone import TransformerBackbone
from affordance_grounding_core.backbones.weights import load_pinned, read_weights

_FAMILIES: Mapping[str, Callable[[str], TransformerBackbone]] = {"dino": Dino, "dinov2": Dinov2}

DESCRIPTORS = tuple(name for name, row in BACKBONES.items() if row.family in _FAMILIES)
"""Names of the backbones that describe patches."""


def build_descriptor_backbone(name: str) -> TransformerBackbone:
    """Build a backbone with random weights, to be loaded with others.

    Args:
        name: one of `DESCRIPTORS`.

    Raises:
        ValueError: another name.
    """
    if name not in DESCRIPTORS:
        raise ValueError(f"backbone must be one of {sorted(DESCRIPTORS)}, got {name!r}")
    return _FAMILIES[BACKBONES[name].family](name)


def load_descriptor_backbone(name: str, path: Path | None = None) -> TransformerBackbone:
    """Build a backbone and load its weights.

    Args:
        name: one of `DESCRIPTORS`.
        path: local file of its weights; the cached or published ones where None.

    Raises:
        ValueError: another name.
        WeightsError: the weights cannot be fetched, verified or read, or do not fit.
    """
    backbone = build_descriptor_backbone(name)
    backbone.load_tensors(load_backbone_tensors(name, path))
    return backbone


def load_dinov2(name: str, path: Path | None = None) -> Dinov2:
    """Build a backbone of DINOv2 and load its weights.

    Args:
        name: one of `DESCRIPTORS`, of the family "dinov2".
        path: local file of its weights; the cached or published ones where None.

    Raises:
        ValueError: another name, or a backbone of another family.
        WeightsError: the weights cannot be fetched, verified or read, or do not fit.
    """
    known = sorted(architectures("dinov2"))
    if name not in known:
        raise ValueError(f"backbone must be one of DINOv2's, {known}, got {name!r}")
    backbone = Dinov2(name)
    backbone.load_tensors(load_backbone_tensors(name, path))
    return backbone


def load_backbone_tensors(name: str, path: Path | None = None) -> dict[str, torch.Tensor]:
    """Read the weights of a backbone.

    Args:
        name: one of `DESCRIPTORS`.
        path: local file of its weights; the cached or published ones where None.

    Returns:
        Tensors by timm's names, float32.

    Raises:
        WeightsError: the weights cannot be fetched, verified or read.
    """
    source = BACKBONES[name].weights
    if isinstance(source, PinnedWeights):
        return load_pinned(source, path)
    tensors = read_weights(path if path is not None else cached_file(source))
    tensors.pop("mask_token", None)  # of DINOv2's training; no use in inference
    return tensors
