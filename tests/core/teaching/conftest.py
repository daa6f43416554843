"""A model with a small random DINOv2."""

from __future__ import annotations

import pytest
from taught_models import build_grounder

from affordance_grounding_core.inference.grounder import Grounder


@pytest.fixture
def grounder() -> Grounder:
    """A model that knows "hold" and "press", and takes "grasp" for "hold"."""
    return build_grounder()
