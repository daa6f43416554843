"""The generic background that comes with the package is that of its models' backbones."""

from __future__ import annotations

import numpy as np
from safetensors import safe_open

from affordance_grounding_core.checkpoints.format import (
    packaged_checkpoint,
    packaged_names,
    read_checkpoint,
)
from affordance_grounding_core.teaching.background import FILE, generic_background
from affordance_grounding_core.teaching.collection import BackboneIdentity
from affordance_grounding_core.teaching.features import BLOCKS


def test_every_packaged_model_s_backbone_has_a_background() -> None:
    plain, adapted = set(), set()
    for name in packaged_names():
        folder = packaged_checkpoint(name)
        assert folder is not None
        checkpoint = read_checkpoint(folder)
        is_adapted = any(tensor.startswith("adapters.") for tensor in checkpoint.tensors)
        (adapted if is_adapted else plain).add(
            name if is_adapted else (checkpoint.config["backbone_fingerprint"])
        )
    with safe_open(FILE, "numpy") as file:
        owners = file.metadata()
    assert len(owners) == len(set(owners.values())) == len(plain) + len(adapted)
    for fingerprint in plain:
        identity = BackboneIdentity("dinov2_vits14", fingerprint, BLOCKS)
        assert str(identity) in owners.values()
        found = generic_background(identity)
        assert found is not None
        np.testing.assert_allclose(found.weights.sum(), 1.0, atol=1e-6)
        np.testing.assert_allclose(np.linalg.norm(found.features, axis=1), 1.0, atol=0.05)


def test_another_backbone_has_none() -> None:
    assert generic_background(BackboneIdentity("dinov2_vits14", "0" * 64, BLOCKS)) is None
