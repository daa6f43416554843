"""Make the generic background that comes with the package.

    python -m tools.studies.background

Reads `runtimes/pictures`, writes `teaching/background.safetensors`. Only to be run again
where the pictures or the features change; taught files stay valid.
"""

from __future__ import annotations

import sys

import numpy as np
from safetensors.numpy import save_file

from affordance_grounding_core.images import is_image_file, read_rgb
from affordance_grounding_core.loading import load_grounder
from affordance_grounding_core.runtimes.gate import PACKAGED
from affordance_grounding_core.teaching.background import FILE
from affordance_grounding_core.teaching.exemplars import summarise
from affordance_grounding_core.teaching.teacher import Teacher

PROTOTYPES = 192


def main() -> int:
    """Write the file; returns the exit code."""
    teacher = Teacher(load_grounder("default", "eager"))
    features = []
    for file in sorted(path for path in PACKAGED.iterdir() if is_image_file(path)):
        pixels, _ = teacher.features.preprocess(read_rgb(file))
        features.append(teacher.features.of_pixels(pixels))
    patches = np.concatenate([one.reshape(-1, one.shape[-1]) for one in features])
    centres, shares = summarise(patches, PROTOTYPES)
    tensors = {"features": centres.astype(np.float16), "weights": shares.astype(np.float16)}
    save_file(tensors, FILE, {"backbone": str(teacher.features.identity)})
    print(
        f"{len(patches)} patches of {len(features)} pictures in {len(centres)} prototypes: {FILE}"
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
