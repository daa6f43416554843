"""A model with a small random DINOv2, and drawn pictures of one painted part."""

from __future__ import annotations

import cv2
import numpy as np
import torch
from numpy.typing import NDArray

from affordance_grounding_core.actions.vocabulary import ActionVocabulary
from affordance_grounding_core.backbones.dinov2 import Dinov2
from affordance_grounding_core.backbones.transformer_backbone import TransformerSizes
from affordance_grounding_core.inference.grounder import Grounder, ModelInformation
from affordance_grounding_core.inference.preprocess import Preprocess, PreprocessConfig
from affordance_grounding_core.inference.regions import RegionConfig
from affordance_grounding_core.methods.action_head.config import ActionHeadConfig
from affordance_grounding_core.methods.action_head.network import ActionHead, ActionHeadNetwork
from affordance_grounding_core.runtimes.eager import EagerRuntime

HEIGHT, WIDTH = 96, 128


def picture(x: int, y: int, colour: tuple[int, int, int] = (230, 40, 30)) -> NDArray[np.uint8]:
    """A grey table with noise and a square part of one colour, centred at (x, y)."""
    noise = np.random.default_rng(x + y).integers(100, 120, (HEIGHT, WIDTH, 1))
    image = np.repeat(noise, 3, axis=2).astype(np.uint8)
    cv2.rectangle(image, (x - 14, y - 14), (x + 14, y + 14), colour, -1)
    return image


def build_grounder(seed: int = 0, mask_width: int = 0) -> Grounder:
    """A grounder of random weights; another seed makes another backbone."""
    torch.manual_seed(seed)
    sizes = TransformerSizes(image_size=112, patch_size=14, width=32, depth=4, heads=2)
    backbone = Dinov2(sizes=sizes)
    config = ActionHeadConfig(2, feature_width=32, blocks=(1, 3), width=16, mask_width=mask_width)
    head = ActionHead(config)
    return Grounder(
        EagerRuntime(ActionHeadNetwork(backbone, head), "cpu"),
        Preprocess(PreprocessConfig(policy="aspect", size=112)),
        ActionVocabulary(("hold", "press"), {"grasp": "hold"}),
        RegionConfig(threshold=0.33),
        ModelInformation("small", "action_head", "0" * 64),
    )
