"""All ways to take a training step start from the same loss."""

from __future__ import annotations

import pytest

from affordance_grounding_core.backbones.clip import random_clip
from affordance_grounding_core.backbones.dino import Dino
from affordance_grounding_core.backbones.transformer_backbone import TransformerSizes
from affordance_grounding_core.benchmark.machine import Machine
from affordance_grounding_core.benchmark.training_selective_cl import (
    SelectiveTrainingBenchmark,
    random_batch,
)


@pytest.fixture
def small() -> SelectiveTrainingBenchmark:
    dino = Dino(sizes=TransformerSizes(image_size=32, patch_size=8, width=24, depth=2, heads=6))
    batch = random_batch(samples=3, exocentric=3, size=32, actions=4)
    clip = random_clip(0, image_size=32, patch_size=8)
    return SelectiveTrainingBenchmark(batch, clip, dino, ("hold", "hit", "pour", "cut_with"))


def test_first_losses_agree(small: SelectiveTrainingBenchmark) -> None:
    losses = small.first_losses()
    assert losses["eager fp32"] == pytest.approx(losses["published-eager"], rel=1e-4)
    assert losses["cached-features fp32"] == pytest.approx(losses["published-eager"], rel=2e-2)
    assert losses["eager bf16"] == pytest.approx(losses["published-eager"], rel=5e-2)


def test_rows(small: SelectiveTrainingBenchmark) -> None:
    rows = small.run(1, Machine(1, 1, "cpu", {"fp32": 1.0, "bf16": 1.0}))
    assert [(row.runtime, row.precision) for row in rows] == [
        ("published-eager", "fp32"),
        ("eager", "fp32"),
        ("eager", "bf16"),
        ("cached-features", "fp32"),
    ]
    assert rows[0].ratio == 1.0
