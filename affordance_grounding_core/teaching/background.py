"""Prototypes of generic background, which every taught action is compared with.

The packaged file was made by `python -m tools.studies.background` from the pictures that come
with the package (`runtimes/pictures`) and holds for one backbone. With another one, the
exemplars' own surroundings are all the background there is.
"""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

import numpy as np
from safetensors import safe_open
from safetensors.numpy import load_file

from affordance_grounding_core.teaching.collection import BackboneIdentity
from affordance_grounding_core.teaching.prototypes import Prototypes

FILE = Path(__file__).with_name("background.safetensors")


def generic_background(identity: BackboneIdentity) -> Prototypes | None:
    """Prototypes of generic background for a backbone; None where the package has none for it."""
    made_with, prototypes = _packaged()
    return prototypes if made_with == str(identity) else None


@lru_cache(maxsize=1)
def _packaged() -> tuple[str, Prototypes]:
    with safe_open(FILE, "numpy") as file:
        made_with = str((file.metadata() or {}).get("backbone"))
    tensors = load_file(FILE)
    features = tensors["features"].astype(np.float32)
    weights = tensors["weights"].astype(np.float32)
    return made_with, Prototypes(features, weights / weights.sum())
