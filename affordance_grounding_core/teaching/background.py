"""Prototypes of generic background, which every taught action is compared with.

The packaged file was made by `python -m tools.studies.background` from the pictures that come
with the package (`runtimes/pictures`) and holds for the backbones of the packaged models, adapted
as these have them. With another one, the exemplars' own surroundings are all the background there
is.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from types import MappingProxyType

import numpy as np
from safetensors import safe_open
from safetensors.numpy import load_file

from affordance_grounding_core.teaching.collection import BackboneIdentity
from affordance_grounding_core.teaching.prototypes import Prototypes

FILE = Path(__file__).with_name("background.safetensors")


def generic_background(identity: BackboneIdentity) -> Prototypes | None:
    """Prototypes of generic background for a backbone; None where the package has none for it."""
    return _packaged().get(str(identity))


@lru_cache(maxsize=1)
def _packaged() -> Mapping[str, Prototypes]:
    """Prototypes by the name of a backbone's identity; the file's metadata says whose they are."""
    with safe_open(FILE, "numpy") as file:
        owners = dict(file.metadata() or {})
    tensors = load_file(FILE)
    found = {}
    for number, identity in owners.items():
        features = tensors[f"{number}.features"].astype(np.float32)
        weights = tensors[f"{number}.weights"].astype(np.float32)
        found[identity] = Prototypes(features, weights / weights.sum())
    return MappingProxyType(found)
