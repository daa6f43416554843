"""Weakly supervised affordance grounding: image and action to heatmap and grasp regions."""

from affordance_grounding_core.errors import (
    AffordanceGroundingError,
    CheckpointError,
    DatasetError,
    InvalidImageError,
    RuntimeUnavailableError,
    StopWordError,
    UnknownActionError,
    WeightsError,
)
from affordance_grounding_core.inference.grounder import Grounder
from affordance_grounding_core.inference.result import (
    AffordanceRegion,
    Box,
    GroundingResult,
    OrientedBox,
)
from affordance_grounding_core.loading import load_grounder

__version__ = "0.1.0"

__all__ = [
    "AffordanceGroundingError",
    "AffordanceRegion",
    "Box",
    "CheckpointError",
    "DatasetError",
    "Grounder",
    "GroundingResult",
    "InvalidImageError",
    "OrientedBox",
    "RuntimeUnavailableError",
    "StopWordError",
    "UnknownActionError",
    "WeightsError",
    "__version__",
    "load_grounder",
]
