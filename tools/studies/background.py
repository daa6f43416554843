"""Make the generic background that comes with the package.

    python -m tools.studies.background

Reads `runtimes/pictures`, writes `teaching/background.safetensors`: for each backbone of a packaged
model, adapted as that has it. To be run again where the pictures or the models' backbones change.
"""

from __future__ import annotations

import sys

import numpy as np
from numpy.typing import NDArray
from safetensors.numpy import save_file

from affordance_grounding_core.checkpoints.format import packaged_names
from affordance_grounding_core.images import is_image_file, read_rgb
from affordance_grounding_core.loading import load_grounder
from affordance_grounding_core.runtimes.gate import PACKAGED
from affordance_grounding_core.teaching.background import FILE
from affordance_grounding_core.teaching.exemplars import summarise
from affordance_grounding_core.teaching.teacher import Teacher

PROTOTYPES = 192


def main() -> int:
    """Write the file; returns the exit code."""
    tensors: dict[str, NDArray[np.float16]] = {}
    owners: dict[str, str] = {}
    for name in packaged_names():
        teacher = Teacher(load_grounder(name, "eager"))
        identity = str(teacher.features.identity)
        if identity in owners.values():
            continue
        number = str(len(owners))
        owners[number] = identity
        patches = _patches(teacher)
        centres, shares = summarise(patches, PROTOTYPES)
        tensors[f"{number}.features"] = centres.astype(np.float16)
        tensors[f"{number}.weights"] = shares.astype(np.float16)
        print(f"{name}: {len(patches)} patches in {len(centres)} prototypes of {identity}")
    save_file(tensors, FILE, owners)
    return 0


def _patches(teacher: Teacher) -> NDArray[np.float32]:
    """Features of all patches of the pictures that come with the package."""
    features = []
    for file in sorted(path for path in PACKAGED.iterdir() if is_image_file(path)):
        pixels, _ = teacher.features.preprocess(read_rgb(file))
        features.append(teacher.features.of_pixels(pixels))
    return np.concatenate([one.reshape(-1, one.shape[-1]) for one in features])


if __name__ == "__main__":
    sys.exit(main())
