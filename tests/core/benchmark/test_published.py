"""The published path is slower than ours, not another method: both give the same maps."""

from __future__ import annotations

import pytest
import torch

from affordance_grounding_core.actions.prompts import action_prompt
from affordance_grounding_core.backbones.clip import random_clip
from affordance_grounding_core.backbones.dino import Dino
from affordance_grounding_core.backbones.transformer_backbone import TransformerSizes
from affordance_grounding_core.benchmark.published_selective_cl import (
    PublishedBackbones,
    PublishedInference,
)
from affordance_grounding_core.methods.selective_cl.affinity import min_max, text_similarity
from affordance_grounding_core.methods.selective_cl.config import SelectiveHeadConfig
from affordance_grounding_core.methods.selective_cl.network import SelectiveHead


@pytest.fixture
def backbones() -> PublishedBackbones:
    torch.manual_seed(1)
    dino = Dino(sizes=TransformerSizes(image_size=32, patch_size=8, width=24, depth=2, heads=6))
    return PublishedBackbones(random_clip(0, image_size=32, patch_size=8), dino.eval())


def test_backbones_in_full_give_what_ours_give(backbones: PublishedBackbones) -> None:
    pixels = torch.randn(2, 3, 32, 32)
    torch.testing.assert_close(
        backbones.clip_tokens(pixels), backbones.clip.image.dense(pixels), rtol=1e-4, atol=1e-5
    )
    ours = backbones.dino.describe(pixels, attention=True)
    published = backbones.descriptors(pixels)
    torch.testing.assert_close(published.patches, ours.patches, rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(published.class_attention, ours.class_attention)


def test_inference_is_min_maxed_affinity_times_class_map(backbones: PublishedBackbones) -> None:
    head = SelectiveHead(SelectiveHeadConfig(actions=3, feature_width=24, hidden=32)).eval()
    pixels = torch.randn(1, 3, 32, 32)
    found = PublishedInference(backbones, head)(pixels, "cut_with", 1)
    text = backbones.clip.text.encode([action_prompt("cut_with")])
    affinity = min_max(text_similarity(backbones.clip.image.dense(pixels), text).reshape(1, 4, 4))
    patches = backbones.dino.describe(pixels, attention=False).patches
    with torch.no_grad():
        expected = affinity[0] * head(patches, 4, 4)[0, 1]
    torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-5)
