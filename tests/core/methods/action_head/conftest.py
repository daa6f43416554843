from __future__ import annotations

from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from affordance_grounding_core.backbones import weights
from affordance_grounding_core.backbones.dinov2 import Dinov2


@pytest.fixture
def random_backbone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A weights file of the right architecture, and a cache of its own for the features."""
    monkeypatch.setenv(weights.CACHE_VARIABLE, str(tmp_path / "cache"))
    torch.manual_seed(0)
    save_file(Dinov2().transformer.state_dict(), tmp_path / "backbone.safetensors")
    return tmp_path / "backbone.safetensors"
