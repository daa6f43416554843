"""Every method's own network at a small size, with random weights."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache

import torch
from torch import nn

from affordance_grounding_core.backbones.clip import random_clip
from affordance_grounding_core.backbones.dino import Dino
from affordance_grounding_core.backbones.dinov2 import Dinov2
from affordance_grounding_core.backbones.transformer_backbone import TransformerSizes
from affordance_grounding_core.inference.heat_calibration import HeatCalibration
from affordance_grounding_core.methods.action_head.config import ActionHeadConfig
from affordance_grounding_core.methods.action_head.network import ActionHead, ActionHeadNetwork
from affordance_grounding_core.methods.plsp.config import PlspNetworkConfig
from affordance_grounding_core.methods.plsp.encoders import ClipTokens
from affordance_grounding_core.methods.plsp.network import PlspHeatNetwork, PlspNetwork
from affordance_grounding_core.methods.selective_cl.affinity_sources import (
    SaliencyAffinity,
    encode_actions,
)
from affordance_grounding_core.methods.selective_cl.config import SelectiveHeadConfig
from affordance_grounding_core.methods.selective_cl.frozen_backbones import FrozenBackbones
from affordance_grounding_core.methods.selective_cl.network import (
    MapConfig,
    ProvidedAffinity,
    SelectiveHead,
    SelectiveNetwork,
    TextAffinity,
)
from affordance_grounding_core.runtimes.graph import (
    ExportedGraph,
    GraphInput,
    actions_per_run,
    export_network,
)

VOCABULARY = ("hold", "drink_with", "hit")
SIDES = {"action_head": (56, 70), "action_head_with_masks": (56, 70)}
"""Height and width in px of the input; 64 x 80 where none is named."""


def sides(name: str) -> tuple[int, int]:
    """Height and width of a network's input, of another aspect than its positions'."""
    return SIDES.get(name, (64, 80))


def action_head() -> nn.Module:
    backbone = Dinov2(sizes=TransformerSizes(56, 14, width=24, depth=3, heads=2))
    config = ActionHeadConfig(actions=3, feature_width=24, blocks=(1, 2), width=16)
    return ActionHeadNetwork(backbone, ActionHead(config))


def action_head_with_masks() -> nn.Module:
    backbone = Dinov2(sizes=TransformerSizes(56, 14, width=24, depth=3, heads=2))
    config = ActionHeadConfig(3, 24, blocks=(1, 2), width=32, attention=1, mask_width=8)
    return ActionHeadNetwork(backbone, ActionHead(config))


def selective_cl() -> nn.Module:
    clip = random_clip(0, image_size=64, patch_size=16)
    return SelectiveNetwork(
        FrozenBackbones(Dino(sizes=TransformerSizes(64, 16, 24, 2, 6)), clip.image),
        SelectiveHead(SelectiveHeadConfig(3, 24, hidden=32)),
        TextAffinity(encode_actions(clip, VOCABULARY).action),
        MapConfig(),
        HeatCalibration(),
    )


def selective_cl_with_saliency() -> nn.Module:
    return SelectiveNetwork(
        FrozenBackbones(Dino(sizes=TransformerSizes(64, 16, 24, 2, 6)), None),
        SelectiveHead(SelectiveHeadConfig(3, 24, hidden=32)),
        ProvidedAffinity(SaliencyAffinity(), needs_attention=True),
        MapConfig(),
        HeatCalibration(),
    )


def plsp() -> nn.Module:
    config = PlspNetworkConfig(
        actions=3,
        width=32,
        fuser_depth=2,
        fuser_heads=4,
        decoder_depth=2,
        decoder_heads=4,
        decoder_hidden=16,
        classifier_hidden=8,
    )
    encoder = ClipTokens(64, 16, 32, 2, 4, 32)
    return PlspHeatNetwork(PlspNetwork(config, encoder), torch.randn(3, 32), HeatCalibration())


BUILDERS: dict[str, Callable[[], nn.Module]] = {
    "action_head": action_head,
    "action_head_with_masks": action_head_with_masks,
    "plsp": plsp,
    "selective_cl": selective_cl,
    "selective_cl_with_saliency": selective_cl_with_saliency,
}


def small_network(name: str) -> nn.Module:
    """Build one of `BUILDERS`, the same at every call."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return BUILDERS[name]().eval().requires_grad_(False)


def shape_of(name: str) -> GraphInput:
    """Input of one of `BUILDERS` that answers as many actions a run as an engine does."""
    actions = actions_per_run(small_network(name), len(VOCABULARY))
    return GraphInput(*sides(name), actions, len(VOCABULARY))


@cache
def small_graph(name: str, precision: str = "fp32") -> ExportedGraph:
    """Export one of `BUILDERS`, once for all tests."""
    return export_network(small_network(name), shape_of(name), precision)
