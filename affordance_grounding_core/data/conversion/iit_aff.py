"""IIT-AFF (Nguyen et al., IROS 2017): objects in scenes, a label for every pixel.

ROOT/rgb/NAME.jpg
ROOT/affordances_labels/NAME.txt      rows of numbers 0 to 9, one a pixel
ROOT/object_labels/NAME.txt           "class xmin ymin xmax ymax", one object a line
ROOT/train_and_val.txt, ROOT/test.txt lists of NAME.jpg
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from affordance_grounding_core.data.conversion.base import Problems, Sample, require

AFFORDANCES = {
    1: ("contain", "contain"),
    2: ("cut", "cut_with"),
    3: ("display", "display"),
    4: ("engine", "engine"),
    5: ("grasp", "hold"),
    6: ("hit", "hit"),
    7: ("pound", "hit"),
    8: ("support", "support"),
    9: ("w-grasp", "hold"),
}
"""Value of a pixel to the data set's own name and the action that is asked for."""

OBJECTS = (
    "bowl", "tvm", "pan", "hammer", "knife", "cup", "drill", "racket", "spatula", "bottle",
)  # fmt: skip
"""Classes of objects by their number."""

_LISTS = {"train": "train_and_val.txt", "test": "test.txt"}


def read_iit_aff(root: Path, part: str, every: int, problems: Problems) -> Iterator[Sample]:
    """List the samples; see `Reader`.

    All objects of a picture share a mask for each affordance. Where they are of several classes,
    none is named.
    """
    file = require(root / _LISTS[part], "the lists of IIT_Affordances_2017")
    names = file.read_text(encoding="utf-8").split()
    for name in names[::every]:
        stem = Path(name).stem
        label = root / "affordances_labels" / f"{stem}.txt"
        try:
            labels = _labels(label)
        except (OSError, ValueError) as error:
            problems.add("labels cannot be read", f"{label} ({error})")
            continue
        for value in sorted(set(np.unique(labels).tolist()) & AFFORDANCES.keys()):
            own, action = AFFORDANCES[value]
            yield Sample(
                root / "rgb" / name,
                f"{stem}_{own}",
                action,
                labels == value,
                _object_name(root / "object_labels" / f"{stem}.txt"),
                own,
            )


def _labels(file: Path) -> NDArray[np.uint8]:
    rows = [line.split() for line in file.read_text(encoding="utf-8").splitlines() if line.strip()]
    if not rows or len({len(row) for row in rows}) != 1:
        raise ValueError("rows differ in length, or there is none")
    return np.asarray(rows, np.float64).astype(np.uint8)


def _object_name(file: Path) -> str:
    """Class of the objects of a picture; "" where it has several, or nobody says."""
    if not file.is_file():
        return ""
    numbers = {line.split()[0] for line in file.read_text(encoding="utf-8").splitlines() if line}
    names = {OBJECTS[int(n)] for n in numbers if n.isdigit() and int(n) < len(OBJECTS)}
    return names.pop() if len(names) == 1 == len(numbers) else ""
