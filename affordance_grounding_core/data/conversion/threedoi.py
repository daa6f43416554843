"""3DOI (Qian and Fouhey, ICCV 2023): rooms in which people marked where to pull, push or pick up.

    ROOT/3doi_v1/data_test.pt      list of {"img_name", "instances": [...]}, by torch.save
    ROOT/images/IMG_NAME

An instance has "affordance", the point (x, y) in [0, 1] or -1 for none, "pull_or_push" and
"kinematic". The point is all that says where; its "mask" is the whole thing that moves, a door or a
drawer. So points become heat by AGD20K's rule, and there is no mask to score.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from affordance_grounding_core.data.conversion.base import Problems, Sample, require
from affordance_grounding_core.data.part_masks import image_size
from affordance_grounding_core.errors import DatasetError


def read_threedoi(root: Path, part: str, every: int, problems: Problems) -> Iterator[Sample]:
    """List the samples; see `Reader`. Points of one action in one picture share a heatmap."""
    file = require(root / "3doi_v1" / f"data_{part}.pt", "the annotations of 3DOI")
    for entry in _entries(file)[::every]:
        image = root / "images" / str(entry["img_name"])
        size = image_size(image)
        if size is None:
            problems.add("pictures are missing or cannot be read", image)
            continue
        height, width = size
        points: dict[str, list[tuple[float, float]]] = {}
        for instance in entry["instances"]:
            action = _action(instance)
            x, y = (float(value) for value in instance["affordance"])
            if action is None or not (0 <= x <= 1 and 0 <= y <= 1):
                problems.add("instances have no point or no known action", image)
                continue
            points.setdefault(action, []).append((x, y))
        for action, places in sorted(points.items()):
            marked = np.zeros((height, width), np.bool_)
            for x, y in places:
                marked[min(int(y * height), height - 1), min(int(x * width), width - 1)] = True
            name = f"{image.stem}_{action}"
            yield Sample(image, name, action, marked, "", action, is_points=True)


def _action(instance: dict[str, Any]) -> str | None:
    """Action that an instance affords.

    What turns or slides and is pulled opens; what is free is picked up.
    """
    moved = str(instance["pull_or_push"])
    if moved in ("free", "free movement"):
        return "hold"
    if moved == "push":
        return "push"
    if moved == "pull":
        return "open" if instance["kinematic"] in ("rotation", "translation") else "pull"
    return None


def _entries(file: Path) -> list[dict[str, Any]]:
    import torch  # takes seconds, and every command line would wait for it

    try:
        entries = torch.load(file, map_location="cpu", weights_only=True)
        for entry in entries:
            for instance in entry["instances"]:
                _ = instance["affordance"][1], instance["pull_or_push"], instance["kinematic"]
            _ = entry["img_name"]
    except Exception as error:  # the unpickler raises many kinds on what is no pickle
        raise DatasetError(
            f"{str(file)!r} cannot be read as annotations of 3DOI ({type(error).__name__}); "
            "expected a list of img_name and instances, of tensors and plain values"
        ) from error
    return list(entries)
